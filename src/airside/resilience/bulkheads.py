"""Bulkheads: bounds on what is under way at once, by agent, by tenant and by provider, in this process.

A call takes one place in each of its bounds, all or none, so that nobody holds a place while waiting for another. Those
that wait stand in line by (tenant, agent, upstream); a place that is given back goes round the tenants, and within a
tenant round its lines, so that no one's backlog holds up another's first call.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

from airside.config.resilience import BulkheadSettings
from airside.core.errors import AirsideError, Code

RETRY_AFTER_S = 1.0

K = TypeVar("K", str, tuple[str, str])


class Line(NamedTuple):
    """Who stands in one line: same tenant, agent and upstream (a provider, or none)."""

    tenant_id: str
    agent: str
    upstream: str


class LocalBulkheads:
    """Implements `Bulkheads` for one event loop."""

    def __init__(self, settings: BulkheadSettings) -> None:
        self._settings = settings
        self._agents: dict[tuple[str, str], int] = {}
        self._tenants: dict[str, int] = {}
        self._upstreams: dict[str, int] = {}
        self._lines: dict[str, dict[Line, deque[asyncio.Future[None]]]] = {}
        self._waiting: dict[tuple[str, str], int] = {}

    async def enter(self, tenant_id: str, agent: str, upstream: str, wait_s: float) -> Callable[[], None]:
        """Take a place and return what gives it back; see `Bulkheads.enter`."""
        line = Line(tenant_id, agent, upstream)
        queued = self._lines.get(tenant_id)
        if self._full(line) or (queued and line in queued):
            await self._wait(line, min(wait_s, self._settings.wait_s))
        else:
            self._take(line)
        return partial(self._leave, line)

    def _full(self, line: Line) -> str:
        """Return which bound leaves no room, or nothing."""
        settings = self._settings
        if self._agents.get(line[:2], 0) >= settings.agent_calls_max:
            return f"agent {line.agent} has {settings.agent_calls_max} calls under way (agent_calls_max)"
        if self._tenants.get(line.tenant_id, 0) >= settings.tenant_calls_max:
            return f"the tenant has {settings.tenant_calls_max} calls under way (tenant_calls_max)"
        if line.upstream and self._upstreams.get(line.upstream, 0) >= settings.provider_calls_max:
            return f"{line.upstream} has {settings.provider_calls_max} calls under way (provider_calls_max)"
        return ""

    def _take(self, line: Line) -> None:
        self._agents[line[:2]] = self._agents.get(line[:2], 0) + 1
        self._tenants[line.tenant_id] = self._tenants.get(line.tenant_id, 0) + 1
        if line.upstream:
            self._upstreams[line.upstream] = self._upstreams.get(line.upstream, 0) + 1

    def _leave(self, line: Line) -> None:
        _less(self._agents, line[:2])
        _less(self._tenants, line.tenant_id)
        if line.upstream:
            _less(self._upstreams, line.upstream)
        if self._lines:
            self._admit()

    async def _wait(self, line: Line, wait_s: float) -> None:
        who = line[:2]
        if self._waiting.get(who, 0) >= self._settings.waiting_max:
            raise _refusal(self._full(line), f"and {self._settings.waiting_max} more wait (waiting_max)")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(line.tenant_id, {}).setdefault(line, deque()).append(turn)
        self._waiting[who] = self._waiting.get(who, 0) + 1
        try:
            async with asyncio.timeout(wait_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._leave(line)  # its turn came while it was being cancelled
            else:
                self._forget(line, turn)
            if isinstance(error, TimeoutError):
                raise _refusal(self._full(line), f"and none ended within {wait_s:g} s") from None
            raise
        finally:
            _less(self._waiting, who)

    def _admit(self) -> None:
        """Give free places to those who wait, going round the tenants until nobody in front has room."""
        given = True
        while given and self._lines:
            given = False
            for tenant_id in list(self._lines):
                given = self._admit_one(tenant_id) or given

    def _admit_one(self, tenant_id: str) -> bool:
        """Admit the first of one of the tenant's lines; whoever was served goes to the end of the round."""
        lines = self._lines[tenant_id]
        for line, turns in list(lines.items()):
            if self._full(line):
                continue
            turn = turns.popleft()
            del lines[line]
            if turns:
                lines[line] = turns
            del self._lines[tenant_id]
            if lines:
                self._lines[tenant_id] = lines
            if not turn.done():  # else it was given up a moment ago, and its caller has not yet noticed
                self._take(line)
                turn.set_result(None)
            return True
        return False

    def _forget(self, line: Line, turn: "asyncio.Future[None]") -> None:
        lines = self._lines.get(line.tenant_id, {})
        turns = lines.get(line)
        if turns is None or turn not in turns:
            return
        turns.remove(turn)
        if not turns:
            del lines[line]
        if not lines:
            del self._lines[line.tenant_id]


def _less(counts: dict[K, int], key: K) -> None:
    """Count one down, and forget what has come to nothing."""
    left = counts[key] - 1
    if left:
        counts[key] = left
    else:
        del counts[key]


def _refusal(full: str, then: str) -> AirsideError:
    return AirsideError(
        Code.RATE_LIMITED,
        f"{full or 'the places for calls are taken'} {then}",
        advice="Make fewer calls at once, or raise the limit under resilience.bulkheads.",
        retry_after_s=RETRY_AFTER_S,
    )
