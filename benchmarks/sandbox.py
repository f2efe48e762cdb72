"""bench-sandbox: escapes and exhaustion in both tiers; each is contained, named, and leaves the host as it was.

Attempts that can be shown outside a sandbox are run there first and must succeed: a bait that nobody could take would
prove nothing. `AIRSIDE_BENCH_FOLDER` keeps the compiled engine between runs (default: the user's cache).
"""

import asyncio
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from airside.config.sandbox import ContainerSettings
from airside.core.errors import AirsideError
from airside.linux import cgroups, tree
from airside.sandbox.container import ContainerSandbox
from airside.sandbox.port import Code, Limits, Result, Sandbox
from airside.sandbox.wasm import WasmSandbox
from benchmarks.figures import figure, option
from benchmarks.sandbox_attacks import ESCAPES, EXHAUSTIONS, Escape, Exhaustion

LIMITS = Limits(
    fuel=3_000_000_000,
    memory_bytes=268_435_456,
    deadline_s=4.0,
    cpu_s=1.0,
    output_bytes=65_536,
    result_bytes=65_536,
    files_bytes=1_048_576,
    open_files=32,
    processes=12,
    tool_calls=5,
)
GROWTH_KB_MAX = 65_536
TALK = {
    "wasm": "import _host\nask = _host.call",
    "container": """
import os
def ask(data):
    for fd in range(3, 10):
        try: return os.write(fd, len(data).to_bytes(4, 'big') + b'H' + data)
        except OSError: pass""",
}
WRAPPER = """
def attempt():
    {body}
try:
    loot = attempt()
    result = {{"loot": str(loot)[:200]}} if loot else {{"refused": "nothing was there"}}
except BaseException as error:
    result = {{"refused": (type(error).__name__ + ": " + str(error))[:300]}}
"""
DEMANDING = """
import random, time, os, json, uuid
pile = {uuid.uuid4().hex: random.random() for _ in range(500)}
time.sleep(random.random())
for n in range(5): open(f"f{n}", "w").write(uuid.uuid4().hex)
print(sorted(os.listdir(".")), {hash(x) for x in "abc"}, time.time())
result = sum(pile.values())
"""


class Baits:
    """What the host lays out: a file, a process, listeners. `taken` tells what was touched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o777)
        self.values: dict[str, Any] = {"folder": str(folder), "file": str(folder / "bait"), "free": 0}
        (folder / "bait").write_text("bait")
        (folder / "bait_module.py").write_text("LOOT = 'bait'\n")
        self._process = subprocess.Popen(["sleep", "600"])
        self._listeners = {
            "port": socket.create_server(("127.0.0.1", 0)),
            "udp": socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            "socket": socket.socket(socket.AF_UNIX),
            "abstract": socket.socket(socket.AF_UNIX),
        }
        self._listeners["udp"].bind(("127.0.0.1", 0))
        self._listeners["socket"].bind(str(folder / "bait.sock"))
        (folder / "bait.sock").chmod(0o777)
        self._listeners["abstract"].bind(f"\0airside-bait-{os.getpid()}")
        for name in ("socket", "abstract"):
            self._listeners[name].listen()
        self.values |= {"port": self._listeners["port"].getsockname()[1], "pid": self._process.pid}
        self.values |= {"udp": self._listeners["udp"].getsockname()[1], "socket": str(folder / "bait.sock")}
        self.values["abstract"] = f"\0airside-bait-{os.getpid()}"
        for listener in self._listeners.values():
            listener.setblocking(False)
        self.lay()

    def lay(self) -> None:
        """Put everything back."""
        (self.folder / "removable").write_text("bait")
        for name in ("written", "made"):
            path = self.folder / name
            path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        if self._process.poll() is not None:
            self._process = subprocess.Popen(["sleep", "600"])
            self.values["pid"] = self._process.pid

    def taken(self) -> str:
        """Say which bait was touched, if any."""
        for name, listener in self._listeners.items():
            try:
                (listener.recv if name == "udp" else lambda _, at=listener: at.accept()[0].close())(1)
                return f"the {name} was reached"
            except BlockingIOError:
                continue
        if self._process.poll() is not None:
            return "the host's process was killed"
        touched = [name for name in ("written", "made") if (self.folder / name).exists()]
        return f"{touched[0]} is there" if touched else "" if (self.folder / "removable").exists() else "removed"

    def close(self) -> None:
        """Take everything away."""
        self._process.kill()
        self._process.wait()
        for listener in self._listeners.values():
            listener.close()


@contextmanager
def baits() -> Iterator[Baits]:
    """Lay baits for the time of a benchmark."""
    os.environ["AIRSIDE_BAIT"] = "bait"
    with tempfile.TemporaryDirectory(prefix="airside-bait-") as folder:
        laid = Baits(Path(folder))
        try:
            yield laid
        finally:
            laid.close()


def source(escape: Escape, bait: Baits) -> str:
    """Return an escape's program."""
    body = escape.body.format(**bait.values).strip().replace("\n", "\n    ")
    return WRAPPER.format(body=body)


