"""What formats share: contents that are a text, or a list of blocks of which some are text."""

from collections.abc import Callable
from typing import Any

from airside.guards.finding import Place

Say = Callable[[str, Place], str]
"""Returns a text of a user or a tool as it is marked."""


def content(value: Any, place: Place, say: Say, kinds: frozenset[str]) -> Any:
    """Return a content with its text marked; `kinds` are the types of blocks that are text."""
    if isinstance(value, str):
        return say(value, place)
    if not isinstance(value, list):
        return value
    return [_block(block, place, say) if block.get("type") in kinds else block for block in value]


def _block(block: dict[str, Any], place: Place, say: Say) -> dict[str, Any]:
    text = block.get("text")
    return {**block, "text": say(text, place)} if isinstance(text, str) else block


def before(introduction: str, text: str) -> str:
    """Return a system text that begins with the introduction."""
    return f"{introduction}\n\n{text}" if text else introduction
