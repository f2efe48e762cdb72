"""The step `answers` of model calls, between the record and the call: what a model said is checked before it leaves.

The outcome that is journaled holds what was delivered, so that a replay gives the same bytes whatever guards have
become. A call that is blocked here has been made: it ends in an error, at its real cost.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from airside.core.call import Call, CallKind, CallState, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.ports import Forward
from airside.gateways.models.formats.openai_chat.format import CHAT
from airside.gateways.models.formats.openai_embeddings.format import EMBEDDINGS
from airside.gateways.models.formats.port import Addressed
from airside.gateways.models.guarding.answers.asked import Asked, Unknown
from airside.gateways.models.guarding.answers.checks import Checks, Said
from airside.gateways.models.guarding.answers.gate import Gate
from airside.gateways.models.guarding.answers.live import opened
from airside.gateways.models.guarding.answers.repair import Repair
from airside.gateways.models.guarding.answers.structured import Structured
from airside.gateways.models.guarding.answers.texts import Path, decoded, parsed, pieces, with_texts
from airside.gateways.models.provider import Ask
from airside.guards.finding import Place
from airside.guards.placeholders.spelling import PUT_BACK
from airside.guards.service import blocking, note, refusal
from airside.guards.verdict import Judged

NOTE: Final = "guards"
NOTED_MAX: Final = 50
_LONG_AGO: Final = CHAT.parse(
    b'{"model": "-", "messages": [{"role": "user", "content": "-"}]}', Addressed(), bytes_max=1_024
)


class GuardOut:
    """Guards what comes from models. `repair` is None where calls are asides: those are never asked again."""

    def __init__(self, checks: Checks, repair: Repair | None) -> None:
        self._checks = checks
        self._structured = Structured(checks, repair) if repair is not None else None

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Make the call and return what guards let out of its answer."""
        ask = call.payload
        if call.kind is not CallKind.MODEL or not isinstance(ask, Ask):
            return await forward(call)
        asked, gate = Asked(ask.request), None
        if call.sink is not None and call.ready is None and self._structured is not None:
            hold = self._structured.holds(call, asked)
            gate = Gate(*opened(self._checks, call, asked), hold=hold)
            call = replace(call, payload=replace(ask, gate=gate))
        try:
            outcome = await forward(call)
        except AirsideError as error:
            await self._checks.retell(call.who, error)
            raise
        if outcome.state is not CallState.OK:
            return outcome if call.ready is not None else await self._failed(call, outcome)
        if ask.request.format is EMBEDDINGS:
            return outcome  # numbers
        try:
            return await self._guarded(call, asked, gate, outcome)
        except AirsideError as error:
            return _paid(outcome, error)

    async def _failed(self, call: Call, outcome: Outcome) -> Outcome:
        """Return a failure whose words, which are the provider's, may leave."""
        message, body = await self._checks.told(call.who, outcome.message, outcome.body)
        if message == outcome.message and body == outcome.body:
            return outcome
        return replace(outcome, message=message, body=body)

    async def batched(self, call: Call, outcome: Outcome) -> Outcome:
        """Return the outcome of a question that was asked in a batch, long ago."""
        if outcome.state is not CallState.OK:
            return outcome
        try:
            return await self._guarded(call, Unknown(_LONG_AGO), None, outcome)
        except AirsideError as error:
            return _paid(outcome, error)

    async def _guarded(self, call: Call, asked: Asked, gate: Gate | None, outcome: Outcome) -> Outcome:
        if gate is not None and gate.error is not None:
            raise gate.error
        value = decoded(outcome.body)
        if value is None:
            raise AirsideError(Code.GUARD_BLOCKED, "the answer cannot be read, so that nothing of it is let through")
        found = pieces(value)
        left = gate.texts(found) if gate is not None else {}
        said = [await self._checks.said(call.who, asked, piece) for piece in found]
        said += await self._checks.whole(call, asked, outcome.body, value)
        texts = [left[at] if left and at in left else one.text for at, one in enumerate(said[: len(found)])]
        _refuse_blocked(said)
        if gate is not None and (gate.blocked or left is None):
            raise AirsideError(Code.GUARD_BLOCKED, "a guard blocked the answer while it arrived")
        if self._structured is not None:
            held = gate is None or not gate.streamed
            fixed = await self._structured.checked(call, asked, outcome.body, found, texts, repairable=held)
            said, texts = [*said, *fixed.said], fixed.texts
            _refuse_blocked(said)
        changed = [
            (piece.path, parsed(text) if piece.kind == "object" else text)
            for piece, text in zip(found, texts, strict=True)
            if text != piece.text
        ]
        return await self._delivered(call, gate, outcome, value, changed, said)

    async def _delivered(
        self,
        call: Call,
        gate: Gate | None,
        outcome: Outcome,
        value: Mapping[str, Any],
        changed: Sequence[tuple[Path, Any]],
        said: Sequence[Said],
    ) -> Outcome:
        if gate is not None:
            frames = gate.ended(clean=not changed)
            if frames and call.sink is not None:
                await call.sink.write(frames)
        body = with_texts(value, changed) if changed else outcome.body
        told = [one for part, text in enumerate(said) for one in note(text.judged, Place.ANSWER, part)]
        if any(one.put_back for one in said):
            outcome = replace(outcome, notes={**outcome.notes, PUT_BACK: True})
        if not told and body is outcome.body:
            return outcome
        more = [{"more": len(told) - NOTED_MAX}] if len(told) > NOTED_MAX else []
        return replace(outcome, body=body, notes={**outcome.notes, NOTE: [*told[:NOTED_MAX], *more]})


def _refuse_blocked(said: Sequence[Said]) -> None:
    judged: list[Judged] = [one for text in said for one in text.judged]
    blocked = blocking(judged)
    if blocked is not None:
        error = refusal(blocked, Place.ANSWER, sent=True)
        told = [one for part, text in enumerate(said) for one in note(text.judged, Place.ANSWER, part)]
        error.details = {**error.details, NOTE: told[:NOTED_MAX]}
        raise error


def _paid(outcome: Outcome, error: AirsideError) -> Outcome:
    """Return the outcome of an answer that may not leave: an error at the answer's cost."""
    notes = {**outcome.notes, NOTE: error.details[NOTE]} if NOTE in error.details else outcome.notes
    return replace(outcome, state=CallState.ERROR, body=b"{}", code=error.code, message=error.message, notes=notes)
