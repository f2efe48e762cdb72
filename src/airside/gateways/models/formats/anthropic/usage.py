"""Reading the tokens an Anthropic model says it used, and not believing everything."""

from typing import Any

from airside.core.call import Usage
from airside.gateways.models.formats.counts import believable


def read(reported: Any) -> Usage | None:
    """Return the usage of a message, or None if it is missing, malformed or impossible.

    `input_tokens` exclude both cache classes here, as ours do. What was written to the cache for an hour costs more
    than what was written for five minutes; where a report does not tell them apart, all counts as the latter.
    """
    if not isinstance(reported, dict):
        return None
    details = reported.get("cache_creation")
    hour = details.get("ephemeral_1h_input_tokens") if isinstance(details, dict) else 0
    counts = (
        reported.get("input_tokens"),
        reported.get("cache_read_input_tokens") or 0,
        reported.get("cache_creation_input_tokens") or 0,
        reported.get("output_tokens"),
        hour or 0,
    )
    if not believable(counts):
        return None
    plain, cached_read, written, output, written_1h = counts
    if written_1h > written:
        return None
    return Usage(plain, cached_read, written - written_1h, output, written_1h)


def write(used: Usage | None) -> dict[str, Any]:
    """Return usage as Anthropic's clients read it; zeros where none is known, because they insist on numbers."""
    used = used or Usage()
    return {
        "input_tokens": used.input,
        "cache_creation_input_tokens": used.cache_write + used.cache_write_1h,
        "cache_read_input_tokens": used.cached_read,
        "output_tokens": used.output,
    }
