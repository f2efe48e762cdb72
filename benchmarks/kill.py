"""bench-kill: under load, kill a run, an agent, a tool, a tenant and everything.

How late did the last call start, how soon were the processes gone, and is every effect that was under way held?
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from airside.cli.client import Client
from airside.config.settings import DatabaseSettings
from airside.core.ports import Query, Row, Transaction
from airside.journal.backend import connect
from benchmarks import chaos_tools
from benchmarks.figures import figure
from benchmarks.fleet import Fleet, descendants, settings, until
from benchmarks.throwaway import throwaway_postgres

SCOPES = (("run", ""), ("agent", "kill_loop"), ("tool", "look"), ("tenant", ""), ("all", ""))
LOAD = int(os.environ.get("AIRSIDE_BENCH_LOAD", "12"))
BUSY = 2
"""How many runs besides are in the middle of an effect when they are killed."""
LIFTED_S = 0.5
"""Gateways look at the kills every 250 ms: until they know that one is lifted, it stops whatever begins."""

_KILLED_AT = Query("killed_at", "SELECT max(at_us) AS at_us FROM entries WHERE type = 'kill.set'")
_LAST_START = Query(
    "last_start",
    "SELECT max(opened_us) AS at_us FROM calls WHERE (:run = '' OR run_id = :run) AND (:tool = '' OR name = :tool)",
)


async def last_start_ms(url: str, run: str, tool: str) -> float:
    """Return the ms from the kill's entry to the last intent of what it covers; negative if none came after."""
    backend = await connect(url, settings=DatabaseSettings(url=url), executor_id="bench")
    try:

        async def body(tx: Transaction) -> tuple[Row | None, Row | None]:
            return await tx.one(_KILLED_AT), await tx.one(_LAST_START, run=run, tool=tool)

        killed, last = await backend.database.read(body)
        assert killed is not None, "no kill was journaled"
        assert last is not None, "no call was journaled"
        return float(last["at_us"] - killed["at_us"]) / 1_000
    finally:
        await backend.close()


def one_kill(client: Client, fleet: Fleet, url: str, scope: str, name: str) -> dict[str, Any]:
    """Load the fleet, kill, and look."""
    busy = [client.post("/api/v1/runs", {"agent": "kill_loop", "input": f"busy-{n}"})["id"] for n in range(BUSY)]
    run_ids = [client.post("/api/v1/runs", {"agent": "kill_loop", "input": f"task-{n}"})["id"] for n in range(LOAD)]
    until(lambda: all(_calls_made(client, run_id) for run_id in run_ids), "every run to make calls", 90, 0.2)
    until(lambda: all(_calls_under_way(client, run_id) for run_id in busy), "every effect to be under way", 90, 0.2)
    targets = [run_ids[0], *busy] if scope == "run" else [name]
    for target in targets:
        client.post("/api/v1/kills", {"scope": scope, "name": target, "reason": "benchmark"})
    killed = time.perf_counter()
    gone_ms = 0.0
    if scope != "tool":
        watched = [*busy, *(run_ids[:1] if scope == "run" else run_ids)]
        until(lambda: not _under_way(client) & {*watched}, "the killed runs to stop", 30)
        if scope != "run":
            until(lambda: not _attempts(fleet), "the processes to be gone", 30)
        gone_ms = (time.perf_counter() - killed) * 1_000
    time.sleep(max(0.0, 2.0 - (time.perf_counter() - killed)))
    late_ms = asyncio.run(last_start_ms(url, run_ids[0] if scope == "run" else "", name if scope == "tool" else ""))
    held = [run_id for run_id in busy if client.get(f"/api/v1/runs/{run_id}")["state"] == "held"]
    for target in targets:
        client.delete("/api/v1/kills", scope=scope, name=target)
    time.sleep(LIFTED_S)
    left = _under_way(client)
    for run_id in left:
        client.post(f"/api/v1/runs/{run_id}/cancel")
    until(lambda: not _under_way(client), "the load to end", 90, 0.1)
    for run_id in held:
        client.post(f"/api/v1/runs/{run_id}/resolve", {"finding": "give_up"})
    found = {
        "scope": scope,
        "last_start_ms": round(late_ms, 1),
        "gone_ms": round(gone_ms, 1),
        "went_on": len(left),
        "not_held": 0 if scope == "tool" else BUSY - len(held),
    }
    print(found, flush=True)
    return found


def _calls_made(client: Client, run_id: str) -> int:
    calls: int = client.get(f"/api/v1/runs/{run_id}")["budget"]["calls"]["spent"]
    return calls


def _calls_under_way(client: Client, run_id: str) -> int:
    calls: int = client.get(f"/api/v1/runs/{run_id}")["budget"]["calls"]["reserved"]
    return calls


def _under_way(client: Client) -> set[str]:
    """The runs that execute or will, asked for by state: a look at each would load what is measured."""
    pages = [client.get("/api/v1/runs", state=state, limit=200) for state in ("queued", "running")]
    return {run["id"] for page in pages for run in page["items"]}


def _attempts(fleet: Fleet) -> list[int]:
    """The attempts' processes: the children that the zygotes have forked."""
    found = [pid for member in fleet.members.values() for pid in descendants(member.pid, "airside.adapters.zygote")]
    return [pid for pid in found if _parent(pid) in found]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def measure(url: str, folder: Path, *, split: bool) -> list[dict[str, Any]]:
    """Kill in every scope on one database."""
    chaos_tools.create(folder / "ledger.sqlite")
    config = settings(url, delay_ms=20, isolation="process", script=folder / "script.yaml")
    loop = config["agents"]["steady"] | {"entry": "benchmarks.chaos_agents:kill_loop", "tools": ["look", "linger"]}
    config["agents"]["kill_loop"] = loop | {"budget": {"usd": "100", "tokens": 100_000_000, "calls": 1_000_000}}
    fleet = Fleet(folder, config, {"LEDGER": str(folder / "ledger.sqlite")})
    try:
        fleet.add("up", "up")
        if split:
            fleet.add("gateway", "serve", "gateway")
            fleet.add("worker", "serve", "worker", gateway="gateway")
        with fleet.client("up") as client:
            return [one_kill(client, fleet, url, scope, name) for scope, name in SCOPES]
    finally:
        fleet.stop()


def main() -> None:
    """Kill on both databases and print the figures."""
    with tempfile.TemporaryDirectory(prefix="kill-s", dir="/tmp") as name:
        sqlite = measure(f"sqlite:///{name}/airside.sqlite", Path(name), split=False)
    with throwaway_postgres() as server, tempfile.TemporaryDirectory(prefix="kill-p", dir="/tmp") as name:
        postgres = measure(server.fresh(), Path(name), split=True)
    both = {"sqlite": sqlite, "postgres": postgres}
    print(both, flush=True)
    everything = [*sqlite, *postgres]
    figure("kill.last_start_ms_max", max(0.0, *(kill["last_start_ms"] for kill in everything)), "ms", how=both)
    figure("kill.in_flight_not_held", sum(kill["not_held"] for kill in everything), "effects", n=BUSY * 8)
    figure("kill.process_gone_ms_max", max(kill["gone_ms"] for kill in everything), "ms")


if __name__ == "__main__":
    main()
