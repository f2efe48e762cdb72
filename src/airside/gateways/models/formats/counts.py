"""Token counts that providers report, and what of them is believed."""

from collections.abc import Sequence
from typing import Any, TypeGuard

from airside.core.call import Usage

TOKENS_MAX = 20_000_000
"""More than any model reads or writes in one call: beyond this a report is a fault, not a bill."""


def believable(counts: Sequence[Any]) -> TypeGuard[Sequence[int]]:
    """Whether these are numbers of tokens that a call can have."""
    return all(type(count) is int and 0 <= count <= TOKENS_MAX for count in counts)


def openai_usage(reported: Any, read: str, written: str) -> Usage | None:
    """Return a usage as OpenAI's APIs report it, or None if it is missing, malformed or impossible.

    `read` and `written` name the tokens that went in and came out. Those that went in include what was read from and
    written to the provider's cache; ours do not.
    """
    if not isinstance(reported, dict):
        return None
    details = reported.get(f"{read}_details")
    details = details if isinstance(details, dict) else {}
    cached = [details.get(name) or 0 for name in ("cached_tokens", "cache_write_tokens")]
    counts = [reported.get(read), reported.get(written), *cached]
    if not believable(counts):
        return None
    given, output, cached_read, cache_write = counts
    if cached_read + cache_write > given:
        return None
    return Usage(given - cached_read - cache_write, cached_read, cache_write, output)
