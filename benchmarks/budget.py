"""bench-budget: two gateway processes and a budget that affords exactly 37 of 200 calls; random spending; random trees.

The first part goes through real gateways over HTTP: every call costs its worst case, so that the budget affords 37 and
not one more. The second part lets processes spend at random from random trees, kills them with -9 between intent and
outcome, settles their orphans, and audits the books while and after. The third plays random trees (`trees`). All run
on SQLite and on Postgres.
"""

import asyncio
import contextlib
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import yaml

from airside.config.settings import DatabaseSettings
from airside.core.clock import SystemClock
from airside.core.ids import new_id
from airside.core.ports import Query
from airside.core.run import Role
from airside.journal.backend import Backend, connect
from airside.runs.keys import Keys
from airside.runs.orphans import Orphans
from airside.runs.signals import Signals
from benchmarks import spending
from benchmarks.figures import figure, option
from benchmarks.fleet import Fleet
from benchmarks.spending import Audit, Tree
from benchmarks.throwaway import ThrowawayPostgres, throwaway_postgres
from benchmarks.trees import Garden

CALLS = 200
AFFORDED = 37
OUTPUT_TOKENS = 50
NANOUSD_PER_TOKEN = 10_000
ROUNDS = option("rounds", 6)
KILLS = option("kills", 4)
TREES = option("trees", 100)
SEED = option("seed", 2026)
_ANSWERED = Query("answered", "SELECT count(*) AS calls FROM calls WHERE state = 'ok'")


def url_of(postgres: ThrowawayPostgres | None, folder: str) -> str:
    """Return an empty database."""
    return postgres.fresh() if postgres else f"sqlite:///{folder}/airside.db"


# The exact part.


def gateway_settings(url: str, folder: Path) -> dict[str, Any]:
    """Return a configuration whose model costs its worst case and whose tenant can pay for AFFORDED calls."""
    script = folder / "script.yaml"
    turn = {"say": "So be it.", "usage": {"input": 0, "output": OUTPUT_TOKENS}, "delay_ms": 5}
    script.write_text(yaml.safe_dump({"name": "bench", "turns": [turn]}))
    price = {"input": "0", "output": str(NANOUSD_PER_TOKEN / 1_000)}
    return {
        "database": {"url": url},
        "providers": {"bench": {"kind": "scripted", "script": str(script)}},
        "models": {"bench": {"provider": "bench", "price": price}},
        "budgets": {
            "tenant": {"usd": f"{AFFORDED * OUTPUT_TOKENS * NANOUSD_PER_TOKEN / 10**9:.9f}"},
            "run": {"usd": "100", "tokens": 1_000_000, "calls": 1_000},
        },
    }


async def ask(session: aiohttp.ClientSession, url: str, key: str, number: int) -> int:
    """Make one model call and return its status."""
    body = {
        "model": "bench",
        "max_tokens": OUTPUT_TOKENS,
        "messages": [{"role": "user", "content": f"call {number}"}],
    }
    headers = {"Authorization": f"Bearer {key}", "X-Airside-Run": f"bench-{number % 20}"}
    async with session.post(f"{url}/v1/chat/completions", json=body, headers=headers) as response:
        await response.read()
        return response.status


async def exact(postgres: ThrowawayPostgres | None) -> tuple[int, int, Audit]:
    """Return how many calls were answered, how many the journal says left, and the audit."""
    with tempfile.TemporaryDirectory(prefix="budget-", dir="/tmp") as name:
        url = url_of(postgres, name)
        backend = await connect(url, settings=DatabaseSettings(), executor_id="bench")
        key = (await Keys(backend.database, SystemClock()).create("default", "bench", Role.AGENT, "bench"))[1]
        fleet = Fleet(Path(name), gateway_settings(url, Path(name)))
        try:
            gateways = [
                (await asyncio.to_thread(fleet.add, member, "serve", "gateway")).url for member in ("one", "two")
            ]
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
                asked = [ask(session, gateways[number % 2], key, number) for number in range(CALLS)]
                statuses = Counter(await asyncio.gather(*asked))
            unexpected = statuses.keys() - {200, 402}
            assert not unexpected, f"statuses {dict(statuses)}"
            row = await backend.database.read(lambda tx: tx.one(_ANSWERED))
            return statuses[200], row["calls"] if row else 0, await spending.audit(backend.database)
        finally:
            await asyncio.to_thread(fleet.stop)
            await backend.close()


