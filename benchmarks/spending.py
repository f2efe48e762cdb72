"""Random spending: trees of budgets, calls with random prices and fates, and the audit of what they left behind.

The property tests and `bench-budget` share it. Every call consumes at most its reservation, so that any total beyond a
limit is a fault of the journal and not of a bad estimate.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from random import Random
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from airside.core.budget import Blocked, Granted
from airside.core.call import Call, CallKind, CallState, Effect, Need, Outcome
from airside.core.ids import new_id
from airside.core.money import ZERO, NanoUsd
from airside.core.ports import Admitted, Closing, Database, Journal, Opening, Query, Transaction
from airside.core.run import Identity
from airside.journal import events, queries

TENANT = "default"
FAR_US = 4_000_000_000_000_000
BLOCKED_TRIES = 20
_SQL = queries.load("airside.testing", "testing.sql")
_NODES = Query("nodes", "SELECT * FROM budgets WHERE tenant_id = :tenant_id")
_RUNS = Query("runs", "SELECT run_id, budget_path FROM runs WHERE tenant_id = :tenant_id")
_CALLS = Query(
    "calls",
    "SELECT budget_path, state, cost_nanousd, tokens, reserved_nanousd, reserved_tokens FROM calls"
    " WHERE tenant_id = :tenant_id",
)


class Tree(Struct):
    """Budget nodes with their limits (`nanousd tokens calls turn_tool_calls`; None is none), and the paths of runs."""

    nodes: dict[str, dict[str, int | None]]
    runs: dict[str, tuple[str, ...]]


class Audit(Struct):
    """What is wrong with the books: all zero if the invariant holds. `leaked` is reserved by no open call."""

    overspent_nanousd: int = 0
    overspent_tokens: int = 0
    excess_calls: int = 0
    leaked_nanousd: int = 0
    leaked_calls: int = 0
    unbooked_nanousd: int = 0
    reserved_nanousd: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong; live reservations are not."""
        return not any(getattr(self, name) for name in self.__struct_fields__ if name != "reserved_nanousd")


def random_tree(random: Random, runs: int = 4) -> Tree:
    """Return a tree of one tenant, units, workflows and runs, of which some nodes have limits that will be met."""
    nodes: dict[str, dict[str, int | None]] = {f"tenant:{TENANT}": _limits(random, runs * 3)}
    paths: dict[str, tuple[str, ...]] = {}
    for _ in range(runs):
        run_id = new_id("run")
        layers = [f"unit:{random.randint(1, 2)}"] * random.randint(0, 1) + ["workflow:w"] * random.randint(0, 1)
        path = (f"tenant:{TENANT}", *layers, f"run:{run_id}")
        for node in path[1:]:
            nodes.setdefault(node, _limits(random, 4))
        paths[run_id] = path
    return Tree(nodes, paths)


def _limits(random: Random, calls: int) -> dict[str, int | None]:
    def maybe(limit: int) -> int | None:
        return limit if random.random() < 0.6 else None

    return {
        "nanousd": maybe(random.randint(0, calls * 6_000)),
        "tokens": maybe(random.randint(0, calls * 600)),
        "calls": maybe(random.randint(0, calls * 2)),
        "turn_tool_calls": maybe(random.randint(0, 4)),
    }


async def plant(database: Database, tree: Tree) -> None:
    """Create the nodes, and the runs with a live first attempt each."""

    async def body(tx: Transaction) -> None:
        for node, limits in tree.nodes.items():
            await tx.execute(_SQL["add_budget"], tenant_id=TENANT, node=node, **limits)
        for run_id, path in tree.runs.items():
            key = {"tenant_id": TENANT, "run_id": run_id, "now_us": tx.now_us}
            await tx.execute(
                _SQL["add_run"],
                **key,
                agent="spender",
                subject=run_id,
                supervised=1,
                input=b"{}",
                budget_path=msgspec.json.encode(path).decode(),
            )
            token_hash = hashlib.sha256(run_id.encode()).digest()
            await tx.execute(_SQL["add_attempt"], **key, attempt=1, token_hash=token_hash, lease_until_us=FAR_US)

    await database.transact(body)


async def set_lease(database: Database, executor_id: str, lease_until_us: int) -> None:
    """Let an executor count as alive until then."""
    await database.transact(
        lambda tx: tx.execute(_SQL["set_executor"], executor_id=executor_id, lease_until_us=lease_until_us)
    )


