"""bench-drill: three outages of the first of two providers under steady load, on both databases at once.

The provider refuses connections, then answers 503, then goes silent, each for a sixth of AIRSIDE_BENCH_SECONDS (default
120; AIRSIDE_BENCH_LONG=1: 600). Calls come at a fixed pace, however long they take, from clients that never retry. The
second provider is the fallback. Each airside is the real `airside serve gateway`; the providers are strict fakes that
note each call that they answer, which is one that they would charge.
"""

import asyncio
import json
import os
import tempfile
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop
import yaml

from airside.config.settings import DatabaseSettings
from airside.core.ports import Query, Transaction
from airside.journal.backend import connect
from benchmarks.figures import figure
from benchmarks.gateway import agent_key, started
from benchmarks.load import PADDING, Connection, percentile
from benchmarks.throwaway import throwaway_postgres
from tests.fake_providers import KEY, FakeProvider, Fault, serving, text

LONG = os.environ.get("AIRSIDE_BENCH_LONG") == "1"
SECONDS = float(os.environ.get("AIRSIDE_BENCH_SECONDS", "600" if LONG else "120"))
PER_SECOND = float(os.environ.get("AIRSIDE_BENCH_RATE", "15"))
PROVIDER_TIMEOUT_S = 3.0
BACK = 5
"""A provider is used again once it has given so many answers after its return."""

OUTAGES = ("refuses connections", "answers 503", "is silent")


class Always:
    """Faults that never end, in the place of the queue of a fake provider."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def __bool__(self) -> bool:
        return True

    def popleft(self) -> Fault:
        return self._fault


class Upstream:
    """A fake provider that can be taken down and notes what it answers, by the number in the call's last message."""

    def __init__(self) -> None:
        self.provider = FakeProvider()
        self.provider.keep = False
        self.provider.reply = self._reply
        self.answered: list[tuple[str, float]] = []
        self.url = ""
        self._serving: Any = None

    def _reply(self, body: dict[str, Any]) -> dict[str, Any]:
        number = body["messages"][-1]["content"].split(" ", 1)[0]
        self.answered.append((number, time.monotonic()))
        return text(f"Parcel {number} will arrive on Thursday.")

    async def up(self) -> None:
        """Begin to serve, again at the same port."""
        self._serving = serving(self.provider, urlsplit(self.url).port or 0 if self.url else 0)
        self.url = await self._serving.__aenter__()

    async def down(self) -> None:
        """Stop serving: connections are cut, and new ones refused."""
        serving_, self._serving = self._serving, None
        if serving_ is not None:
            await serving_.__aexit__(None, None, None)

    async def begin(self, outage: str) -> None:
        """Let it fail in one of the ways of OUTAGES."""
        if outage == "refuses connections":
            await self.down()
        else:
            fault = (
                Fault(status=503, raw=b'{"error":{"message":"overloaded"}}') if "503" in outage else Fault(stall=True)
            )
            self.provider.faults = Always(fault)

    async def end(self) -> None:
        """Let it work again."""
        self.provider.faults = deque()
        if self._serving is None:
            await self.up()