# The random part.


async def child(url: str, executor_id: str, seed: int) -> None:
    """Spend from every run in the database until killed."""
    random = Random(seed)
    backend = await connect(url, settings=DatabaseSettings(), executor_id=executor_id)
    paths = await backend.database.read(spending.paths)

    async def client(own: Random) -> None:
        while True:
            run_id = own.choice(list(paths))
            call = spending.random_call(own, run_id, paths[run_id])
            await spending.make_call(backend.journal, own, call, pause_s=0.02)

    print("spending", flush=True)
    await asyncio.gather(*[client(Random(random.randint(0, 2**32))) for _ in range(16)])


class Child:
    """A process that spends, and the executor it is known by."""

    def __init__(self, url: str, seed: int) -> None:
        self.executor_id = new_id("gw")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.budget", "child", url, self.executor_id, str(seed)],
            stdout=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> None:
        """Return once it spends."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == "spending\n", f"the child said {line!r}"

    def kill(self) -> None:
        """SIGKILL it."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


async def one_round(url: str, random: Random) -> tuple[list[Audit], int]:
    """Spend from a new tree in two processes, killing and replacing them; return every audit and the kills."""
    backend = await connect(url, settings=DatabaseSettings(), executor_id="bench")
    audits: list[Audit] = []
    children: list[Child] = []
    try:
        await spending.plant(backend.database, generous(spending.random_tree(random, runs=8)))
        children = [await _started(backend, url, random) for _ in range(2)]
        for _ in range(KILLS):
            await asyncio.sleep(0.1 + random.random() * 0.4)
            audits.append(await spending.audit(backend.database))
            victim = children.pop(0)
            await asyncio.to_thread(victim.kill)
            await spending.set_lease(backend.database, victim.executor_id, 0)
            children.append(await _started(backend, url, random))
    finally:
        for left in children:
            left.kill()
            await spending.set_lease(backend.database, left.executor_id, 0)
    orphans = Orphans(backend.database, backend.journal, Signals())
    while await orphans.sweep():
        audits.append(await spending.audit(backend.database))
    final = await spending.audit(backend.database)
    final.leaked_nanousd += final.reserved_nanousd
    await backend.close()
    return [*audits, final], KILLS + len(children)


def generous(tree: Tree) -> Tree:
    """Return a tree whose limits are met only after many calls, so that the processes die in mid-spending."""
    for limits in tree.nodes.values():
        for name in ("nanousd", "tokens", "calls"):
            limit = limits[name]
            limits[name] = None if limit is None else limit * 30
        limits["turn_tool_calls"] = None
    return tree


async def _started(backend: Backend, url: str, random: Random) -> Child:
    started = Child(url, random.randint(0, 2**32))
    await spending.set_lease(backend.database, started.executor_id, spending.FAR_US)
    await asyncio.to_thread(started.ready)
    return started


async def crashes(postgres: ThrowawayPostgres | None) -> dict[str, Any]:
    """Play the rounds on one kind of database and return what was found."""
    audits: list[Audit] = []
    kills = 0
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="budget-", dir="/tmp") as name:
            found, killed = await one_round(url_of(postgres, name), Random(SEED + number))
            audits += found
            kills += killed
    return {
        "excess_calls": sum(audit.excess_calls for audit in audits),
        "overspent_nanousd": sum(audit.overspent_nanousd for audit in audits),
        "overspent_tokens": sum(audit.overspent_tokens for audit in audits),
        "leaked_nanousd": sum(audit.leaked_nanousd for audit in audits),
        "unbooked_nanousd": sum(audit.unbooked_nanousd for audit in audits),
        "kills": kills,
        "audits": len(audits),
        "rounds": ROUNDS,
    }


