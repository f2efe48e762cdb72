"""What tools bring is checked before it is journaled or delivered, so that both see the same: the guarded form.

The step between `record` and the call. The raw result is kept nowhere: what was redacted must not survive, and what
placeholders stand for is in the run's vault.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from msgspec import UNSET
from msgspec.structs import replace

from airside.core import canonical
from airside.core.call import Call, CallKind, Outcome
from airside.core.errors import MEANINGS, AirsideError, Code
from airside.core.ports import Forward
from airside.core.run import Identity
from airside.gateways.tools.answer import pack, unpack
from airside.gateways.tools.catalogue import Listed
from airside.gateways.tools.guarding.values import NOTES, Guarded, guarded
from airside.guards.finding import Place
from airside.guards.scanner import OFF_LOOP_BYTES
from airside.guards.service import Guards, refusal

PLACE: Final = Place.RESULT
_UNREACHED: Final = ("not_sent", "unbilled")


class Results:
    """Guards what comes back; used by the face of local tools as well, whose results are reported."""

    def __init__(self, guards: Guards) -> None:
        self._guards = guards

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Return the outcome as it may be delivered; raises `guard_blocked` for one that may not.

        A remembered result was checked when it came; one that runs share is checked as this run's settings say.
        """
        if call.kind is not CallKind.TOOL or (call.ready is not None and not _is_shared(call)):
            return await forward(call)
        try:
            outcome = await forward(call)
        except AirsideError as error:
            await self.clean_error(call.who, error)
            raise
        if outcome.pending or not outcome.body:
            return outcome
        body, notes = await self.body(call, outcome.body)
        if not notes:
            return outcome
        return replace(outcome, body=body, notes={**outcome.notes, NOTES: notes})

    async def body(self, call: Call, body: bytes) -> tuple[bytes, Sequence[Any]]:
        """Return a tool's answer as it may be delivered, and what was found in it; raises `guard_blocked`.

        What is told of a reviewer's edit is guarded with it: the agent has not seen the values in it.
        """
        answer = unpack(body)
        raw = bytes(answer.result)
        edited = None if answer.edited_arguments is UNSET else bytes(answer.edited_arguments)
        found = await self._checked(call, raw)
        if edited is None:
            return (pack(canonical.encode(found.value), None) if found.changed else body), found.notes
        told = await self._checked(call, edited)
        if not found.changed and not told.changed:
            return body, [*found.notes, *told.notes]
        return pack(canonical.encode(found.value), canonical.encode(told.value)), [*found.notes, *told.notes]

    async def _checked(self, call: Call, raw: bytes) -> Guarded:
        try:
            parsed = partial(canonical.parse, raw, bytes_max=max(len(raw), 1))
            value = await asyncio.to_thread(parsed) if len(raw) > OFF_LOOP_BYTES else parsed()
            found = await guarded(self._guards, call.who, value, PLACE, size=len(raw))
        except AirsideError as error:
            raise _unchecked(call, error) from None
        if found.blocked is not None:
            blocked = refusal(found.blocked, PLACE, sent=True)
            blocked.details = {**blocked.details, NOTES: found.notes}
            raise blocked
        return found

    async def clean_error(self, who: Identity, error: AirsideError) -> None:
        """Guard the words of a failure in place: its class, its code and what it says of the effect stay."""
        said = {"message": error.message, "advice": error.advice, "details": dict(error.details)}
        try:
            found = await guarded(self._guards, who, said, PLACE)
        except AirsideError:
            _withhold(error, "a guard failed on what the tool said")
            return
        if found.blocked is not None:
            one = found.blocked.finding
            _withhold(error, f"what the tool said was blocked by the {one.guard.value} guard (rule {one.rule})")
        elif found.changed:
            error.message, error.advice = found.value["message"], found.value["advice"]
            error.details = found.value["details"]
            error.args = (f"{error.code}: {error.message}",)
        if found.notes:
            error.details = {**error.details, NOTES: found.notes}


def _withhold(error: AirsideError, why: str) -> None:
    error.message, error.advice = why, MEANINGS[error.code].advice
    error.details = {name: said for name, said in error.details.items() if isinstance(said, bool)}
    error.args = (f"{error.code}: {error.message}",)


def _unchecked(call: Call, error: AirsideError) -> AirsideError:
    """Return what a result that cannot be checked comes to: the call was made, so it is not said that it was not."""
    details = {name: said for name, said in error.details.items() if name not in _UNREACHED}
    if not call.side_effect and error.code is not Code.GUARD_BLOCKED:
        return AirsideError(error.code, error.message, details=details)
    message = f"{call.name} was executed, but what it brought is withheld: {error.message}"
    return AirsideError(Code.GUARD_BLOCKED, message, details=details)


def _is_shared(call: Call) -> bool:
    return isinstance(call.payload, Listed) and call.payload.tool.cache_shared