class Drill:
    """One airside with its two providers."""

    def __init__(self, database: str) -> None:
        self.database = database
        self.first, self.second = Upstream(), Upstream()
        self.statuses: Counter[int] = Counter()
        self.latencies_ms: list[float] = []
        self.recoveries_s: list[float] = []
        self._idle: list[Connection] = []
        self._target = ("", 0)
        self._key = ""

    @asynccontextmanager
    async def running(self, folder: Path) -> AsyncIterator[None]:
        """Start everything."""
        await self.first.up()
        await self.second.up()
        file = _configuration(folder, self.database, self.first.url, self.second.url)
        loop = asyncio.get_running_loop()
        self._key = await loop.run_in_executor(None, lambda: asyncio.run(agent_key(self.url(folder))))
        command = ["-m", "airside", "--config", str(file), "serve", "gateway", "--port", "0", "--json"]
        with ExitStack() as stack:
            process = await loop.run_in_executor(None, lambda: stack.enter_context(started(command, folder)))
            parts = urlsplit(process.url)
            self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
            yield
            for connection in self._idle:
                connection.transport.close()
            await self.first.down()
            await self.second.down()

    def url(self, folder: Path) -> str:
        """Return the address of the database."""
        return self.database or f"sqlite:///{folder / 'airside.db'}"

    async def load(self) -> None:
        """Call at a fixed pace until the time is over."""
        began, tasks = time.monotonic(), []
        for number in range(int(SECONDS * PER_SECOND)):
            wait_s = began + number / PER_SECOND - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            tasks.append(asyncio.create_task(self._call(number)))
        await asyncio.gather(*tasks)

    async def _call(self, number: int) -> None:
        began = time.perf_counter()
        try:
            connection = self._kept() or await self._connected()
            self.statuses[await connection.ask(self._request(number))] += 1
            self._idle.append(connection)
        except (OSError, ConnectionError):
            self.statuses[0] += 1
        self.latencies_ms.append((time.perf_counter() - began) * 1_000)

    def _kept(self) -> Connection | None:
        """Return the connection used last that the server has not closed for idleness."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    async def _connected(self) -> Connection:
        _, protocol = await asyncio.get_running_loop().create_connection(Connection, *self._target)
        return protocol

    def _request(self, number: int) -> bytes:
        content = json.dumps(f"{number:08d} {PADDING}")
        body = f'{{"model":"gpt-4o-mini","max_tokens":64,"messages":[{{"role":"user","content":{content}}}]}}'.encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: airside\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self._key}\r\nX-Airside-Run: drill-{number % 50}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def outages(self) -> None:
        """Take the first provider down three times, and note how long it takes until it is used again."""
        piece_s = SECONDS / 6
        await asyncio.sleep(piece_s / 2)
        for outage in OUTAGES:
            await self.first.begin(outage)
            await asyncio.sleep(piece_s)
            await self.first.end()
            returned = time.monotonic()
            await asyncio.sleep(piece_s * 0.8)
            after = [at for _, at in self.first.answered if at >= returned]
            self.recoveries_s.append(after[BACK - 1] - returned if len(after) >= BACK else float("inf"))

    async def charges(self, folder: Path) -> tuple[int, int]:
        """Return how many calls were answered more than once, and how many answers the journal does not know."""
        times = Counter(number for number, _ in [*self.first.answered, *self.second.answered])
        backend = await connect(self.url(folder), settings=DatabaseSettings(), executor_id="drill")

        async def body(tx: Transaction) -> int:
            row = await tx.one(Query("drill", "SELECT count(*) AS n FROM entries WHERE type = 'call.outcome'"))
            states = await tx.fetch(Query("drill", "SELECT count(*) AS n FROM calls WHERE state = 'ok'"))
            assert row is not None
            return int(states[0]["n"])

        journaled = await backend.database.read(body)
        await backend.close()
        return sum(count - 1 for count in times.values()), abs(sum(times.values()) - journaled)


def _configuration(folder: Path, database: str, first: str, second: str) -> Path:
    folder.mkdir(mode=0o700)
    key_file = folder / "provider.key"
    key_file.write_text(KEY)
    provider = {"kind": "openai_compatible", "api_key_file": str(key_file), "timeout_s": PROVIDER_TIMEOUT_S}
    settings = {
        "data_dir": str(folder),
        "database": {"url": database} if database else {},
        "model_provider": "first",
        "providers": {"first": provider | {"base_url": first}, "second": provider | {"base_url": second}},
        "models": {"backup": {"provider": "second", "model": "gpt-4o-mini"}},
        "fallbacks": {"chains": {"*": ["backup"]}},
        "budgets": {"run": {"usd": 100_000, "tokens": 1_000_000_000, "calls": 100_000_000, "wall_s": 86_400}},
    }
    file = folder / "airside.yaml"
    file.write_text(yaml.safe_dump(settings))
    return file


def tell(drill: Drill, prefix: str, charges: tuple[int, int]) -> None:
    """Print the figures of one drill."""
    calls = sum(drill.statuses.values())
    failed = {status: count for status, count in drill.statuses.items() if status != 200}
    how = (
        f"{calls} calls at {PER_SECOND:g}/s over {SECONDS:g} s, three outages of {SECONDS / 6:g} s; clients that never "
        f"retry; failed by status: {failed or 'none'}"
    )
    figure(f"{prefix}.success_rate", drill.statuses[200] / calls, "share", how=how)
    figure(f"{prefix}.duplicate_charges", charges[0], "calls", how="calls that were answered by a provider twice")
    figure(f"{prefix}.unjournaled_charges", charges[1], "calls", how="answers given less calls journaled as answered")
    slowest = max(drill.recoveries_s)
    how = "; ".join(f"{what}: {took:.1f} s" for what, took in zip(OUTAGES, drill.recoveries_s, strict=True))
    how = f"from its return to its {BACK}th answer; {how}"
    if slowest == float("inf"):
        figure(f"{prefix}.recovery_s_max", None, "s", reason="a provider that had returned was not used again", how=how)
    else:
        figure(f"{prefix}.recovery_s_max", slowest, "s", how=how)
    figure(f"{prefix}.outages", len(drill.recoveries_s), "outages")
    how = "outages included: a call waits for two retries before it goes elsewhere, until the breaker is open"
    figure(f"{prefix}.latency_ms_p50", percentile(drill.latencies_ms, 0.5), "ms")
    figure(f"{prefix}.latency_ms_p99", percentile(drill.latencies_ms, 0.99), "ms", how=how)


async def measure(folder: Path, postgres: str) -> None:
    """Run the drills side by side and print their figures."""
    drills = {"drill.postgres": Drill(postgres), "drill": Drill("")}
    async with AsyncExitStack() as stack:
        for name, drill in drills.items():
            await stack.enter_async_context(drill.running(folder / name))
        await asyncio.gather(*[work for drill in drills.values() for work in (drill.load(), drill.outages())])
    for name, drill in drills.items():
        tell(drill, name, await drill.charges(folder / name))


def main() -> None:
    """Start everything, measure, and print the figures."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-drill-") as name,
        throwaway_postgres(durable=True) as server,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(measure(Path(name), server.fresh()))


if __name__ == "__main__":
    main()
