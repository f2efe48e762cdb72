"""Seen before: a call that an earlier attempt made is answered from the journal, byte for byte.

Also the keeper of refusals: what an inner step refuses is journaled here, and denials are given to later attempts too.
"""

import asyncio
from asyncio import CancelledError

import structlog
from msgspec.structs import replace

from airside.core.call import REPLAYABLE, Call, CallState, Outcome
from airside.core.clock import Clock
from airside.core.errors import AirsideError, Code
from airside.core.ports import Forward, Identities, Journal, Keyring, Recorded, Refused, SubjectKey, Suspensions
from airside.journal import events
from airside.pipeline.afterwork import Afterwork
from airside.pipeline.answers import unpacked
from airside.pipeline.divergence import Divergence
from airside.pipeline.refusal import Refusal, body_of, error_of, notes_of, plain_message, state_of_refusal
from airside.pipeline.request import named
from airside.pipeline.settle import Settle
from airside.pipeline.waiting import pauses, stop_run

_log = structlog.get_logger(__name__)

_SETTLED_OR_IN_DOUBT = REPLAYABLE | {CallState.OPEN, CallState.HELD}
"""States in which a record says something about the call; in the others it is simply made anew."""

_PASSING = frozenset({Code.KILLED, Code.ATTEMPT_SUPERSEDED, Code.CANCELLED, Code.JOURNAL_UNAVAILABLE})
"""Refusals of a re-send after which a later attempt may try it again."""


