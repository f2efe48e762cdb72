"""A journal whose admissions and settlements are watched: how full budgets are is known without asking anything."""

from collections.abc import Sequence
from typing import Protocol

from airside.core.budget import Exhausted, Fill
from airside.core.ports import Admission, Admitted, Closed, Closing, Journal, Opening
from airside.core.run import Identity


class Watch(Protocol):
    """Who is told how full budgets are; returns at once and never fails."""

    def seen(self, who: Identity, fills: Sequence[Fill]) -> None:
        """Take note of the limits on a call's path of which half or more is spent; the others on it are less full."""
        ...

    def stopped(self, who: Identity, exhausted: Exhausted) -> None:
        """Take note of a budget that let a call not pass."""
        ...


class ObservedJournal:
    """Implements core.ports.Journal around another one."""

    def __init__(self, journal: Journal, watch: Watch) -> None:
        self._journal = journal
        self._watch = watch
        self.executor_id = journal.executor_id
        self.claimable = journal.claimable
        self.claim = journal.claim
        self.refuse = journal.refuse
        self.abandon = journal.abandon
        self.look = journal.look
        self.unconsumed_effects = journal.unconsumed_effects
        self.in_flight = journal.in_flight

    async def open(self, opening: Opening) -> Admission:
        """See core.ports.Journal.open."""
        admission = await self._journal.open(opening)
        if isinstance(admission, Admitted):
            self._watch.seen(opening.call.who, admission.granted.fills)
        elif isinstance(admission, Exhausted):
            self._watch.stopped(opening.call.who, admission)
        return admission

    async def close(self, closing: Closing) -> Closed:
        """See core.ports.Journal.close."""
        closed = await self._journal.close(closing)
        if closed.fills:
            self._watch.seen(closing.call.who, closed.fills)
        return closed
