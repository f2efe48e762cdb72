"""What tests of runs share: all services on a real database, with agents that are coroutines of the test."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from airside.config.settings import Settings
from airside.core.call import Call, CallState, Effect
from airside.core.clock import SystemClock
from airside.core.errors import AirsideError
from airside.core.policy import Decision, Reason, Verdict
from airside.core.ports import Admitted, Query, Transaction
from airside.core.run import Identity, RunState
from airside.journal.backend import Backend, connect
from airside.journal.sealing import DatabaseKeyring
from airside.runs.isolation.port import AttemptEnd, AttemptSpec, EndKind
from airside.runs.record import RunRecord
from airside.runs.services import RunServices
from airside.runs.submission import Submission
from airside.runs.worker import Place
from tests.journal import world

TENANT = "default"
SECRET = "whsec_" + "c2VjcmV0IHNlY3JldCBzZWNyZXQ="
ASK = Decision(Verdict.ASK, (Reason("refunds", Verdict.ASK, "over $50"),), "policy_1")


class Crash(Exception):
    """Raised by an agent of a test whose process is to die."""


Agent = Callable[["House", AttemptSpec], Awaitable[bytes]]


class Process:
    """An attempt that is a task."""

    def __init__(self, work: Awaitable[bytes]) -> None:
        self.task: asyncio.Future[bytes] = asyncio.ensure_future(work)

    async def wait(self) -> AttemptEnd:
        try:
            return AttemptEnd(EndKind.RETURNED, await asyncio.shield(self.task))
        except asyncio.CancelledError:
            if not self.task.cancelled():
                raise
            return AttemptEnd(EndKind.STOPPED)
        except Crash as crash:
            return AttemptEnd(EndKind.CRASHED, message=str(crash))
        except AirsideError as error:
            return AttemptEnd(EndKind.RAISED, message=error.message, code=error.code)
        except Exception as error:
            return AttemptEnd(EndKind.RAISED, message=str(error))

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


class House:
    """One process of airside, and the agents that it executes."""

    def __init__(self, backend: Backend, settings: Settings, services: RunServices) -> None:
        self.backend = backend
        self.settings = settings
        self.services = services
        self.agents: dict[str, Agent] = {}
        self.specs: list[AttemptSpec] = []
        self.processes: dict[str, Process] = {}

    async def start(self, spec: AttemptSpec) -> Process:
        """Start an attempt: this house is the launcher of its services."""
        self.specs.append(spec)
        process = Process(self.agents[spec.agent_name](self, spec))
        self.processes[spec.run_id] = process
        return process

    async def close(self) -> None:
        """Launchers are closed; there is nothing to close."""

    async def submit(self, agent: str = "shop", task: bytes = b'"hello"', **more: Any) -> RunRecord:
        return await self.services.runs.submit(Submission(tenant_id=TENANT, agent=agent, input=task, **more))

    async def until(self, run: RunRecord, *states: RunState) -> RunRecord:
        """Return the run once it is in one of the states."""
        found = run

        async def there() -> bool:
            nonlocal found
            found = await self.services.runs.get(run.tenant_id, run.run_id)
            return found.state in states

        await eventually(there, lambda: f"{found.state} {found.code} {found.message}, not {states}")
        return found

    async def sql(self, text: str, **parameters: object) -> list[dict[str, Any]]:
        """Run a statement of the test itself."""

        async def body(tx: Transaction) -> list[dict[str, Any]]:
            return [dict(row) for row in await tx.fetch(Query("test", text), **parameters)]

        return await self.backend.database.transact(body)

    async def identity(self, spec: AttemptSpec) -> Identity:
        """Return what the attempt's token resolves to."""
        return await self.services.identities.resolve(spec.token, "")

    async def opened(self, spec: AttemptSpec, *, executor: str = "", request: str = "refund 1", **more: Any) -> Call:
        """Open a call of an attempt, as a gateway does, and leave it open."""
        who = await self.identity(spec)
        call = world.call(request, identity=who, parts=(), **({"need": world.Need()} | more))
        opening = world.opening(call, executor or self.backend.journal.executor_id)
        verdict = await self.backend.journal.open(opening)
        assert isinstance(verdict, Admitted), verdict
        return call

    async def done(self, spec: AttemptSpec, state: CallState = CallState.OK, **more: Any) -> Call:
        """Open and close a call of an attempt."""
        call = await self.opened(spec, **more)
        await self.backend.journal.close(world.closing(call, state, cost=0, tokens=0))
        return call

    async def ask(self, spec: AttemptSpec, amount: int = 80, **more: Any) -> Any:
        """Ask for the approval of a refund, as the pipeline does."""
        who = await self.identity(spec)
        call = world.call(f"refund {amount}", identity=who, arguments={"amount": amount}, **more)
        return call, await self.services.approvals.ask(call, ASK)


async def eventually(condition: Callable[[], Awaitable[bool]], complaint: Callable[[], str], s: float = 15.0) -> None:
    """Wait until a condition holds; fail with a complaint if it does not in time."""
    deadline = time.monotonic() + s
    while not await condition():
        assert time.monotonic() < deadline, complaint()
        await asyncio.sleep(0.005)


def settings(url: str, **more: Any) -> Settings:
    """Settings with two agents, `shop` and `other`, and short times."""
    agents = {
        "shop": {"entry": "shop:agent", "tools": ["refund"]},
        "other": {"entry": "other:agent", "runs_max": 2},
    }
    known: dict[str, Any] = {
        "database": {"url": "" if url.startswith("sqlite") else url},
        "agents": agents,
        "runs": {"suspend_grace_s": 0.05},
        "webhooks": {"allow_private_addresses": True},
    }
    return Settings(**(known | more))


@asynccontextmanager
async def house(url: str, executor_id: str = "plane-1", *, works: bool = True, start: bool = True, **more: Any) -> Any:
    """A process of airside on a database; without `works` it executes nothing."""
    chosen = settings(url, **more)
    backend = await connect(url, settings=chosen.database, executor_id=executor_id)
    found: House
    services = RunServices.build(
        chosen,
        backend,
        DatabaseKeyring(backend.database, b"k" * 32),
        SystemClock(),
        kind="plane",
        webhook_secret=SECRET,
        launcher_for=(lambda _: found) if works else None,
        place=(lambda: Place("http://127.0.0.1:1", "", ())) if works else None,
    )
    found = House(backend, chosen, services)
    if start:
        await services.start()
    try:
        yield found
    finally:
        if start:
            await services.close()
        await backend.close()


async def answer(_: House, spec: AttemptSpec) -> bytes:
    """An agent that answers with its task."""
    return b'{"echo":' + spec.input + b"}"


async def forever(_: House, __: AttemptSpec) -> bytes:
    """An agent that does not end."""
    await asyncio.Event().wait()
    return b""


WRITE = {"effect": Effect.WRITE}