class Replay:
    """Answers recorded calls, joins calls under way, and journals refusals."""

    def __init__(
        self,
        journal: Journal,
        keyring: Keyring,
        identities: Identities,
        suspensions: Suspensions,
        clock: Clock,
        afterwork: Afterwork,
        *,
        divergence_wait_s: float,
    ) -> None:
        self._journal = journal
        self._keyring = keyring
        self._identities = identities
        self._suspensions = suspensions
        self._clock = clock
        self._afterwork = afterwork
        self._settle = Settle(journal, keyring, afterwork)
        self.divergence = Divergence(journal, identities, suspensions, clock, wait_s=divergence_wait_s)

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Return the recorded outcome of this call, or let it pass if there is none.

        Raises the recorded refusal again, `upstream_timeout` if a call under way elsewhere does not end in time,
        `outcome_unknown` if nobody can say whether a side effect happened (supervised runs are held instead).
        """
        key = await self._keyring.subject(call.who.tenant_id, call.who.subject)
        call = named(call, key)
        recorded = await self._claimed(call)
        try:
            return await self._answered(call, recorded, key, forward)
        except CancelledError:
            self._abandon(call, call.call_id if recorded is None else recorded.call_id)
            raise
        except AirsideError as error:
            if error.recorded and error.code is Code.JOURNAL_UNAVAILABLE:
                self._abandon(call, error.call_id)  # it was made: whoever asks again must be given this one's answer
            elif recorded is not None and not error.recorded:
                self._abandon(call, recorded.call_id)  # its answer was not given: whoever asks again must find it
            raise

    async def _claimed(self, call: Call) -> Recorded | None:
        """Claim a record if there is one; if the client vanishes meanwhile, the claim is given back."""
        if not await self._journal.claimable(call.who, call.request_hash, call.request_key):
            return None
        claim = self._afterwork.start(self._journal.claim(call.who, call.request_hash, call.request_key))
        try:
            return await asyncio.shield(claim)
        except CancelledError:
            self._afterwork.start(self._give_back(call, claim))
            raise

    async def _give_back(self, call: Call, claim: "asyncio.Task[Recorded | None]") -> None:
        recorded = await claim
        if recorded is not None:
            self._abandon(call, recorded.call_id)

    def _abandon(self, call: Call, call_id: str) -> None:
        """Note that nobody was given this call's answer, so that the same request joins it."""
        self._afterwork.start(self._afterwork.insist(lambda: self._journal.abandon(call.who, call_id)))

    async def _answered(self, call: Call, recorded: Recorded | None, key: SubjectKey, forward: Forward) -> Outcome:
        if recorded is not None and recorded.state is CallState.OPEN and recorded.executor_alive:
            if call.local and recorded.executor_id == call.who.executor_of_attempt and not recorded.edited:
                return Outcome(
                    state=CallState.OPEN, body=b"", call_id=recorded.call_id, pending=True, arguments=call.parts[0]
                )
            recorded = await self._ended(call, recorded)
        if recorded is None or recorded.state not in _SETTLED_OR_IN_DOUBT:
            return await self._first_time(call, forward)
        if recorded.state in REPLAYABLE:
            return _recorded_answer(recorded, key)
        if not call.side_effect:
            await self._settle.lost(replace(call, call_id=recorded.call_id, occurrence=recorded.occurrence))
            return await self._first_time(call, forward)
        if call.idempotent and recorded.idempotent and not recorded.edited:
            return await self._sent_again(call, recorded, forward)
        return await self._held(call, recorded)

    async def _ended(self, call: Call, recorded: Recorded) -> Recorded | None:
        """Wait for the outcome of a call that another request is making."""
        give_up_s = self._clock.monotonic_s() + call.timeout_s
        row: Recorded | None = recorded
        for pause in pauses():
            await self._clock.sleep(pause)
            self._identities.check(call.who, call.kind, call.name)
            row = await self._journal.look(call.who, recorded.call_id)
            if row is None or row.state is not CallState.OPEN or not row.executor_alive:
                break
            if self._clock.monotonic_s() >= give_up_s:
                self._abandon(call, recorded.call_id)
                raise _reported(
                    AirsideError(Code.UPSTREAM_TIMEOUT, f"{call.name} is still under way as {recorded.call_id}"),
                    recorded,
                )
        return row

    async def _first_time(self, call: Call, forward: Forward) -> Outcome:
        await self.divergence.hold(call)
        try:
            return await forward(call)
        except AirsideError as error:
            if not error.recorded:
                await self._refuse(error.call if isinstance(error, Refusal) else call, error)
            elif error.code is Code.OUTCOME_UNKNOWN and call.side_effect:
                await stop_run(self._suspensions, call, "held", error.code, error.message)
            raise

    async def _sent_again(self, call: Call, recorded: Recorded, forward: Forward) -> Outcome:
        """Re-send a side effect whose outcome is unknown under the same id, which the tool honours as its key."""
        again = replace(
            call,
            call_id=recorded.call_id,
            occurrence=recorded.occurrence,
            try_number=recorded.try_number + 1,
            approval_id=recorded.approval_id,
            maybe_sent=True,
        )
        try:
            return await forward(again)
        except AirsideError as error:
            if error.recorded and error.code is not Code.OUTCOME_UNKNOWN:
                raise
            _log.warning("resend_failed", call_id=recorded.call_id, code=error.code.value)
            if error.code in _PASSING:
                raise
        return await self._held(again, recorded)

    async def _held(self, call: Call, recorded: Recorded) -> Outcome:
        """Leave a side effect whose outcome nobody knows to a person."""
        call = replace(call, call_id=recorded.call_id, occurrence=recorded.occurrence)
        await self._settle.lost(call)
        message = f"outcome unknown: {call.name} was begun in attempt {recorded.attempt} and never reported back"
        await stop_run(self._suspensions, call, "held", Code.OUTCOME_UNKNOWN, message)

    async def _refuse(self, call: Call, error: AirsideError) -> None:
        """Journal a call that did not leave; a refusal that cannot be journaled is not given to the agent."""
        key = await self._keyring.subject(call.who.tenant_id, call.who.subject)
        state, message = state_of_refusal(error.code), plain_message(error)
        sealed = key.seal(body_of(error)) if state in REPLAYABLE else None
        event = events.refused(call, state, error.code, message, notes_of(error))
        error.recorded, error.call_id = True, call.call_id
        try:
            await self._journal.refuse(call, state, event, sealed, Refused(error.code, message))
        except AirsideError:
            if error.code is not Code.JOURNAL_UNAVAILABLE:
                raise


def _recorded_answer(recorded: Recorded, key: SubjectKey) -> Outcome:
    body, words = unpacked(key.open(recorded.outcome, recorded.sealed) if recorded.outcome else b"")
    error = error_of(body, recorded.code)
    if error is None and recorded.state is CallState.DENIED:
        error = AirsideError(Code(recorded.code), recorded.message)
    if error is not None:
        raise _reported(error, recorded)
    return Outcome(
        state=recorded.state,
        body=body,
        upstream=recorded.upstream,
        code=recorded.code,
        message=words or recorded.message,
        call_id=recorded.call_id,
        at_us=recorded.closed_us,
        replayed=True,
        edited=recorded.edited,
    )


def _reported(error: AirsideError, recorded: Recorded) -> AirsideError:
    error.recorded = error.replayed = True
    error.call_id, error.at_us = recorded.call_id, recorded.closed_us
    return error
