"""bench-gateway: what airside adds to a model call, against the provider directly and against a bare pass-through.

Load generator (this process), fake provider, bare pass-through and airside are processes of their own; airside is the
real `airside serve gateway` with everything on. Rounds are interleaved. Every request's last message is unique and
over 1 KB. AIRSIDE_BENCH_CALLS is the number of calls per throughput round (default 2,000); the memory figure takes
20 times as many, or 200,000 with AIRSIDE_BENCH_LONG=1. Other gateways run beside airside, see `peers.py`.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import uvloop
import yaml
from msgspec import Struct

from airside.config.settings import DatabaseSettings
from airside.core.clock import SystemClock
from airside.core.run import Role
from airside.journal.backend import connect
from airside.runs.keys import Keys
from benchmarks.figures import figure
from benchmarks.load import Target, closed_loop, open_loop, percentile
from benchmarks.peers import PEERS
from benchmarks.throwaway import throwaway_postgres
from tests.fake_providers import KEY

CALLS = int(os.environ.get("AIRSIDE_BENCH_CALLS", "2000"))
ROUNDS = int(os.environ.get("AIRSIDE_BENCH_ROUNDS", "5"))
LONG = os.environ.get("AIRSIDE_BENCH_LONG") == "1"
PEER_CALLS = max(200, CALLS // 4)  # some of them are slow
PACED_CALLS, PACED_PER_S = 500, 100.0
STREAMS, STREAMS_AT_ONCE = 400, 64
REPLY = "{n}" + "Your parcel is on its way and will arrive on Thursday before noon. " * 6  # no two answers are equal


class Started(Struct):
    """A process under test and where it listens."""

    url: str
    process: psutil.Process

    def cpu_s(self) -> float:
        """Return the CPU seconds that it has used, threads included, children not."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def rss_mb(self) -> float:
        """Return its resident memory."""
        return float(self.process.memory_info().rss) / 1_048_576


@contextmanager
def started(command: list[str], folder: Path) -> Iterator[Started]:
    """Run a command whose first line of output is its URL, or JSON with a `url`."""
    with (folder / f"{len(list(folder.iterdir()))}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=log, text=True, env=_environment()
        )
    try:
        assert process.stdout is not None
        text = ""
        for line in process.stdout:
            text += line
            if line.startswith("http"):
                text = json.dumps({"url": line.strip()})
            if text.rstrip().endswith("}"):
                break
        if not text:
            logs = "\n".join(file.read_text()[-2_000:] for file in sorted(folder.glob("*.log")))
            raise RuntimeError(f"{command} did not start:\n{logs}")
        yield Started(json.loads(text)["url"], psutil.Process(process.pid))
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRSIDE_")}


def configuration(folder: Path, database: str, upstream: str, key_file: Path) -> Path:
    """Write the configuration of an installation in `folder`: limits that never end a run, everything else default."""
    settings = {
        "data_dir": str(folder),
        "database": {"url": database} if database else {},
        "model_provider": "fake",
        "providers": {
            "fake": {"kind": "openai_compatible", "base_url": upstream, "api_key_file": str(key_file)},
        },
        "budgets": {"run": {"usd": 100_000, "tokens": 1_000_000_000, "calls": 100_000_000, "wall_s": 86_400}},
    }
    file = folder / "airside.yaml"
    file.write_text(yaml.safe_dump(settings))
    return file


async def agent_key(database: str) -> str:
    """Make the key of an outside program in a new database."""
    backend = await connect(database, settings=DatabaseSettings(), executor_id="bench")
    try:
        return (await Keys(backend.database, SystemClock()).create("default", "bench", Role.AGENT, "bench"))[1]
    finally:
        await backend.close()


@contextmanager
def airside(folder: Path, name: str, database: str, upstream: str) -> Iterator[tuple[Started, str]]:
    """Run `airside serve gateway` on a new installation; yields it and a key for it."""
    home = folder / name
    home.mkdir(mode=0o700)
    key_file = home / "provider.key"
    key_file.write_text(KEY)
    file = configuration(home, database, upstream, key_file)
    key = asyncio.run(agent_key(database or f"sqlite:///{home / 'airside.db'}"))
    command = ["-m", "airside", "--config", str(file), "serve", "gateway", "--port", "0", "--json"]
    with started(command, folder) as process:
        yield process, key