def random_call(random: Random, run_id: str, path: tuple[str, ...]) -> Call:
    """Return a model or tool call of a run with a random worst case."""
    kind = random.choice([CallKind.MODEL, CallKind.TOOL])
    need = Need(
        fixed_nanousd=NanoUsd(random.randint(0, 1_000)),
        fixed_tokens=random.randint(0, 100),
        output_tokens=random.randint(0, 100) if kind is CallKind.MODEL else 0,
        nanousd_per_output_token=NanoUsd(random.randint(0, 20)),
    )
    identity = Identity(
        tenant_id=TENANT,
        run_id=run_id,
        attempt=1,
        agent="spender",
        release="rel_testing",
        subject=run_id,
        budget_path=path,
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
        request_hash=hashlib.sha256(random.randbytes(2)).digest(),
        need=need,
    )


async def make_call(journal: Journal, random: Random, call: Call, *, pause_s: float = 0.0) -> int:
    """Take one call from its intent to its outcome, with up to three tries, and return how many tries left."""
    left = 0
    for try_number in (1, 2, 3):
        call = replace(call, try_number=try_number)
        admission = await _opened(journal, random, call)
        if not isinstance(admission, Admitted):
            return left
        left += 1
        await asyncio.sleep(random.random() * pause_s)
        state, cost, tokens = _fate(random, admission.granted)
        outcome = Outcome(state=state, body=b"", cost=cost or ZERO)
        closing = Closing(
            call=call,
            state=state,
            event=events.outcome(call, outcome, b""),
            outcome=None,
            cost=cost,
            tokens=tokens,
        )
        await journal.close(closing)
        if random.random() < 0.1:
            await journal.close(closing)  # delivered twice, settled once
        if state is not CallState.TRANSIENT:
            return left
    return left


async def _opened(journal: Journal, random: Random, call: Call) -> object:
    opening = Opening(call=call, executor_id=journal.executor_id, intent=events.intent(call, journal.executor_id, ()))
    admission = await journal.open(opening)
    for _ in range(BLOCKED_TRIES):
        if not isinstance(admission, Blocked):
            break
        await asyncio.sleep(random.random() * 0.005)
        admission = await journal.open(opening)
    return admission


def _fate(random: Random, granted: Granted) -> tuple[CallState, NanoUsd | None, int | None]:
    match random.randint(0, 5):
        case 0:
            return CallState.OK, granted.nanousd, granted.tokens
        case 1:
            return CallState.CANCELLED, None, None
        case 2:
            return CallState.TRANSIENT, ZERO, 0
        case 3:
            return CallState.ERROR, ZERO, granted.tokens
        case _:
            return CallState.OK, NanoUsd(random.randint(0, granted.nanousd)), random.randint(0, granted.tokens)


async def audit(database: Database) -> Audit:
    """Compare every node with its limits and with the calls that are charged to it, on one snapshot."""

    async def body(tx: Transaction) -> Audit:
        rows = await tx.fetch(_NODES, tenant_id=TENANT)
        return _audited(rows, await tx.fetch(_CALLS, tenant_id=TENANT))

    return await database.read(body)


def _audited(nodes: Any, calls: Any) -> Audit:
    booked: dict[str, list[int]] = {row["node"]: [0, 0, 0] for row in nodes}
    for call in calls:
        for node in msgspec.json.decode(call["budget_path"]):
            booked[node][0] += call["cost_nanousd"]
            if call["state"] == "open":
                booked[node][1] += call["reserved_nanousd"]
                booked[node][2] += 1
    found = Audit()
    for row in nodes:
        spent, reserved, opened = booked[row["node"]]
        found.overspent_nanousd += _beyond(row, "nanousd")
        found.overspent_tokens += _beyond(row, "tokens")
        found.excess_calls += _beyond(row, "calls")
        found.leaked_nanousd += abs(row["reserved_nanousd"] - reserved)
        found.leaked_calls += abs(row["reserved_calls"] - opened)
        found.unbooked_nanousd += abs(row["spent_nanousd"] - spent)
        found.reserved_nanousd += row["reserved_nanousd"]
    return found


def _beyond(row: Mapping[str, Any], unit: str) -> int:
    limit = row[f"limit_{unit}"]
    return 0 if limit is None else max(0, int(row[f"spent_{unit}"] + row[f"reserved_{unit}"] - limit))


async def paths(tx: Transaction) -> dict[str, tuple[str, ...]]:
    """Return the runs of the tenant and the budget path of each; a body for `Database.read`."""
    rows = await tx.fetch(_RUNS, tenant_id=TENANT)
    return {row["run_id"]: tuple(msgspec.json.decode(row["budget_path"])) for row in rows}
