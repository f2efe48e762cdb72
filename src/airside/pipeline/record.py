"""The journal around the call: reservation and intent before it leaves, settlement and outcome after, whatever happens.

Nothing here may be skipped by an exception or a cancellation: an intent always gets its outcome, and a side effect
that has begun is let finish, because its outcome must be known even if nobody waits for it any more.
"""

import asyncio
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from msgspec.structs import replace

from airside.core.budget import Blocked, Exhausted
from airside.core.call import Call, CallKind, CallState, Outcome
from airside.core.clock import Clock
from airside.core.errors import AirsideError, Code
from airside.core.ports import Admitted, Forward, Identities, Journal, Keyring, Opening, Refused, SubjectKey
from airside.journal import events
from airside.pipeline.afterwork import Afterwork
from airside.pipeline.budgets import held_by_others, used_up
from airside.pipeline.durable import DurableContents
from airside.pipeline.refusal import Refusal
from airside.pipeline.settle import Settle

T = TypeVar("T")

POLL_S = 0.05
"""How often a call that waits for other calls' reservations asks again; other processes may have given some back."""

_SWEEPS_S = (0.0, 0.05, 0.25, 1.0, 5.0)


class Record:
    """Opens a call in the journal, makes it, and closes it."""

    def __init__(
        self,
        journal: Journal,
        keyring: Keyring,
        identities: Identities,
        clock: Clock,
        afterwork: Afterwork,
        *,
        budget_wait_s: float,
    ) -> None:
        self._journal = journal
        self._keyring = keyring
        self._identities = identities
        self._clock = clock
        self._afterwork = afterwork
        self._budget_wait_s = budget_wait_s
        self._settle = Settle(journal, keyring, afterwork)
        self._durable = DurableContents()
        self._settlements = 0
        self._settled: asyncio.Event | None = None  # made by the first that waits for one

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Make the call once its intent is durable; return what came of it once that is durable too.

        Raises `budget_exhausted`, `killed`, `attempt_superseded`, `cancelled`, `approval_expired` for calls that did
        not leave, and what the call itself raises, with `recorded` set.
        """
        key = await self._keyring.subject(call.who.tenant_id, call.who.subject)
        admitted = await self._admitted(call, key)
        call = replace(call, occurrence=admitted.occurrence, output_tokens_granted=admitted.granted.output_tokens)
        if call.kind is CallKind.TOOL and call.side_effect:
            return await asyncio.shield(self._afterwork.start(self._made(call, forward, admitted)))
        return await self._made(call, forward, admitted)

    async def _made(self, call: Call, forward: Forward, admitted: Admitted) -> Outcome:
        try:
            outcome = await forward(call)
        except CancelledError:
            await self._ended(self._settle.vanished(call))
            raise
        except AirsideError as error:
            await self._ended(self._failed(call, error))
            raise
        if outcome.pending:
            return replace(outcome, call_id=call.call_id, at_us=admitted.at_us)
        at_us = await self._ended(self._settle.outcome(call, outcome))
        return replace(outcome, call_id=call.call_id, at_us=at_us)

    async def _ended(self, settlement: Coroutine[Any, Any, T]) -> T:
        """Record an end, and let the calls that wait for budget ask again."""
        try:
            return await settlement
        finally:
            self._settlements += 1
            if self._settled is not None:
                self._settled.set()
                self._settled = None

    async def _failed(self, call: Call, error: AirsideError) -> None:
        state = await self._settle.failure(call, error)
        if state is CallState.HELD and not call.idempotent:
            unknown = AirsideError(Code.OUTCOME_UNKNOWN, f"{call.name}: it is not known whether it happened")
            unknown.recorded, unknown.call_id, unknown.at_us = True, call.call_id, error.at_us
            raise unknown from error

    async def _admitted(self, call: Call, key: SubjectKey) -> Admitted:
        """Open the call, waiting for budget that other calls hold; the kill switch is looked at before every try."""
        opening = self._opening(call, key)
        give_up_s = self._clock.monotonic_s() + min(self._budget_wait_s, call.timeout_s)
        while True:
            self._identities.check(call.who, call.kind, call.name)
            settlements = self._settlements
            try:
                admission = await self._journal.open(opening)
            except CancelledError:
                self._afterwork.start(self._unopened(call))
                raise
            match admission:
                case Admitted():
                    self._durable.add(call.part_ids)
                    return admission
                case Exhausted():
                    raise used_up(call, admission)
                case Refused():
                    raise Refusal(call, admission.code, admission.message)
                case Blocked():
                    if self._clock.monotonic_s() >= give_up_s:
                        raise held_by_others(call, admission, min(self._budget_wait_s, call.timeout_s))
                    if settlements == self._settlements:
                        self._settled = self._settled or asyncio.Event()
                        await self._first_of(self._settled.wait, lambda: self._clock.sleep(POLL_S))

    def _opening(self, call: Call, key: SubjectKey) -> Opening:
        fresh = dict(zip(call.part_ids, call.parts, strict=True))
        executor = call.who.executor_of_attempt if call.local else self._journal.executor_id
        return Opening(
            call=call,
            executor_id=executor,
            intent=events.intent(call, executor, call.part_ids),
            contents=[key.seal(part, part_id) for part_id, part in fresh.items() if part_id not in self._durable],
        )

    async def _unopened(self, call: Call) -> None:
        """Undo an intent whose client vanished while it was being written: it may have become durable, or still may."""
        for pause_s in _SWEEPS_S:
            await self._clock.sleep(pause_s)
            await self._ended(self._settle.never_left(call))
            row = await self._afterwork.insist(lambda: self._journal.look(call.who, call.call_id))
            if row is not None and row.state is not CallState.OPEN:
                return

    async def _first_of(self, *waits: Callable[[], Awaitable[object]]) -> None:
        tasks = [asyncio.ensure_future(wait()) for wait in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