class Field(Struct):
    """Everything that is compared. `paced` are the same servers in front of a provider that streams slowly."""

    upstream: str
    direct: Target
    bare: Started
    bare_target: Target
    ours: Started
    ours_target: Target
    postgres_target: Target
    paced_bare: Started
    paced_bare_target: Target
    paced_ours: Started
    paced_ours_target: Target


def field(stack: ExitStack, folder: Path) -> Field:
    """Start all processes."""
    fake = stack.enter_context(started(["-m", "tests.fake_providers", "--reply", REPLY], folder))
    slow = ["-m", "tests.fake_providers", "--reply", REPLY, "--chunk-delay-ms", "10"]
    paced = stack.enter_context(started(slow, folder))
    bare = stack.enter_context(started(["-m", "benchmarks.bare_gateway", "--upstream", fake.url], folder))
    paced_bare = stack.enter_context(started(["-m", "benchmarks.bare_gateway", "--upstream", paced.url], folder))
    ours, key = stack.enter_context(airside(folder, "sqlite", "", fake.url))
    paced_ours, paced_key = stack.enter_context(airside(folder, "paced", "", paced.url))
    database = stack.enter_context(throwaway_postgres(durable=True)).fresh()
    postgres, postgres_key = stack.enter_context(airside(folder, "postgres", database, fake.url))
    return Field(
        upstream=fake.url,
        direct=Target("direct", fake.url, KEY),
        bare=bare,
        bare_target=Target("bare", bare.url, KEY),
        ours=ours,
        ours_target=Target("airside", ours.url + "/v1", key),
        postgres_target=Target("airside on Postgres", postgres.url + "/v1", postgres_key),
        paced_bare=paced_bare,
        paced_bare_target=Target("bare, paced", paced_bare.url, KEY, stream=True),
        paced_ours=paced_ours,
        paced_ours_target=Target("airside, paced", paced_ours.url + "/v1", paced_key, stream=True),
    )


async def cpu_us(server: Started, target: Target, calls: int, connections: int) -> tuple[float, float]:
    """Return the server's CPU microseconds per call, and calls per second."""
    before = server.cpu_s()
    took_s = await closed_loop(target, calls, connections)
    return (server.cpu_s() - before) * 1e6 / calls, calls / took_s


