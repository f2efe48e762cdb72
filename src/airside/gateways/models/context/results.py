"""Shorter tool results: repeated ones named instead of repeated, long old ones as an excerpt with a handle.

The full text is never lost: the journal keeps the request as the client sent it, and `recall` searches there.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress

from airside.gateways.models.context.tokens import guess
from airside.gateways.models.context.turns import Turn
from airside.gateways.models.message import Text, ToolResult

DUPLICATE_CHARS_MIN = 200
EXCERPT_HEAD = 2 / 3


def results_of(turns: Sequence[Turn]) -> Iterator[tuple[int, ToolResult, str]]:
    """Yield every tool result that is plain text: the wire index of its message, the result, and its text."""
    for turn in turns:
        for message in turn.messages:
            for block in message.blocks:
                if isinstance(block, ToolResult) and all(isinstance(part, Text) for part in block.content):
                    yield message.at, block, "\n".join(part.text for part in block.content if isinstance(part, Text))


def repeated(turns: Sequence[Turn]) -> dict[str, str]:
    """Return new texts, by call id, for results that a later result says again word for word."""
    latest: dict[str, str] = {}
    shorter: dict[str, str] = {}
    for _, result, text in reversed(list(results_of(turns))):
        if len(text) < DUPLICATE_CHARS_MIN:
            continue
        if text in latest:
            shorter[result.call_id] = f"[airside: the same as the result of {latest[text]} below]"
        else:
            latest[text] = result.call_id
    return shorter


def compact(text: str) -> str:
    """Return JSON without the blanks between its values, and any other text without trailing and repeated blanks."""
    if text[:1] in "{[":
        with suppress(ValueError, RecursionError):  # a tool's words are anybody's: nested too deep, or half a character
            shorter = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
            shorter.encode()
            return shorter
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join(line for index, line in enumerate(lines) if line or (index and lines[index - 1]))


def excerpt(text: str, handle: str, *, tokens: int, recallable: bool) -> str:
    """Return the beginning and the end of a text within about `tokens`, and how the rest can be had."""
    chars = max(int(len(text) * tokens / max(guess(text), 1.0)), 1)
    head = int(chars * EXCERPT_HEAD)
    tail = text[len(text) - (chars - head) :]
    advice = f"; call recall with handle {handle} and a query to read it" if recallable else ""
    return f"{text[:head]}\n[airside: {len(text) - chars} of {len(text)} characters left out{advice}]\n{tail}"
