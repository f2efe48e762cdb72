"""bench-runs: runs per second, enqueue rate and enqueue-to-start latency, on both databases, isolation stated."""

import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from airside.cli.client import Client
from benchmarks import chaos_tools
from benchmarks.figures import figure
from benchmarks.fleet import Fleet, settings, until
from benchmarks.throwaway import ThrowawayPostgres, throwaway_postgres

RUNS = int(os.environ.get("AIRSIDE_BENCH_RUNS", "400"))
SUBMITTERS = int(os.environ.get("AIRSIDE_BENCH_SUBMITTERS", "8"))
STARTS = int(os.environ.get("AIRSIDE_BENCH_STARTS", "40"))


def throughput(client: Client, agent: str, runs: int) -> tuple[float, float]:
    """Submit `runs` runs and wait for the last; return runs per second and accepted submissions per second.

    Submissions come over several connections while the runs execute, as they would from a service. Waiting asks
    seldom, because each look takes time from what is measured; afterwards every run must have succeeded.
    """

    def submit(number: int) -> str:
        return str(client.post("/api/v1/runs", {"agent": agent, "input": f"task-{number}"})["id"])

    began = time.perf_counter()
    with ThreadPoolExecutor(SUBMITTERS) as threads:
        run_ids = list(threads.map(submit, range(runs)))
    enqueued = time.perf_counter()
    until(lambda: not any(_some(client, agent, state) for state in ("queued", "running")), "the runs to end", 300, 0.05)
    ended = time.perf_counter()
    for run_id in run_ids:
        run = client.get(f"/api/v1/runs/{run_id}")
        assert run["state"] == "succeeded", run
    return runs / (ended - began), runs / (enqueued - began)


def _some(client: Client, agent: str, state: str) -> bool:
    return bool(client.get("/api/v1/runs", agent=agent, state=state, limit=1)["items"])


def start_ms(client: Client, starts: int) -> list[float]:
    """Submit runs one by one to an idle system; return the milliseconds from submitting to agent code running."""
    client.post("/api/v1/runs", {"agent": "clock_in", "input": "warm"})
    found = []
    for number in range(starts + 1):
        before_us = time.time_ns() // 1_000
        run_id = client.post("/api/v1/runs", {"agent": "clock_in", "input": f"start-{number}"})["id"]
        run = until(lambda run_id=run_id: _ended(client, run_id), f"run {run_id}", 60)
        assert run["state"] == "succeeded", run
        began_us = client.get(f"/api/v1/runs/{run_id}/result")["result"]
        found.append((began_us - before_us) / 1_000)
    return sorted(found[1:])


def _ended(client: Client, run_id: str) -> dict[str, Any] | None:
    run: dict[str, Any] = client.get(f"/api/v1/runs/{run_id}")
    return run if run["state"] in {"succeeded", "failed", "partial", "held", "cancelled", "diverged"} else None


def measure(postgres: ThrowawayPostgres | None, isolation: str, workers: int) -> dict[str, Any]:
    """Measure one configuration in a fresh folder and database."""
    with tempfile.TemporaryDirectory(prefix="runs-", dir="/tmp") as name:
        folder = Path(name)
        chaos_tools.create(folder / "ledger.sqlite")
        url = postgres.fresh() if postgres else f"sqlite:///{folder}/airside.sqlite"
        config = settings(url, delay_ms=0, isolation=isolation, script=folder / "script.yaml")
        config["agents"]["clock_in"]["tools"] = []
        config["runs"] |= {"lease_renew_s": 5.0, "lease_expire_s": 20.0, "replay_clock": "real"}
        fleet = Fleet(folder, config, {"LEDGER": str(folder / "ledger.sqlite")})
        try:
            fleet.add("up", "up")
            for number in range(1, workers):
                fleet.add(f"worker-{number}", "serve", "worker", gateway="up")
            with fleet.client("up") as client:
                throughput(client, "three_calls", 20)
                runs = RUNS if isolation == "inline" else RUNS // 2
                per_s, enqueue_per_s = throughput(client, "three_calls", runs)
                starts = start_ms(client, STARTS)
        finally:
            fleet.stop()
    return {
        "isolation": isolation,
        "workers": workers,
        "runs_per_s": round(per_s, 1),
        "enqueue_per_s": round(enqueue_per_s, 1),
        "start_ms_p50": round(statistics.median(starts), 1),
        "start_ms_max": round(starts[-1], 1),
    }


def main() -> None:
    """Measure and print the figures."""
    sqlite = [measure(None, isolation, 1) for isolation in ("inline", "process", "auto")]
    print({"sqlite": sqlite}, flush=True)
    with throwaway_postgres() as server:
        postgres = [
            *(measure(server, isolation, 1) for isolation in ("inline", "process", "auto")),
            measure(server, "inline", 2),
        ]
    print({"postgres": postgres}, flush=True)
    figure("runs.sqlite_per_s", sqlite[0]["runs_per_s"], "runs/s", how=sqlite[0], process=sqlite[1])
    figure("runs.postgres_per_s", postgres[0]["runs_per_s"], "runs/s", how=postgres[0], process=postgres[1])
    figure("runs.postgres_2_workers_per_s", postgres[3]["runs_per_s"], "runs/s", how=postgres[3])
    default = [sqlite[2], postgres[2]]
    figure("runs.start_ms_p50", max(entry["start_ms_p50"] for entry in default), "ms", how=default)
    figure("runs.enqueue_per_s", min(sqlite[0]["enqueue_per_s"], postgres[0]["enqueue_per_s"]), "runs/s")


if __name__ == "__main__":
    main()
