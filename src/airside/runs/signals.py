"""News inside one process: who wants to know hears at once that a run has moved, instead of polling for it.

Other processes learn the same from the database. Nothing depends on a signal being heard: each listener also looks
at the database from time to time, so that a lost process loses no run.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable

from airside.runs.record import RunRecord

Listener = Callable[[RunRecord], None]


class Signals:
    """Tells listeners of each committed change of a run, and lets tasks wait for the next change of one run."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._waiting: defaultdict[tuple[str, str], set[asyncio.Event]] = defaultdict(set)
        self.closing = False  # set once this process is on its way out, so that nobody follows a run here any more

    def listen(self, listener: Listener) -> None:
        """Call `listener` (which must return at once) for every change from now on."""
        self._listeners.append(listener)

    def tell(self, run: RunRecord) -> None:
        """Announce that a run has changed; called after the commit."""
        for listener in self._listeners:
            listener(run)
        for event in self._waiting.get(run.key, ()):
            event.set()

    async def wait(self, tenant_id: str, run_id: str, timeout_s: float) -> None:
        """Return at the next change of a run in this process, or after `timeout_s`."""
        event, key = asyncio.Event(), (tenant_id, run_id)
        self._waiting[key].add(event)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await event.wait()
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]