async def throughput(world: Field) -> None:
    """Measure CPU per call and throughput at 64 connections."""
    for target in (world.bare_target, world.ours_target):
        await closed_loop(target, CALLS // 2, 64)
    rounds = []
    for _ in range(ROUNDS):
        bare = await cpu_us(world.bare, world.bare_target, CALLS, 64)
        ours = await cpu_us(world.ours, world.ours_target, CALLS, 64)
        rounds.append((ours[0] - bare[0], ours[1] / bare[1], bare, ours))
    added = [item[0] for item in rounds]
    how = (
        f"median of {ROUNDS} interleaved rounds of {CALLS} calls at 64 connections; SQLite; "
        f"bare {statistics.median(item[2][0] for item in rounds):.0f} us, "
        f"airside {statistics.median(item[3][0] for item in rounds):.0f} us a call"
    )
    figure("gateway.added_cpu_us", statistics.median(added), "us", how=how, min=min(added), max=max(added))
    ratios = [item[1] for item in rounds]
    how = f"calls/s over the bare pass-through's, airside {statistics.median(item[3][1] for item in rounds):.0f}/s"
    figure("gateway.vs_bare", statistics.median(ratios), "ratio", how=how, min=min(ratios), max=max(ratios))


async def latency(world: Field) -> None:
    """Measure added latency at 100 requests a second."""
    targets = (world.direct, world.bare_target, world.ours_target, world.postgres_target)
    found: dict[str, list[float]] = {target.name: [] for target in targets}
    for target in targets:
        await open_loop(target, 100, PACED_PER_S)
    for _ in range(ROUNDS):
        for target in targets:
            found[target.name] += await open_loop(target, PACED_CALLS // ROUNDS, PACED_PER_S)
    direct = {share: percentile(found["direct"], share) for share in (0.5, 0.99)}
    how = f"{PACED_CALLS} calls at {PACED_PER_S:.0f}/s each, interleaved; direct p50 {direct[0.5]:.2f} ms"

    def added(name: str, share: float) -> float:
        return percentile(found[name], share) - direct[share]

    figure("gateway.added_ms_p50", added("airside", 0.5), "ms", how=how)
    figure("gateway.added_ms_p99", added("airside", 0.99), "ms", how=how)
    figure("gateway.postgres_added_ms_p50", added("airside on Postgres", 0.5), "ms", how=how)
    figure("gateway.bare_added_ms_p50", added("bare", 0.5), "ms", how=how)


async def streams(world: Field) -> None:
    """Measure CPU per paced stream."""
    ratios = []
    for number in range(ROUNDS + 1):
        bare, _ = await cpu_us(world.paced_bare, world.paced_bare_target, STREAMS // 2, STREAMS_AT_ONCE)
        ours, _ = await cpu_us(world.paced_ours, world.paced_ours_target, STREAMS // 2, STREAMS_AT_ONCE)
        if number:
            ratios.append(ours / bare)
    chunks = len(REPLY) // 8 + 3
    how = f"CPU per stream of {chunks} chunks 10 ms apart, {STREAMS_AT_ONCE} at once; {ROUNDS} interleaved rounds"
    figure("gateway.stream_cpu_vs_bare", statistics.median(ratios), "ratio", how=how, min=min(ratios), max=max(ratios))


async def memory(world: Field) -> None:
    """Measure how memory grows between a tenth of the calls and all of them."""
    calls = 200_000 if LONG else CALLS * 20
    await closed_loop(world.ours_target, calls // 10, 64)
    before = world.ours.rss_mb()
    await closed_loop(world.ours_target, calls * 9 // 10, 64)
    how = f"RSS after {calls} calls less RSS after {calls // 10}"
    figure("gateway.rss_growth_mb", world.ours.rss_mb() - before, "MB", how=how)


async def against_peers(world: Field, folder: Path) -> None:
    """Measure throughput over each of the other gateways, in interleaved rounds of its own."""
    for name, start in PEERS.items():
        world.ours_target.close()  # a peer takes its time to start, and idle connections are closed meanwhile
        try:
            with start(world.upstream, KEY, folder) as peer:
                await closed_loop(peer.target, PEER_CALLS // 2, 64)
                rounds = []
                for _ in range(ROUNDS):
                    theirs_s = await closed_loop(peer.target, PEER_CALLS, 64)
                    ours_s = await closed_loop(world.ours_target, CALLS, 64)
                    rounds.append((CALLS / ours_s, PEER_CALLS / theirs_s))
        except Exception as error:  # whatever keeps a peer from running, the figure says it
            figure(f"gateway.vs_{name}", None, "ratio", reason=f"{type(error).__name__}: {error}"[:300])
            continue
        ratios = [ours / theirs for ours, theirs in rounds]
        how = (
            f"calls/s at 64 connections over {name}'s, one worker each, median of {ROUNDS} interleaved rounds; "
            f"airside {statistics.median(ours for ours, _ in rounds):.0f}/s, "
            f"{name} {statistics.median(theirs for _, theirs in rounds):.0f}/s"
        )
        figure(f"gateway.vs_{name}", statistics.median(ratios), "ratio", how=how, min=min(ratios), max=max(ratios))


async def measure(world: Field, folder: Path) -> None:
    """Take all figures."""
    await throughput(world)
    await latency(world)
    await streams(world)
    await memory(world)
    await against_peers(world, folder)


def main() -> None:
    """Start everything, measure, and print the figures."""
    with tempfile.TemporaryDirectory(prefix="bench-gateway-") as name, ExitStack() as stack:
        world = field(stack, Path(name))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(measure(world, Path(name)))


if __name__ == "__main__":
    main()