def shown_outside(bait: Baits) -> list[str]:
    """Run what can be shown without a sandbox; return the names of what did not succeed even there."""
    failed = []
    for escape in ESCAPES:
        if escape.shown:
            program = source(escape, bait) + "\nimport json; print(json.dumps(result))"
            with tempfile.TemporaryDirectory() as folder:
                done = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=folder, check=False)
            if b'"loot"' not in done.stdout or b"bait" not in done.stdout:
                failed.append(f"{escape.name}: {done.stdout.decode()} {done.stderr.decode()[-300:]}")
            bait.taken()
            bait.lay()
    return failed


class Tier:
    """Attempts in one tier and what became of them."""

    def __init__(self, name: str, sandbox: Sandbox, bait: Baits) -> None:
        self.name = name
        self.sandbox = sandbox
        self.bait = bait
        self.attempts = 0
        self.escapes: list[str] = []
        self.unnamed: list[str] = []
        self.crashes: list[str] = []

    async def run(self) -> None:
        """Make every attempt; look after the host after each."""
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for escape in ESCAPES:
            await self._escape(escape)
            await self._look(escape.name)
        for exhaustion in EXHAUSTIONS:
            await self._exhaust(exhaustion)
            await self._look(exhaustion.name)
        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
        if grown_kb > GROWTH_KB_MAX:
            self.crashes.append(f"the host's process grew by {grown_kb} kB")

    async def _execute(self, code: str) -> tuple[Result | None, str]:
        async def lookup(_name: str, _arguments: bytes) -> bytes:
            return b"1"

        try:
            async with asyncio.timeout(LIMITS.deadline_s + 20):
                return await self.sandbox.execute(Code(source=code, tools=("lookup",)), LIMITS, lookup), ""
        except AirsideError as error:
            return None, error.message
        except TimeoutError:
            self.crashes.append("an execution did not end")
            return None, "it did not end"

    async def _escape(self, escape: Escape) -> None:
        self.attempts += 1
        result, death = await self._execute(source(escape, self.bait))
        said = msgspec.json.decode(result.value) if result else None
        loot = said.get("loot", "") if isinstance(said, dict) else ""
        if loot or (taken := self.bait.taken()):
            self.escapes.append(f"{escape.name}: {loot or taken}")
        refusal = death or (result.error if result else "") or (said.get("refused", "") if said else "")
        if not refusal:
            self.unnamed.append(f"{escape.name}: {result}")
        self.bait.lay()
        _tell(self.name, escape.name, refusal)

    async def _exhaust(self, exhaustion: Exhaustion) -> None:
        self.attempts += 1
        wanted = exhaustion.wasm if self.name == "wasm" else exhaustion.container
        code = exhaustion.source.replace("{talk}", TALK[self.name]).replace("{{", "{").replace("}}", "}")
        result, death = await self._execute(code)
        ended = "error" if result is None else str(result.meters.limit) or ("error" if result.error else "fine")
        if ended not in wanted:
            self.unnamed.append(f"{exhaustion.name}: {ended}, not one of {wanted}: {death or result}")
        _tell(self.name, exhaustion.name, f"{ended}: {death or (result.error if result else '')}")

    async def _look(self, name: str) -> None:
        """The host is well: nothing of it is left running, and the next execution works."""
        left = await asyncio.to_thread(_left_after, 5.0)
        if left:
            self.crashes.append(f"{name}: processes {left} are left")
        result, death = await self._execute("result = 6 * 7")
        if result is None or result.value != b"42":
            self.crashes.append(f"{name}: the next execution failed: {death or result}")


