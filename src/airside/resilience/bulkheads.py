"""Bulkheads: bounds on what is under way at once, by agent, by tenant and by provider, in this process.

A call takes one place in each of its bounds, all or none, so that nobody holds a place while waiting for another. Those
that wait stand in line by (tenant, agent, upstream); a place that is given back goes round the tenants, and within a
tenant round its lines, so that no one's backlog holds up another's first call.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

from airside.config.resilience import BulkheadSettings
from airside.core.errors import AirsideError, Code

RETRY_AFTER_S = 1.0
LINES_MAX = 10_000


class Bound:
    """How many places of one bound are taken, of how many."""

    __slots__ = ("most", "said", "taken")

    def __init__(self, most: int, said: str) -> None:
        self.most = most
        self.said = said
        self.taken = 0


class Line:
    """Who stands in one line: same tenant, agent and upstream. Its bounds are shared with other lines."""

    __slots__ = ("agent", "bounds", "tenant_id", "waiting")

    def __init__(self, agent: Bound, tenant: Bound, upstream: Bound | None, tenant_id: str) -> None:
        self.agent = agent
        self.tenant_id = tenant_id
        self.bounds = (agent, tenant) if upstream is None else (agent, tenant, upstream)
        self.waiting: deque[asyncio.Future[None]] = deque()


class LocalBulkheads:
    """Implements `Bulkheads` for one event loop."""

    def __init__(self, settings: BulkheadSettings) -> None:
        self._settings = settings
        self._bounds: dict[tuple[str, ...], Bound] = {}
        self._lines: dict[tuple[str, str, str], Line] = {}
        self._round: dict[str, dict[Line, None]] = {}
        self._waiting: dict[Bound, int] = {}

    async def enter(self, tenant_id: str, agent: str, upstream: str, wait_s: float) -> Callable[[], None]:
        """Take a place and return what gives it back; see `Bulkheads.enter`."""
        line = self._lines.get((tenant_id, agent, upstream)) or self._line(tenant_id, agent, upstream)
        if line.waiting or _full(line):
            await self._wait(line, min(wait_s, self._settings.wait_s))
        else:
            for bound in line.bounds:
                bound.taken += 1
        return partial(self._leave, line)

    def _line(self, tenant_id: str, agent: str, upstream: str) -> Line:
        if len(self._lines) >= LINES_MAX:
            self._forget_idle()
        most = self._settings
        line = self._lines[tenant_id, agent, upstream] = Line(
            self._bound(("agent", tenant_id, agent), most.agent_calls_max, f"agent {agent}", "agent"),
            self._bound(("tenant", tenant_id), most.tenant_calls_max, "the tenant", "tenant"),
            self._bound(("upstream", upstream), most.provider_calls_max, upstream, "provider") if upstream else None,
            tenant_id,
        )
        return line

    def _bound(self, key: tuple[str, ...], most: int, who: str, kind: str) -> Bound:
        known = self._bounds.get(key)
        if known is None:
            said = f"{who} has {most} calls under way ({kind}_calls_max)"
            known = self._bounds[key] = Bound(most, said)
        return known

    def _forget_idle(self) -> None:
        """Forget those who make no calls now; what they are told by comes and goes with agents and tenants."""
        self._lines = {key: line for key, line in self._lines.items() if line.agent.taken or line.waiting}
        used = {bound for line in self._lines.values() for bound in line.bounds}
        self._bounds = {key: bound for key, bound in self._bounds.items() if bound in used or bound.taken}

    def _leave(self, line: Line) -> None:
        for bound in line.bounds:
            bound.taken -= 1
        if self._round:
            self._admit()

    async def _wait(self, line: Line, wait_s: float) -> None:
        before = self._waiting.get(line.agent, 0)
        if before >= self._settings.waiting_max:
            raise _refusal(_full(line), f"and {self._settings.waiting_max} more wait (waiting_max)")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.waiting.append(turn)
        self._round.setdefault(line.tenant_id, {}).setdefault(line)
        self._waiting[line.agent] = before + 1
        try:
            async with asyncio.timeout(wait_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._leave(line)  # its turn came while it was being cancelled
            else:
                self._give_up(line, turn)
            if isinstance(error, TimeoutError):
                raise _refusal(_full(line), f"and none ended within {wait_s:g} s") from None
            raise
        finally:
            self._waiting[line.agent] -= 1
            if not self._waiting[line.agent]:
                del self._waiting[line.agent]

    def _admit(self) -> None:
        """Give free places to those who wait, going round the tenants until nobody in front has room."""
        given = True
        while given and self._round:
            given = False
            for tenant_id in list(self._round):
                given = self._admit_one(tenant_id) or given

    def _admit_one(self, tenant_id: str) -> bool:
        """Admit the first of one of the tenant's lines; whoever was served goes to the end of the round."""
        lines = self._round[tenant_id]
        for line in list(lines):
            if _full(line):
                continue
            turn = line.waiting.popleft()
            del lines[line]
            if line.waiting:
                lines[line] = None
            del self._round[tenant_id]
            if lines:
                self._round[tenant_id] = lines
            if not turn.done():  # else it was given up a moment ago, and its caller has not yet noticed
                for bound in line.bounds:
                    bound.taken += 1
                turn.set_result(None)
            return True
        return False

    def _give_up(self, line: Line, turn: "asyncio.Future[None]") -> None:
        if turn not in line.waiting:
            return
        line.waiting.remove(turn)
        if not line.waiting:
            lines = self._round[line.tenant_id]
            del lines[line]
            if not lines:
                del self._round[line.tenant_id]


def _full(line: Line) -> str:
    """Return which bound leaves no room, or nothing."""
    for bound in line.bounds:
        if bound.taken >= bound.most:
            return bound.said
    return ""


def _refusal(full: str, then: str) -> AirsideError:
    return AirsideError(
        Code.RATE_LIMITED,
        f"{full or 'the places for calls are taken'} {then}",
        advice="Make fewer calls at once, or raise the limit under resilience.bulkheads.",
        retry_after_s=RETRY_AFTER_S,
    )
