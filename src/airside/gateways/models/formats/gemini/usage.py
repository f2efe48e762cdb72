"""Reading the tokens Gemini says it used, and not believing everything."""

from typing import Any

from airside.core.call import Usage
from airside.gateways.models.formats.counts import believable

_COUNTS = (
    "promptTokenCount",
    "toolUsePromptTokenCount",
    "cachedContentTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "totalTokenCount",
)


def read(reported: Any) -> Usage | None:
    """Return the usage of an answer, or None if it is missing, malformed or impossible.

    Google's prompt includes what was read from its cache, ours does not; its thoughts stand beside the candidates and
    are paid as output. What the total holds beyond the parts is counted as output, too.
    """
    if not isinstance(reported, dict) or type(reported.get("promptTokenCount")) is not int:
        return None
    counts = [reported.get(name) or 0 for name in _COUNTS]
    if not believable(counts):
        return None
    prompt, tool_use, cached, candidates, thoughts, total = counts
    if cached > prompt:
        return None
    output = max(candidates + thoughts, total - prompt - tool_use)
    return Usage(prompt - cached + tool_use, cached, 0, output)


def write(used: Usage) -> dict[str, Any]:
    """Return usage as Google's clients read it."""
    cached = {"cachedContentTokenCount": used.cached_read} if used.cached_read else {}
    return {
        "promptTokenCount": used.read,
        "candidatesTokenCount": used.output,
        "totalTokenCount": used.total,
        **cached,
    }