def _sandboxed() -> set[int]:
    """Return the processes below this one that execute something; spares wait and do not count."""
    found = set()
    for pid in tree.descendants(os.getpid()):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if not command.startswith(b"sleep"):
            found.add(pid)
    return found


def _left_after(wait_s: float) -> set[int]:
    """Return what still runs after at most so long."""
    until_s = time.monotonic() + wait_s
    while (left := _sandboxed()) and time.monotonic() < until_s:
        time.sleep(0.02)
    return left


def _tell(tier: str, name: str, ended: str) -> None:
    print(f"{tier:10} {name:45} {ended[:110]!r}")


async def fuel_runs(sandbox: Sandbox) -> list[int | None]:
    """Return the fuel of three runs of demanding code, each in a process of its own."""

    async def nothing(_name: str, _arguments: bytes) -> bytes:
        return b"null"

    code = Code(source=DEMANDING, seed=7, start_us=1_800_000_000_000_000)
    return [(await sandbox.execute(code, LIMITS, nothing)).meters.fuel for _ in range(3)]


async def start_ms(sandbox: Sandbox) -> float:
    """Return the median time of an execution that does nothing, in milliseconds."""

    async def nothing(_name: str, _arguments: bytes) -> bytes:
        return b"null"

    times = []
    for _ in range(9):
        started_s = time.perf_counter()
        await sandbox.execute(Code(source="pass"), LIMITS, nothing)
        times.append((time.perf_counter() - started_s) * 1_000)
    return statistics.median(times)


async def main() -> int:
    """Run everything; 1 if a mark is missed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(option("folder", str(cache / "airside-tests" / "sandbox")))
    wasm = WasmSandbox(folder, spares=0, executions_max=2)
    container = ContainerSandbox(ContainerSettings(), executions_max=2)
    await wasm.prepare()
    engine = await container.engine()
    group = cgroups.make(memory_bytes=1 << 20, processes=1)
    if group:
        group.remove()
    with ExitStack() as stack:
        bait = stack.enter_context(baits())
        broken = shown_outside(bait)
        tiers = [Tier("wasm", wasm, bait), Tier("container", container, bait)]
        for tier in tiers:
            await tier.run()
    fuel = await fuel_runs(wasm)
    latency = {tier.name: await start_ms(tier.sandbox) for tier in tiers}
    await wasm.close()
    await container.close()
    for tier in tiers:
        for what in ("escapes", "unnamed", "crashes"):
            for line in getattr(tier, what):
                print(f"{tier.name} {what}: {line}")
    for line in broken:
        print(f"bait that nobody could take: {line}")
    total = {what: sum(len(getattr(tier, what)) for tier in tiers) for what in ("escapes", "unnamed", "crashes")}
    attempts = {tier.name: tier.attempts for tier in tiers}
    ran = {"container_engine": engine, "control_group": group is not None, "user": os.geteuid()}
    figure("sandbox.attempts", sum(attempts.values()), "attempts", tiers=attempts, **ran)
    figure("sandbox.escapes", total["escapes"], "attempts", shown_outside=sum(e.shown for e in ESCAPES))
    figure("sandbox.host_crashes", total["crashes"], "attempts")
    figure("sandbox.unnamed", total["unnamed"], "attempts")
    figure("sandbox.baits_broken", len(broken), "attempts")
    figure("sandbox.fuel_values_of_3_runs", len(set(fuel)), "values", fuel=fuel[0])
    for name, value in latency.items():
        figure(f"sandbox.start_{name}_ms_p50", value, "ms")
    good = not any(total.values()) and not broken and len(set(fuel)) == 1 and min(attempts.values()) >= 40
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
