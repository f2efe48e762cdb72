"""What is done to a conversation that has outgrown its window: a pure decision, in the order of what it costs.

First repeated tool results are named instead of repeated, then long older ones become excerpts, then whole turns leave,
oldest first. The newest turns are never shortened: they are what the model is working on.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

from airside.config.context import ContextSettings
from airside.gateways.models.context import results
from airside.gateways.models.context.tokens import guess, guess_message
from airside.gateways.models.context.turns import Conversation, Turn
from airside.gateways.models.context.window import first_kept
from airside.gateways.models.message import Message


class Room(Struct, frozen=True):
    """How large a conversation may be, in guessed tokens.

    Above `high` it is shortened. If turns must leave, they leave until `low` is reached, of which `note` tokens are for
    the text that then stands in their place.
    """

    high: float
    low: float
    note: float


class Plan(Struct, frozen=True):
    """New texts of tool results by their call id, and the turns that leave."""

    results: Mapping[str, str] = MappingProxyType({})
    leaving: tuple[Turn, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything is done at all."""
        return bool(self.results or self.leaving)


def plan(
    conversation: Conversation, handles: Mapping[int, str], room: Room, settings: ContextSettings, *, recallable: bool
) -> Plan:
    """Return what to do so that a conversation fits. `handles` name the wire messages whose full text is kept."""
    turns, pinned = conversation.turns, sum(map(guess_message, conversation.pinned))
    if pinned + sum(map(_size, turns)) <= room.high:
        return Plan()
    older = turns[: max(len(turns) - settings.keep_last_turns, 0)]
    shorter = _excerpts(older, handles, settings, recallable=recallable) | results.repeated(turns)
    sizes = [_size(turn) - _saved(turn, shorter) for turn in turns]
    high, low = room.high - room.note, room.low - room.note
    start = first_kept(sizes, pinned, high=high, low=low, keep_last=settings.keep_last_turns)
    gone = {result.call_id for _, result, _ in results.results_of(turns[:start])}
    kept = {call_id: text for call_id, text in shorter.items() if call_id not in gone}
    return Plan(kept, turns[:start])


def _excerpts(
    turns: Sequence[Turn], handles: Mapping[int, str], settings: ContextSettings, *, recallable: bool
) -> dict[str, str]:
    shorter = {}
    for at, result, text in results.results_of(turns):
        compact = results.compact(text)
        if guess(compact) > settings.result_tokens_max:
            handle = handles.get(at, "")
            tokens = settings.excerpt_tokens
            shorter[result.call_id] = results.excerpt(
                compact, handle, tokens=tokens, recallable=recallable and bool(handle)
            )
        elif len(compact) < len(text):
            shorter[result.call_id] = compact
    return shorter


def _size(turn: Turn) -> float:
    return sum(map(guess_message, turn.messages))


def _saved(turn: Turn, shorter: Mapping[str, str]) -> float:
    return sum(
        guess(text) - guess(shorter[result.call_id])
        for _, result, text in results.results_of([turn])
        if result.call_id in shorter
    )


def spoken(messages: Sequence[Message]) -> str:
    """Return messages as a readable record, for a summary and for finding passages in it."""
    lines = []
    for message in messages:
        for block in message.blocks:
            text = getattr(block, "text", "") or getattr(block, "arguments", "")
            name = getattr(block, "name", "")
            content = getattr(block, "content", ())
            text = text or "\n".join(getattr(part, "text", "") for part in content)
            if text:
                lines.append(f"{message.role}{' ' + name if name else ''}: {text}")
    return "\n".join(lines)
