"""bench-chaos: runs of six calls each while workers, gateways, tool hosts and the database are killed under them.

Per database: AIRSIDE_BENCH_RUNS runs (default 240), a quarter of them of an agent that cannot be replayed, and at least
AIRSIDE_BENCH_KILLS kills (default 110) at random points. Effects are counted in a ledger outside airside.
AIRSIDE_BENCH_DATABASE plays one database only. The whole story of a run that violates a figure is printed before them.
"""

import asyncio
import os
import random
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from airside.config.settings import DatabaseSettings
from airside.core.errors import AirsideError
from airside.core.ports import Query, Row, Transaction
from airside.core.run import TERMINAL
from airside.journal.backend import connect
from airside.journal.fsck import fsck
from airside.journal.master_key import load_master_key
from airside.journal.sealing import DatabaseKeyring
from benchmarks import chaos_tools
from benchmarks.chaos_story import stories
from benchmarks.figures import figure
from benchmarks.fleet import Fleet, descendants, settings, until
from benchmarks.throwaway import ThrowawayPostgres, throwaway_postgres

RUNS = int(os.environ.get("AIRSIDE_BENCH_RUNS", "240"))
KILLS = int(os.environ.get("AIRSIDE_BENCH_KILLS", "110"))
SETTLE_S_MAX = 240.0
SEED = int(os.environ.get("AIRSIDE_BENCH_SEED", "1"))
DATABASE = os.environ.get("AIRSIDE_BENCH_DATABASE", "")
STORIES_MAX = 10

_OVERSPENT = Query(
    "overspent",
    """SELECT coalesce(sum(spent_nanousd + reserved_nanousd - limit_nanousd), 0) AS nanousd
    FROM budgets WHERE limit_nanousd IS NOT NULL AND spent_nanousd + reserved_nanousd > limit_nanousd""",
)


class Havoc:
    """What can be done to a fleet, and how often each was done."""

    def __init__(self, fleet: Fleet, rng: random.Random) -> None:
        self.fleet = fleet
        self.rng = rng
        self.done: Counter[str] = Counter()

    def member(self, prefix: str, kind: str) -> None:
        """Kill a member with -9 and start it again."""
        name = self._any(prefix)
        self.fleet.members[name].kill()
        self.done[kind] += 1
        self.fleet.restart(name)

    def pause(self, prefix: str) -> None:
        """Freeze a member for longer than its lease, so that it wakes up superseded."""
        member = self.fleet.members[self._any(prefix)]
        member.freeze()
        time.sleep(3.6)
        member.thaw()
        self.done["stop_continue"] += 1

    def child(self, prefix: str, word: str, kind: str) -> None:
        """Kill a process below a member: a tool host, or an attempt."""
        found = descendants(self.fleet.members[self._any(prefix)].pid, word)
        if found:
            try:
                os.kill(self.rng.choice(found), 9)
            except ProcessLookupError:
                return
            self.done[kind] += 1

    def _any(self, prefix: str) -> str:
        return self.rng.choice([name for name in self.fleet.members if name.startswith(prefix)])


def havoc_sqlite(havoc: Havoc, file: Path) -> list[Callable[[], None]]:
    """One process holds gateways and worker; the database is a file, so its fault is a lock held by a stranger."""

    def locked() -> None:
        with closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as stranger:
            stranger.execute("BEGIN IMMEDIATE")
            time.sleep(1.0)
            stranger.execute("ROLLBACK")
        havoc.done["database_locked"] += 1

    return [
        lambda: havoc.member("up", "gateway_and_worker"),
        lambda: havoc.child("up", "tools.host", "tool_host"),
        lambda: havoc.child("up", "zygote", "attempt"),
        lambda: havoc.child("up", "zygote", "attempt"),
        lambda: havoc.child("up", "tools.host", "tool_host"),
        lambda: havoc.pause("up"),
        locked,
    ]


