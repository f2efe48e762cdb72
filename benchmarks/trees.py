"""Random trees of budgets under everything that can happen to them: what `bench-budget` and the invariant's tests play.

Each tree belongs to a tenant of its own. Clients spend from it at random prices, abort, retry, deliver outcomes twice,
report more than they had reserved, and die between intent and outcome, while limits are raised and lowered and periods
begin under way. Then what the dead left is settled, and every node must add up: never over what was allowed at any
time, nothing reserved, and exactly the sum of its calls spent.
"""

import asyncio
import hashlib
from collections import Counter
from random import Random
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from airside.core.budget import Blocked
from airside.core.call import Call, CallKind, CallState, Effect, Need, Outcome
from airside.core.ids import new_id
from airside.core.money import NanoUsd
from airside.core.ports import Admitted, Closing, Opening, Query, Transaction
from airside.core.run import Identity
from airside.journal import events, queries
from airside.journal.backend import Backend
from airside.runs.orphans import Orphans
from airside.runs.signals import Signals
from benchmarks.spending import FAR_US, set_lease

DIMENSIONS = ("nanousd", "tokens", "calls")
SCALES = (0, 1, 1_000, 10**6, 10**12)
_SQL = queries.load("airside.testing", "testing.sql")
_NODE = Query("node", "SELECT * FROM budgets WHERE tenant_id = :tenant_id AND node = :node")
_NODES = Query("nodes", "SELECT * FROM budgets WHERE tenant_id = :tenant_id")
_CALLS = Query("calls", "SELECT budget_path, cost_nanousd, tokens, state FROM calls WHERE tenant_id = :tenant_id")
_LIMIT = Query(
    "limit",
    "UPDATE budgets SET limit_nanousd = :nanousd, limit_tokens = :tokens, limit_calls = :calls"
    " WHERE tenant_id = :tenant_id AND node = :node",
)


class Found(Struct):
    """What is wrong with a tree after everything is settled: all zero if the invariant holds."""

    over_nanousd: int = 0
    over_tokens: int = 0
    over_calls: int = 0
    leaked_nanousd: int = 0
    leaked_tokens: int = 0
    leaked_calls: int = 0
    unbooked_nanousd: int = 0
    calls: int = 0
    refused: int = 0

    @property
    def wrong(self) -> dict[str, int]:
        """What is not as it should be."""
        names = [name for name in self.__struct_fields__ if name not in {"calls", "refused"}]
        return {name: getattr(self, name) for name in names if getattr(self, name)}


