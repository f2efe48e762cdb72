"""Closes calls: what was consumed, what came of it, and the sealed answer, in one transaction of the journal."""

from asyncio import CancelledError

import structlog
from msgspec.structs import replace

from airside.core.call import Call, CallKind, CallState, Outcome
from airside.core.errors import MEANINGS, AirsideError, Code
from airside.core.ports import Closing, Journal, Keyring, Sealed
from airside.journal import events
from airside.pipeline.afterwork import Afterwork
from airside.pipeline.answers import packed
from airside.pipeline.refusal import body_of, charged_nothing, notes_of, plain_message, state_of_failure

_CODES = frozenset(Code)
_log = structlog.get_logger(__name__)

SETTLE_WAIT_S = 10.0
"""How long a client waits for a journal that cannot take its outcome, before it is told so."""


class Settle:
    """Writes outcomes. Used by `record`, and by the tool gateway for tools that report later."""

    def __init__(self, journal: Journal, keyring: Keyring, afterwork: Afterwork) -> None:
        self._journal = journal
        self._keyring = keyring
        self._afterwork = afterwork

    async def outcome(self, call: Call, result: Outcome) -> int:
        """Record what a call came to; return the instant of the record (µs).

        An answer of a model without usage is charged its full reservation. The record is insisted on if the
        caller is cancelled or the journal fails; after a while `journal_unavailable` is raised and the answer must not
        leave.
        """
        said = call.ready is not None or result.state is CallState.ERROR or result.usage.total > 0
        unsaid = call.kind is CallKind.MODEL and not said
        message = MEANINGS[Code(result.code)].title if result.code in _CODES else ""
        return await self._settled(call, result, known=result.metered and not unsaid, message=message)

    async def failure(self, call: Call, error: AirsideError) -> CallState:
        """Record that a call left and failed; return the state it got and mark the error as recorded."""
        state = state_of_failure(call, error)
        result = Outcome(state=state, body=body_of(error), code=error.code, notes=notes_of(error))
        error.at_us = await self._settled(call, result, known=charged_nothing(error), message=plain_message(error))
        error.recorded, error.call_id = True, call.call_id
        return state

    async def vanished(self, call: Call) -> None:
        """Record a call that was cancelled on its way: a side effect is in doubt, anything else just ended."""
        state = CallState.HELD if call.side_effect else CallState.CANCELLED
        code = Code.OUTCOME_UNKNOWN if call.side_effect else Code.CANCELLED
        result = Outcome(state=state, body=b"", code=code)
        await self._settled(call, result, known=False, message="the caller has gone")

    async def never_left(self, call: Call) -> None:
        """Give back the reservation of an intent whose call was not made: its client vanished in between.

        What an earlier try may have done stays in doubt.
        """
        state = CallState.HELD if call.in_doubt else CallState.CANCELLED
        code = Code.OUTCOME_UNKNOWN if call.in_doubt else Code.CANCELLED
        result = Outcome(state=state, body=b"", code=code)
        await self._settled(call, result, known=True, message="the client vanished before the call was made")

    async def lost(self, call: Call) -> None:
        """Record a call whose executor died: a side effect is held for a person, anything else is lost and paid."""
        state = CallState.HELD if call.side_effect else CallState.LOST
        result = Outcome(state=state, body=b"", code=Code.OUTCOME_UNKNOWN)
        await self._settled(call, result, known=False, message="the process that executed it died")

    async def _settled(self, call: Call, result: Outcome, *, known: bool, message: str) -> int:
        closing = await self._closing(call, replace(result, metered=known), known=known, message=message)
        try:
            return (await self._journal.close(closing)).at_us
        except CancelledError:
            self._afterwork.start(self._afterwork.insist(lambda: self._journal.close(closing)))
            raise
        except AirsideError:
            return await self._belated(call, closing)

    async def _belated(self, call: Call, closing: Closing) -> int:
        """Wait a while for a failing journal; the record is made whether or not anyone still waits for it."""
        task = self._afterwork.start(self._afterwork.insist(lambda: self._journal.close(closing)))
        try:
            return (await self._afterwork.within(task, SETTLE_WAIT_S)).at_us
        except TimeoutError:
            error = AirsideError(
                Code.JOURNAL_UNAVAILABLE, f"call {call.call_id} was made, but its outcome cannot be recorded now"
            )
            error.recorded, error.call_id = True, call.call_id
            raise error from None

    async def _sealed(self, call: Call, answer: bytes) -> Sealed | None:
        """Seal the answer; what was consumed is recorded even if that fails, e.g. because its subject was erased."""
        if not answer:
            return None
        try:
            key = await self._keyring.subject(call.who.tenant_id, call.who.subject)
        except AirsideError as error:
            _log.error("answer_not_sealed", call_id=call.call_id, code=error.code.value)
            return None
        return key.seal(answer)

    async def _closing(self, call: Call, result: Outcome, *, known: bool, message: str) -> Closing:
        sealed = await self._sealed(call, packed(result))
        return Closing(
            call=call,
            state=result.state,
            event=events.outcome(call, result, sealed.content_id if sealed else b""),
            outcome=sealed,
            cost=result.cost if known else None,
            tokens=result.usage.total if known else None,
            code=result.code,
            message=message,
            upstream=result.upstream,
        )
