"""Reading the tokens a provider says it used, and not believing everything."""

from typing import Any

from airside.core.call import Usage

TOKENS_MAX = 20_000_000
"""More than any model reads or writes in one call: beyond this a report is a fault, not a bill."""


def read(reported: Any) -> Usage | None:
    """Return the usage of a Chat Completions answer, or None if it is missing, malformed or impossible.

    The provider's `prompt_tokens` include what was read from and written to its cache; ours do not.
    """
    if not isinstance(reported, dict):
        return None
    prompt, output = reported.get("prompt_tokens"), reported.get("completion_tokens")
    details = reported.get("prompt_tokens_details")
    cached_read = cache_write = 0
    if isinstance(details, dict):
        cached_read = details.get("cached_tokens") or 0
        cache_write = details.get("cache_write_tokens") or 0
    for count in (prompt, output, cached_read, cache_write):
        if type(count) is not int or not 0 <= count <= TOKENS_MAX:
            return None
    assert isinstance(prompt, int), "checked above"
    assert isinstance(output, int), "checked above"
    if cached_read + cache_write > prompt:
        return None
    return Usage(prompt - cached_read - cache_write, cached_read, cache_write, output)