# The trees.


async def trees(postgres: ThrowawayPostgres | None) -> dict[str, int]:
    """Play TREES random trees on one kind of database and return what was wrong with them, summed."""
    sums: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="budget-", dir="/tmp") as name:
        url = url_of(postgres, name)
        names = ("home", "doomed")
        home, doomed = [await connect(url, settings=DatabaseSettings(), executor_id=name) for name in names]
        for executor_id in names:
            await spending.set_lease(home.database, executor_id, spending.FAR_US)
        for number in range(TREES):
            found = await Garden(home, doomed, Random(SEED + number)).play()
            sums.update({field: getattr(found, field) for field in found.__struct_fields__})
        await home.close()
        await doomed.close()
    return dict(sums)


async def measure() -> None:
    """Measure all parts on both databases and print the figures."""
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(throwaway_postgres())
        exactly = {"sqlite": await exact(None), "postgres": await exact(postgres)}
        print({kind: (answered, left) for kind, (answered, left, _) in exactly.items()}, flush=True)
        random = {"sqlite": await crashes(None), "postgres": await crashes(postgres)}
        print(random, flush=True)
        grown = {"sqlite": await trees(None), "postgres": await trees(postgres)}
        print(grown, flush=True)
    counts = {kind: max(answered, left) for kind, (answered, left, _) in exactly.items()}
    worst = max(counts.values(), key=lambda count: abs(count - AFFORDED))
    audits = [audit for _, _, audit in exactly.values()]
    excess = sum(max(0, count - AFFORDED) for count in counts.values())
    excess += sum(audit.excess_calls for audit in audits) + sum(found["excess_calls"] for found in random.values())
    leaked = sum(audit.leaked_nanousd + audit.reserved_nanousd for audit in audits)
    leaked += sum(found["leaked_nanousd"] for found in random.values())
    overspent = sum(audit.overspent_nanousd for audit in audits)
    overspent += sum(found["overspent_nanousd"] for found in random.values())
    how = f"{CALLS} concurrent calls over HTTP to 2 gateway processes; the worse of both databases"
    figure("budget.left_calls", worst, "calls", how=how, **counts)
    figure("budget.excess_calls", excess, "calls", how="exact part and random part, both databases")
    figure("budget.leaked_usd", leaked / 10**9, "USD", how="reserved by nothing that is open; after crashes, at all")
    figure("budget.overspent_usd", overspent / 10**9, "USD", how=random)
    over = sum(found["over_nanousd"] for found in grown.values())
    units = sum(found[f"over_{unit}"] for found in grown.values() for unit in ("tokens", "calls"))
    left = sum(found["leaked_nanousd"] + found["unbooked_nanousd"] for found in grown.values())
    counts_left = sum(found[f"leaked_{unit}"] for found in grown.values() for unit in ("tokens", "calls"))
    how = "random limits, prices, aborts, retries, deaths, changed limits and new periods, half on each database"
    made = {kind: f"{found['calls']} calls, {found['refused']} refused" for kind, found in grown.items()}
    figure("budget.property_trees", 2 * TREES, "trees", how=how, **made)
    figure("budget.property_over_usd", over / 10**9, "USD", over_tokens_and_calls=units)
    figure("budget.property_leaked_usd", left / 10**9, "USD", leaked_tokens_and_calls=counts_left)


def main() -> None:
    """Be the benchmark, or one of its children."""
    if sys.argv[1:2] == ["child"]:
        asyncio.run(child(sys.argv[2], sys.argv[3], int(sys.argv[4])))
    else:
        asyncio.run(measure())


if __name__ == "__main__":
    main()
