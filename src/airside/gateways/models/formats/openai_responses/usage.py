"""Reading and writing the tokens of a response."""

from typing import Any

from airside.core.call import Usage
from airside.gateways.models.formats.openai_chat.usage import TOKENS_MAX


def read(reported: Any) -> Usage | None:
    """Return the usage of a response, or None if it is missing, malformed or impossible.

    The provider's `input_tokens` include what was read from and written to its cache; ours do not.
    """
    if not isinstance(reported, dict):
        return None
    given, output = reported.get("input_tokens"), reported.get("output_tokens")
    details = reported.get("input_tokens_details")
    cached_read = cache_write = 0
    if isinstance(details, dict):
        cached_read = details.get("cached_tokens") or 0
        cache_write = details.get("cache_write_tokens") or 0
    for count in (given, output, cached_read, cache_write):
        if type(count) is not int or not 0 <= count <= TOKENS_MAX:
            return None
    assert isinstance(given, int), "checked above"
    assert isinstance(output, int), "checked above"
    if cached_read + cache_write > given:
        return None
    return Usage(given - cached_read - cache_write, cached_read, cache_write, output)


def write(used: Usage) -> dict[str, Any]:
    """Return a usage as a response reports it. How much of the output was thought is not known of other formats."""
    given = used.total - used.output
    return {
        "input_tokens": given,
        "input_tokens_details": {
            "cached_tokens": used.cached_read,
            "cache_write_tokens": given - used.input - used.cached_read,
        },
        "output_tokens": used.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + used.output,
    }
