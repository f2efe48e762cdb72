"""The sessions with one MCP server: one for each run, or for each tenant if the server is declared stateless.

Sessions are bounded in number, opened when they are first needed, and closed when their run has ended, when nobody has
used them for a while, or when they broke. No tenant ever meets another's session.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from airside.core.clock import Clock
from airside.gateways.tools.mcp_servers.session import Session
from airside.gateways.tools.surroundings import Ended, Holder

LOOK_S: Final = 1.0


class Sessions:
    """Gives sessions to calls. `start` and `close` belong to the process."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Session]],
        ended: Ended,
        clock: Clock,
        *,
        sessions_max: int,
        idle_s: float,
    ) -> None:
        self._connect = connect
        self._ended = ended
        self._clock = clock
        self._room = asyncio.Semaphore(sessions_max)
        self._idle_s = idle_s
        self._held: dict[Holder, Session] = {}
        self._opening: dict[Holder, asyncio.Lock] = {}
        self._retired: set[Session] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._keeper: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._held)

    def start(self) -> None:
        """Begin to look after the sessions."""
        self._keeper = asyncio.create_task(self._keep(), name="mcp sessions of tools")

    async def close(self) -> None:
        """Close every session."""
        if self._keeper:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        for session in [*self._held.values(), *self._retired]:
            self._end(session)
        self._held.clear()
        self._retired.clear()
        while self._closing:
            await asyncio.wait(self._closing)

    @asynccontextmanager
    async def borrowed(self, holder: Holder, timeout_s: float) -> AsyncIterator[Session]:
        """Yield the holder's session, opened if need be.

        Raises TimeoutError if none can be had in time, and what `connect` raises; inside, nothing is changed.
        """
        session = await self._session(holder, timeout_s)
        session.in_flight += 1
        try:
            yield session
        finally:
            session.in_flight -= 1
            session.used_s = self._clock.monotonic_s()
            if not session.usable:
                self.drop(holder, session)
            elif session in self._retired and not session.in_flight:
                self._retired.discard(session)
                self._end(session)

    def drop(self, holder: Holder, session: Session) -> None:
        """Give a session to no call any more, and close it: at once if it is broken, else when nothing is in flight."""
        if self._held.get(holder) is session:
            del self._held[holder]
            if session.usable and session.in_flight:
                self._retired.add(session)
            else:
                self._end(session)
        elif session in self._retired and not session.usable:
            self._retired.discard(session)
            self._end(session)

    def _end(self, session: Session) -> None:
        task = asyncio.create_task(self._closed(session))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _session(self, holder: Holder, timeout_s: float) -> Session:
        lock = self._opening.setdefault(holder, asyncio.Lock())
        try:
            async with asyncio.timeout(timeout_s), lock:
                held = self._held.get(holder)
                if held is not None and held.usable:
                    return held
                if held is not None:
                    self.drop(holder, held)
                await self._room.acquire()
                try:
                    session = await self._connect()
                except BaseException:
                    self._room.release()
                    raise
                session.used_s = self._clock.monotonic_s()
                self._held[holder] = session
                return session
        finally:
            if not lock.locked():
                self._opening.pop(holder, None)

    async def _closed(self, session: Session) -> None:
        try:
            await session.close()
        finally:
            self._room.release()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            now_s = self._clock.monotonic_s()
            for holder, session in list(self._held.items()):
                idle = session.in_flight == 0 and now_s - session.used_s > self._idle_s
                if idle or not session.usable:
                    self.drop(holder, session)
            if runs := [holder for holder in self._held if holder.run_id]:
                with suppress(Exception):  # the database is away: the sessions stay until it is back, or until idle
                    for holder in await self._ended(runs):
                        if over := self._held.pop(holder, None):
                            self._end(over)  # nobody may wait for what it still does