def havoc_postgres(havoc: Havoc, postgres: ThrowawayPostgres) -> list[Callable[[], None]]:
    """Gateways, workers, tool hosts and the database server are processes apart."""

    def database() -> None:
        postgres.crash()
        time.sleep(0.3)
        postgres.start()
        havoc.done["database"] += 1

    return [
        lambda: havoc.member("gateway", "gateway"),
        lambda: havoc.member("worker", "worker"),
        lambda: havoc.child("gateway", "tools.host", "tool_host"),
        lambda: havoc.child("worker", "zygote", "attempt"),
        lambda: havoc.child("gateway", "tools.host", "tool_host"),
        lambda: havoc.pause("worker"),
        lambda: havoc.pause("gateway"),
        database,
    ]


def play(fleet: Fleet, api: str, acts: list[Callable[[], None]], havoc: Havoc) -> dict[str, dict[str, Any]]:
    """Submit runs and do havoc side by side until both are used up; return every run at its end."""
    run_ids: dict[str, str] = {}
    act_number = 0
    with fleet.client(api) as client:

        def submit(number: int) -> bool:
            agent = "fickle" if number % 4 == 0 else "steady"
            key = {"idempotency-key": f"chaos-{number}"}
            try:
                run = client.post("/api/v1/runs", {"agent": agent, "input": f"task-{number}"}, headers=key)
            except AirsideError:
                return False
            run_ids[run["id"]] = f"task-{number}"
            return True

        while len(run_ids) < RUNS or sum(havoc.done.values()) < KILLS:
            due = RUNS * (sum(havoc.done.values()) + 8) // KILLS
            while len(run_ids) < min(due, RUNS):
                until(lambda: submit(len(run_ids)), "a run to be accepted", 60)
            acts[act_number % len(acts)]()
            act_number += 1
            time.sleep(havoc.rng.uniform(0.1, 0.7))

        ended = {str(state) for state in TERMINAL} | {"held"}
        last: dict[str, dict[str, Any]] = {}
        give_up = time.monotonic() + SETTLE_S_MAX
        while time.monotonic() < give_up:
            for run_id in run_ids:
                if last.get(run_id, {}).get("state") not in ended:
                    try:
                        last[run_id] = client.get(f"/api/v1/runs/{run_id}")
                    except AirsideError:
                        break
            if len(last) == len(run_ids) and all(run["state"] in ended for run in last.values()):
                break
            time.sleep(0.5)
    return {run_id: run | {"task": run_ids[run_id], "ended": run["state"] in ended} for run_id, run in last.items()}


async def audit(url: str, master_key: Path) -> tuple[int, list[str]]:
    """Return nano-dollars beyond any budget, and what fsck finds."""
    backend = await connect(url, settings=DatabaseSettings(url=url), executor_id="bench")
    try:

        async def body(tx: Transaction) -> Row | None:
            return await tx.one(_OVERSPENT)

        row = await backend.database.read(body)
        keyring = DatabaseKeyring(backend.database, load_master_key(master_key))
        findings = await fsck(backend.database, keyring)
        return int(row["nanousd"]) if row else 0, [str(finding) for finding in findings]
    finally:
        await backend.close()


def one_database(database: str, folder: Path, postgres: ThrowawayPostgres | None) -> dict[str, Any]:
    """Play one database and return its counts."""
    ledger = folder / "ledger.sqlite"
    chaos_tools.create(ledger)
    file = folder / "airside.sqlite"
    url = postgres.fresh() if postgres else f"sqlite:///{file}"
    config = settings(url, delay_ms=150, isolation="process", script=folder / "script.yaml")
    fleet = Fleet(folder, config, {"LEDGER": str(ledger)})
    havoc = Havoc(fleet, random.Random(SEED))
    try:
        if postgres:
            fleet.add("api", "serve", "api")
            for side in ("a", "b"):
                fleet.add(f"gateway-{side}", "serve", "gateway")
                fleet.add(f"worker-{side}", "serve", "worker", gateway=f"gateway-{side}")
            runs = play(fleet, "api", havoc_postgres(havoc, postgres), havoc)
        else:
            fleet.add("up", "up")
            runs = play(fleet, "up", havoc_sqlite(havoc, file), havoc)
    finally:
        fleet.stop()
    overspent, findings = asyncio.run(audit(url, folder / "master.key"))
    counted = count(database, runs, ledger, havoc.done)
    for line in asyncio.run(stories(url, ledger, counted.pop("offenders")[:STORIES_MAX])):
        print(line, flush=True)
    return counted | {"overspent": overspent, "findings": findings}


