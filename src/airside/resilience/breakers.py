"""Breakers: the view that one process has of them, kept so that a call past closed ones costs a microsecond.

A process counts what it sees itself and switches off in its own view at once; the row, by which all others learn of it
within 250 ms, is written behind that. A probe is claimed in the row first. If the database is away, each process goes
on with what it knows.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from msgspec import Struct

from airside.config.resilience import BreakerSettings
from airside.core.clock import SECOND_US, Clock
from airside.core.dependencies import SHARED, Dependency, Sign
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.ports import Database, Notices
from airside.resilience import switch as steps
from airside.resilience.switches import Moved, NotNow, Standing, Switches
from airside.resilience.window import Window

POLL_S = 0.2
RETRY_S = 0.5
WINDOWS_MAX = 10_000
PROBED_BY_ANOTHER_S = 1.0  # when to ask again while a probe is under way
HELD_OPEN_S = 30.0  # and while an operator holds it open
TENANTS = ("tool:", "capability:", "source:")
"""What belongs to a tenant; providers and models are shared by all."""

PREFIXES = ("provider:", "model:", *TENANTS)
NAME_CHARACTERS_MAX = 200

_log = structlog.get_logger(__name__)


class View(Struct):
    """A breaker that is not closed, as this process knows it. Instants are of the monotonic clock.

    `unwritten` is set between the trip and its row.
    """

    reason: str
    due_s: float
    forced: bool = False
    unwritten: bool = False


class SharedBreakers:
    """Implements `Breakers`. `start` and `close` belong to the process that serves calls."""

    def __init__(self, database: Database, clock: Clock, settings: BreakerSettings, notices: Notices) -> None:
        self._switches = Switches(database, settings)
        self._clock = clock
        self._settings = settings
        self._notices = notices
        self._views: dict[Dependency, View] = {}
        self._windows: dict[Dependency, Window] = {}
        self._work: set[asyncio.Task[Any]] = set()
        self._polling: asyncio.Task[None] | None = None
        self._changes = 0

    async def start(self) -> None:
        """Learn what is switched off, and go on learning it."""
        await self.refresh()
        self._polling = asyncio.create_task(self._poll())

    async def close(self) -> None:
        """Stop learning, and finish writing what this process has found out, for a second at most."""
        if self._polling is not None:
            self._polling.cancel()
            with suppress(asyncio.CancelledError):
                await self._polling
        if self._work:
            _, late = await asyncio.wait(set(self._work), timeout=1.0)
            for task in late:
                task.cancel()

    def closed(self, dependencies: Sequence[Dependency]) -> bool:
        """Whether none of them is switched off."""
        views = self._views
        return not views or not any(dependency in views for dependency in dependencies)

    def note(
        self, dependencies: Sequence[Dependency], sign: Sign, took_s: float, retry_after_s: float | None = None
    ) -> None:
        """Count the end of a call. What is switched off by now is not counted: only probes speak about it."""
        if sign is Sign.NONE or not self._settings.enabled:
            return
        now_s, views = self._clock.monotonic_s(), self._views
        for dependency, its in self._signs(dependencies, sign):
            if views and dependency in views:
                continue
            window = self._windows.get(dependency) or self._window(dependency)
            reason = window.note(now_s, its, took_s)
            if reason:
                self._trip(dependency, reason, retry_after_s if its is Sign.BUSY else None)

    async def probe(self, dependencies: Sequence[Dependency]) -> "ClaimedProbe | None":
        """Claim the trial of those that are switched off; see `Breakers.probe`."""
        off = [dependency for dependency in dependencies if dependency in self._views]
        for dependency in off:
            self._refuse_early(dependency, self._views[dependency])
        if not off:
            return None
        for dependency in off:
            self._views[dependency].due_s = self._clock.monotonic_s() + PROBED_BY_ANOTHER_S
        probe_id = new_id("prb")
        claim = self._start(self._switches.claim(off, probe_id))
        try:
            found = await asyncio.shield(claim)
        except asyncio.CancelledError:
            self._start(self._give_back(claim, probe_id))
            raise
        except NotNow as refused:
            self._learn(Moved(refused.dependency, refused.standing))
            raise self._refusal(refused.dependency, self._left_s(refused.standing)) from None
        for moved in found:
            self._learn(moved)
        closed = {moved.dependency for moved in found if moved.closed}
        claimed = [dependency for dependency in off if dependency not in closed]
        return ClaimedProbe(self, claimed, probe_id) if claimed else None

    def end_probe(
        self, dependencies: Sequence[Dependency], probe_id: str, sign: Sign, retry_after_s: float | None
    ) -> None:
        """Write what a probe has shown; for `ClaimedProbe`."""
        signs = dict(self._signs(dependencies, sign))
        self._start(self._ended(signs, probe_id, retry_after_s))

    async def force(self, tenant_id: str, name: str, *, off: bool, by: str) -> None:
        """Switch something off until an operator switches it on again, or on. Raises `invalid_request`."""
        if not name.startswith(PREFIXES) or len(name) > NAME_CHARACTERS_MAX:
            raise AirsideError(
                Code.INVALID_REQUEST,
                "a breaker is named provider:NAME, model:PROVIDER/NAME, tool:NAME, capability:NAME or source:KIND:NAME",
            )
        owner = tenant_id if name.startswith(TENANTS) else SHARED
        self._learn(await self._switches.force(Dependency(owner, name), off=off, by=by))

    async def known(self, tenant_id: str) -> list[dict[str, Any]]:
        """Return the breakers that have ever opened and concern a tenant."""
        return await self._switches.known(tenant_id)

    async def refresh(self) -> None:
        """Take over what the database says."""
        changes, now_s = self._changes, self._clock.monotonic_s()
        off, now_us = await self._switches.off()
        if changes != self._changes:
            return  # this process has moved something meanwhile and knows better
        for dependency in self._views.keys() - off.keys():
            if not self._views[dependency].unwritten:
                self._forget(dependency)
        for dependency, switch in off.items():
            self._views[dependency] = self._view(Standing(switch, now_us), now_s)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self.refresh()
            except AirsideError as error:
                _log.warning("breakers cannot be read; going on with what is known", code=error.code.value)

    def _signs(self, dependencies: Sequence[Dependency], sign: Sign) -> list[tuple[Dependency, Sign]]:
        """Return what the end of a call says of each dependency; asked too often is the narrowest only."""
        if sign is Sign.ERROR and not self._settings.tool_errors_count:
            sign = Sign.GOOD
        if sign is Sign.BUSY:
            return [*((wider, Sign.GOOD) for wider in dependencies[:-1]), (dependencies[-1], sign)]
        return [(dependency, sign) for dependency in dependencies]

    def _window(self, dependency: Dependency) -> Window:
        if len(self._windows) >= WINDOWS_MAX:
            self._windows.clear()
        window = self._windows[dependency] = Window(self._settings)
        return window

    def _trip(self, dependency: Dependency, reason: str, retry_after_s: float | None) -> None:
        cool_down_s = steps.cool_down_us(1, self._settings, retry_after_s) / SECOND_US
        due_s = self._clock.monotonic_s() + cool_down_s
        self._views[dependency] = View(reason, due_s, unwritten=True)
        self._changes += 1
        self._start(self._insist(lambda: self._switches.trip(dependency, reason, retry_after_s)))

    async def _insist(self, write: Callable[[], Awaitable[Moved | Sequence[Moved]]]) -> None:
        """Write until it succeeds: the switch in this process stands either way."""
        while True:
            try:
                found = await write()
            except AirsideError as error:
                _log.warning("a breaker cannot be written yet", code=error.code.value)
                await asyncio.sleep(RETRY_S)
                continue
            for moved in [found] if isinstance(found, Moved) else found:
                self._learn(moved)
            return

    async def _ended(self, signs: Mapping[Dependency, Sign], probe_id: str, retry_after_s: float | None) -> None:
        await self._insist(lambda: self._switches.end(signs, probe_id, retry_after_s))

    async def _give_back(self, claim: "asyncio.Task[list[Moved]]", probe_id: str) -> None:
        """Undo a claim whose caller has gone while it was made."""
        with suppress(AirsideError, NotNow):
            claimed = [moved.dependency for moved in await claim if not moved.closed]
            await self._ended(dict.fromkeys(claimed, Sign.NONE), probe_id, None)

    def _learn(self, moved: Moved) -> None:
        self._changes += 1
        dependency, switch = moved.dependency, moved.standing.switch
        if switch.state == steps.CLOSED:
            self._forget(dependency)
        else:
            self._views[dependency] = self._view(moved.standing, self._clock.monotonic_s())
        if moved.opened or (moved.closed and switch.closed_us == moved.standing.now_us):
            kind = "breaker.opened" if moved.opened else "breaker.closed"
            self._notices.tell(dependency.tenant_id, kind, {"key": dependency.name, "reason": switch.reason})

    def _forget(self, dependency: Dependency) -> None:
        """It is closed: what failed before says nothing any more."""
        self._views.pop(dependency, None)
        self._windows.pop(dependency, None)

    def _view(self, standing: Standing, now_s: float) -> View:
        switch = standing.switch
        wait_s = steps.wait_us(switch, standing.now_us, self._settings) / SECOND_US
        return View(switch.reason, now_s + wait_s, forced=bool(switch.forced))

    def _refuse_early(self, dependency: Dependency, view: View) -> None:
        if view.forced:
            raise self._refusal(dependency, HELD_OPEN_S)
        left_s = view.due_s - self._clock.monotonic_s()
        if left_s > 0 or view.unwritten:
            raise self._refusal(dependency, max(left_s, RETRY_S))

    def _left_s(self, standing: Standing) -> float:
        return max(steps.wait_us(standing.switch, standing.now_us, self._settings) / SECOND_US, RETRY_S)

    def _refusal(self, dependency: Dependency, wait_s: float) -> AirsideError:
        view = self._views.get(dependency)
        because = f": {view.reason}" if view and view.reason else ""
        return AirsideError(
            Code.BREAKER_OPEN,
            f"{dependency.name} is switched off for a while{because}",
            details={"breaker": dependency.name, "shared": dependency.tenant_id == SHARED},
            retry_after_s=min(wait_s, HELD_OPEN_S),
        )

    def _start(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._work.discard(task)
        if not task.cancelled():
            task.exception()  # its awaiter has it too


class ClaimedProbe:
    """Implements `Probe`."""

    def __init__(self, breakers: SharedBreakers, dependencies: Sequence[Dependency], probe_id: str) -> None:
        self._breakers = breakers
        self._dependencies = dependencies
        self._probe_id = probe_id

    def end(self, sign: Sign, retry_after_s: float | None = None) -> None:
        """Say how the trial ended."""
        self._breakers.end_probe(self._dependencies, self._probe_id, sign, retry_after_s)