class Garden:
    """One tree and those who spend from it: `home` lives on, `doomed` is a process that dies."""

    def __init__(self, home: Backend, doomed: Backend, random: Random) -> None:
        self.home, self.doomed = home, doomed
        self.random = random
        self.tenant = new_id("ten")
        self.scale = random.choice(SCALES)
        self.paths: dict[str, list[str]] = {}
        self.allowed: dict[str, Counter[str]] = {}
        self.found = Found()
        self._planting = asyncio.Lock()

    async def play(self, clients: int = 5, steps: int = 10) -> Found:
        """Grow the tree, let clients spend from it, bury the dead, and return what is wrong."""
        await self._grow()
        await asyncio.gather(*[self._client(Random(self.random.random()), steps) for _ in range(clients)])
        await set_lease(self.home.database, self.doomed.journal.executor_id, 0)
        orphans = Orphans(self.home.database, self.home.journal, Signals())
        while await orphans.sweep():
            pass
        await set_lease(self.home.database, self.doomed.journal.executor_id, FAR_US)
        return await self._audited()

    # The tree.

    async def _grow(self) -> None:
        random = self.random
        for _ in range(random.randint(1, 4)):
            run_id = new_id("run")
            kinds = [kind for kind in ("unit", "workflow", "customer") if random.random() < 0.5]
            above = ["tenant:t", *[f"{kind}:{random.randint(1, 2)}" for kind in kinds]]
            self.paths[run_id] = [*above, f"run:{run_id}"]
            await self._add_run(run_id)

    async def _add_run(self, run_id: str) -> None:
        path = self.paths[run_id]
        await self._plant(path)

        async def body(tx: Transaction) -> None:
            key = {"tenant_id": self.tenant, "run_id": run_id, "now_us": tx.now_us}
            text = msgspec.json.encode(path).decode()
            more = {"agent": "spender", "subject": run_id, "supervised": 1, "input": b"{}", "budget_path": text}
            await tx.execute(_SQL["add_run"], **key, **more)
            digest = hashlib.sha256(run_id.encode()).digest()
            await tx.execute(_SQL["add_attempt"], **key, attempt=1, token_hash=digest, lease_until_us=FAR_US)

        await self.home.database.transact(body)

    async def _plant(self, path: list[str]) -> None:
        """Add the nodes of a path that are not there yet."""
        async with self._planting:
            fresh = {node: self._limits() for node in path if node not in self.allowed}

            async def body(tx: Transaction) -> None:
                for node, limits in fresh.items():
                    key = {"tenant_id": self.tenant, "node": node, "turn_tool_calls": None}
                    await tx.execute(_SQL["add_budget"], **key, **limits)

            await self.home.database.transact(body)
            for node, limits in fresh.items():
                self.allowed[node] = Counter({name: limit for name, limit in limits.items() if limit is not None})

    def _limits(self) -> dict[str, int | None]:
        """Return random limits, of which some are zero and some are none."""

        def one(unit: int) -> int | None:
            chance = self.random.random()
            if chance < 0.5:
                return None
            return 0 if chance < 0.53 else self.random.randint(0, 60 * unit)

        return {"nanousd": one(150 * self.scale), "tokens": one(150), "calls": one(1)}

    async def _relimit(self, random: Random) -> None:
        """Set other limits on a node, higher or lower; what it holds at that instant stays allowed."""
        node, limits = random.choice(list(self.allowed)), self._limits()

        async def body(tx: Transaction) -> Counter[str]:
            await tx.execute(_LIMIT, tenant_id=self.tenant, node=node, **limits)
            row = await tx.one(_NODE, tenant_id=self.tenant, node=node)
            assert row is not None
            return Counter({name: row[f"spent_{name}"] + row[f"reserved_{name}"] for name in DIMENSIONS})

        held = await self.home.database.transact(body)
        known = self.allowed[node]
        for name in DIMENSIONS:
            limit = limits[name]
            known[name] = 2**62 if limit is None else max(known.get(name, 2**62), limit, held[name])

    async def _begin_period(self, random: Random) -> None:
        """Charge a run's further calls to new nodes; calls under way stay with the old ones."""
        run_id = random.choice(list(self.paths))
        path = [node if node.startswith("run:") else f"{node}+" for node in self.paths[run_id]]
        await self._plant(path)
        self.paths[run_id] = path

    # The clients.

    async def _client(self, random: Random, steps: int) -> None:
        for _ in range(steps):
            match random.randint(0, 9):
                case 0:
                    await self._relimit(random)
                case 1:
                    await self._begin_period(random)
                case _:
                    await self._call(random)

    async def _call(self, random: Random) -> None:
        backend = random.choice([self.home, self.doomed])
        call = self._new(random)
        for try_number in (1, 2, 3):
            call = replace(call, try_number=try_number)
            opening = Opening(
                call=call,
                executor_id=backend.journal.executor_id,
                intent=events.intent(call, backend.journal.executor_id, ()),
            )
            admission = await backend.journal.open(opening)
            for _ in range(5):
                if not isinstance(admission, Blocked):
                    break
                await asyncio.sleep(0.001)
                admission = await backend.journal.open(opening)
            if not isinstance(admission, Admitted):
                self.found.refused += 1
                return
            self.found.calls += 1
            await asyncio.sleep(0)
            granted = admission.granted
            state, cost, tokens = self._fate(random, granted.nanousd, granted.tokens)
            if backend is self.doomed and random.random() < 0.3:
                return  # dies before the outcome
            for node in call.who.budget_path:
                self.allowed[node]["over_nanousd"] += max(0, (cost or 0) - granted.nanousd)
                self.allowed[node]["over_tokens"] += max(0, (tokens or 0) - granted.tokens)
            outcome = Outcome(state=state, body=b"", cost=NanoUsd(cost or 0))
            closing = Closing(
                call=call,
                state=state,
                event=events.outcome(call, outcome, b""),
                outcome=None,
                cost=None if cost is None else NanoUsd(cost),
                tokens=tokens,
            )
            for _ in range(random.choice([1, 1, 1, 2])):
                await backend.journal.close(closing)
            if state is not CallState.TRANSIENT:
                return

    def _fate(self, random: Random, nanousd: int, tokens: int) -> tuple[CallState, int | None, int | None]:
        match random.randint(0, 6):
            case 0:
                return CallState.OK, nanousd, tokens
            case 1:
                return random.choice([CallState.CANCELLED, CallState.OK]), None, None
            case 2:
                return CallState.TRANSIENT, 0, 0
            case 3:
                return CallState.TRANSIENT, random.randint(0, nanousd), None
            case 4:
                return CallState.OK, nanousd + random.randint(0, 50 * self.scale), tokens + random.randint(0, 50)
            case _:
                return CallState.OK, random.randint(0, nanousd), random.randint(0, tokens)

    def _new(self, random: Random) -> Call:
        run_id = random.choice(list(self.paths))
        kind = random.choice(list(CallKind))
        need = Need(
            fixed_nanousd=NanoUsd(random.randint(0, 100) * self.scale),
            fixed_tokens=random.randint(0, 100),
            output_tokens=random.randint(0, 100) if kind is CallKind.MODEL else 0,
            output_tokens_min=random.randint(0, 1),
            nanousd_per_output_token=NanoUsd(random.randint(0, 2) * self.scale),
        )
        identity = Identity(
            tenant_id=self.tenant,
            run_id=run_id,
            attempt=1,
            agent="spender",
            release="rel",
            subject=run_id,
            budget_path=tuple(self.paths[run_id]),
            supervised=True,
            deadline_us=FAR_US,
        )
        return Call(
            call_id=new_id("call"),
            kind=kind,
            name="spend",
            token="",
            parts=(),
            effect=Effect.READ,
            idempotent=True,
            timeout_s=60.0,
            identity=identity,
            request_hash=hashlib.sha256(random.randbytes(8)).digest(),
            need=need if need.output_tokens else replace(need, output_tokens_min=0),
        )

    # The audit.

    async def _audited(self) -> Found:
        async def body(tx: Transaction) -> tuple[Any, Any]:
            calls = await tx.fetch(_CALLS, tenant_id=self.tenant)
            return await tx.fetch(_NODES, tenant_id=self.tenant), calls

        nodes, calls = await self.home.database.read(body)
        found = self.found
        booked: dict[str, Counter[str]] = {row["node"]: Counter() for row in nodes}
        for row in nodes:
            known = self.allowed[row["node"]]
            for name in DIMENSIONS:
                allowed = known.get(name, 2**62) + known[f"over_{name}"]
                over = max(0, row[f"spent_{name}"] + row[f"reserved_{name}"] - allowed)
                setattr(found, f"over_{name}", getattr(found, f"over_{name}") + over)
                leaked = abs(row[f"reserved_{name}"])
                setattr(found, f"leaked_{name}", getattr(found, f"leaked_{name}") + leaked)
        if not any(self._moved()):
            for call in calls:
                for node in msgspec.json.decode(call["budget_path"]):
                    booked[node]["nanousd"] += call["cost_nanousd"]
            found.unbooked_nanousd += sum(abs(row["spent_nanousd"] - booked[row["node"]]["nanousd"]) for row in nodes)
        return found

    def _moved(self) -> list[bool]:
        """Whether periods began: a call that was tried in two of them has one row, and its cost is booked in both."""
        return [node.endswith("+") for path in self.paths.values() for node in path]