def count(database: str, runs: dict[str, dict[str, Any]], ledger: Path, done: Counter[str]) -> dict[str, Any]:
    """Compare what runs say with what the ledger says."""
    with closing(sqlite3.connect(ledger)) as connection:
        rows = connection.execute("SELECT tool, run, count(*) FROM effects GROUP BY tool, run").fetchall()
    effects = {(tool, run): number for tool, run, number in rows}
    tasks = {f"task-{number}": None for number in range(RUNS)}
    succeeded = {run["task"] for run in runs.values() if run["state"] == "succeeded"}
    failed = [run for run in runs.values() if run["state"] != "succeeded"]
    twice = {task for (_, task), number in effects.items() if number > 1}
    fickle_twice = [key for key, number in effects.items() if number > 1 and int(key[1].split("-")[1]) % 4 == 0]
    missing = [task for task in succeeded for tool in ("pay", "post") if effects.get((tool, task), 0) < 1]
    diverged = {run["task"] for run in runs.values() if run["agent"] == "steady" and run["state"] == "diverged"}
    unended = {run["task"] for run in runs.values() if not run["ended"]}
    violated = twice | diverged | unended | {*missing}
    return {
        "offenders": [(run_id, run["task"]) for run_id, run in runs.items() if run["task"] in violated],
        "database": database,
        "runs": len(runs),
        "states": dict(Counter(f"{run['agent']}:{run['state']}" for run in runs.values())),
        "not_succeeded": dict(Counter(f"{run['agent']} {run['state']}: {run['message'][:120]}" for run in failed)),
        "re_attempted": sum(1 for run in runs.values() if run["attempt"] > 1),
        "kills": sum(done.values()),
        "spread": dict(done),
        "lost": RUNS - sum(1 for run in runs.values() if run["ended"]),
        "duplicates": sum(number - 1 for number in effects.values() if number > 1),
        "missing": len(missing),
        "undetected": sum(1 for _, task in fickle_twice if task in succeeded),
        "diverged": len(diverged),
        "strangers": sum(1 for _, task in effects if task not in tasks),
    }


def main() -> None:
    """Play both databases and print the figures."""
    results = []
    if DATABASE in {"", "sqlite"}:
        with tempfile.TemporaryDirectory(prefix="chaos-s", dir="/tmp") as folder:
            results.append(one_database("sqlite", Path(folder), None))
            print(results[-1], flush=True)
    if DATABASE in {"", "postgres"}:
        with throwaway_postgres() as postgres, tempfile.TemporaryDirectory(prefix="chaos-p", dir="/tmp") as folder:
            results.append(one_database("postgres", Path(folder), postgres))
            print(results[-1], flush=True)
    how = {
        result["database"]: {key: result[key] for key in ("runs", "re_attempted", "states", "spread")}
        for result in results
    }

    def total(key: str) -> int:
        return sum(result[key] for result in results)

    figure("chaos.lost_runs", total("lost"), "runs", how=how)
    figure("chaos.duplicate_effects", total("duplicates"), "effects")
    figure("chaos.effects_missing", total("missing"), "effects")
    figure("chaos.kills", min(result["kills"] for result in results), "kills", how="the smaller of both databases")
    figure("chaos.undetected_divergence", total("undetected"), "runs")
    figure("chaos.overspend_usd", total("overspent") / 1_000_000_000, "USD")
    figure("chaos.diverged", total("diverged"), "runs")
    figure("chaos.fsck_findings", sum(len(result["findings"]) for result in results), "findings")


if __name__ == "__main__":
    main()
