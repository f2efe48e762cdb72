"""An answer as it is kept, and whether an answer is one that may be kept at all."""

import msgspec
from msgspec import Struct

from airside.config.cache import CacheSettings
from airside.core.call import Call, CallState, Outcome, Usage
from airside.core.money import NanoUsd
from airside.gateways.models.formats.port import BrokenAnswer, ModelRequest
from airside.gateways.models.message import Answer, Text, Thinking, ToolCall
from airside.guards.placeholders.spelling import PUT_BACK


class Remembered(Struct, frozen=True, kw_only=True):
    """An answer in its client's format, and what it cost when it was made. `entry_key` binds it to its request."""

    entry_key: bytes
    body: bytes
    usage: Usage
    cost: NanoUsd
    upstream: str
    price: str
    created_us: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Remembered).decode


def packed(answer: Remembered) -> bytes:
    """Return an answer as bytes, to be sealed."""
    return _encode(answer)


def unpacked(data: bytes, entry_key: bytes) -> Remembered | None:
    """Return the answer, or None if these bytes are none, or belong to another request."""
    try:
        answer = _decode(data)
    except msgspec.MsgspecError:
        return None
    return answer if answer.entry_key == entry_key else None


def ready(answer: Remembered, call: Call) -> Outcome:
    """Return an answer as the outcome of another call: whole, free of cost, nothing consumed."""
    return Outcome(
        state=CallState.OK, body=answer.body, upstream=answer.upstream, call_id=call.call_id, price=answer.price
    )


def answer_of(request: ModelRequest, outcome: Outcome) -> Answer | None:
    """Return the answer of an outcome if it is whole and paid for, and may be another's too.

    None for errors, cut answers and unknown usage, and for those that hold the values of a run's placeholders: in
    another run, the same words are about somebody else.
    """
    if (
        outcome.state is not CallState.OK
        or not outcome.metered
        or outcome.usage.total == 0
        or PUT_BACK in outcome.notes
    ):
        return None
    try:
        answer = request.format.answer(outcome.body)
    except BrokenAnswer:
        return None
    return answer if answer.stop in {"end", "stop_sequence", "tool_calls"} else None


def keepable(answer: Answer, outcome: Outcome, settings: CacheSettings, *, by_meaning: bool) -> bool:
    """Whether an answer may be given again: not too large, and acting on nothing unless that is wanted."""
    acts = any(isinstance(block, ToolCall) for block in answer.blocks)
    if len(outcome.body) > settings.entry_bytes_max or (acts and (by_meaning or not settings.tool_calls)):
        return False
    return not by_meaning or all(isinstance(block, (Text, Thinking)) for block in answer.blocks)


def text_of(answer: Answer) -> str:
    """Return what an answer says."""
    return "\n".join(block.text for block in answer.blocks if isinstance(block, Text))
