"""A fleet of real airside processes on this machine, to be measured, frozen and killed by benchmarks."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from airside.cli.client import Client
from airside.core.errors import AirsideError

HERE = Path(__file__).parent
START_S_MAX = 60.0
STOP_S_MAX = 15.0


class Member:
    """One airside process: its command, its port, its folder, and the process while it runs."""

    def __init__(self, name: str, argv: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
        self.name = name
        self.argv = tuple(argv)
        self.port = free_port()
        self.folder = folder
        self.environ = dict(environ)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process id; raises if it does not run."""
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Start it (again) on the same port."""
        environ = os.environ | self.environ | {"AIRSIDE_SERVER__PORT": str(self.port)}
        environ["AIRSIDE_DATA_DIR"] = str(self.folder / self.name)
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "airside", "--config", str(self.folder / "airside.yaml"), *self.argv],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environ,
                start_new_session=True,
            )

    def ready(self) -> bool:
        """Whether it answers; raises RuntimeError with its log's end if it has exited."""
        assert self.process is not None
        if self.process.poll() is not None:
            tail = (self.folder / f"{self.name}.log").read_text(errors="replace")[-3_000:]
            raise RuntimeError(f"{self.name} exited with {self.process.returncode}:\n{tail}")
        client = Client(self.url, "")
        try:
            client.get("/healthz")
        except AirsideError:
            return False
        finally:
            client.close()
        return True

    def kill(self) -> None:
        """SIGKILL it."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def freeze(self) -> None:
        """SIGSTOP it: it becomes a zombie-to-be."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT it."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it in an orderly way, or else by force."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                self.kill()


class Fleet:
    """Members that share a configuration and a database."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.members: dict[str, Member] = {}
        self._environ = {**(environ or {}), "AIRSIDE_MASTER_KEY_FILE": str(folder / "master.key")}
        (folder / "airside.yaml").write_text(yaml.safe_dump(dict(settings), sort_keys=False))
        key = folder / "master.key"
        if not key.exists():
            key.write_text(os.urandom(32).hex())
            key.chmod(0o600)

    def add(self, name: str, *argv: str, gateway: str = "", environ: Mapping[str, str] | None = None) -> Member:
        """Start a member and wait until it answers. A worker's attempts use the member `gateway`."""
        more = {"AIRSIDE_SERVER__GATEWAY_URL": self.members[gateway].url} if gateway else {}
        member = Member(name, argv, self.folder, self._environ | more | dict(environ or {}))
        self.members[name] = member
        member.start()
        until(member.ready, f"{name} to answer", START_S_MAX)
        return member

    def restart(self, name: str) -> None:
        """Start a killed member again and wait until it answers."""
        self.members[name].start()
        until(self.members[name].ready, f"{name} to answer again", START_S_MAX)

    @contextmanager
    def client(self, name: str) -> Iterator[Client]:
        """A client of a member with the admin key that was made at the first start."""
        file = until(lambda: next(self.folder.glob("*/cli.key"), None), "the first start's admin key", START_S_MAX)
        key = file.read_text().strip()
        client = Client(self.members[name].url, key)
        try:
            yield client
        finally:
            client.close()

    def stop(self) -> None:
        """Stop every member."""
        for member in reversed(self.members.values()):
            member.stop()


def until(look: Callable[[], Any], what: str, seconds_max: float, pause_s: float = 0.02) -> Any:
    """Return the first true value that `look` gives; raises TimeoutError."""
    give_up = time.monotonic() + seconds_max
    while time.monotonic() < give_up:
        if seen := look():
            return seen
        time.sleep(pause_s)
    raise TimeoutError(f"waited {seconds_max:.0f} s for {what}")


def free_port() -> int:
    """Return a port of loopback that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def descendants(pid: int, word: str) -> list[int]:
    """Return the processes below `pid` whose command line holds `word`, from /proc."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, open_ends = [], [pid]
    while open_ends:
        for child in children.get(open_ends.pop(), ()):
            open_ends.append(child)
            try:
                command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if word in command:
                found.append(child)
    return found


def settings(database_url: str, *, delay_ms: int, isolation: str, script: Path) -> dict[str, Any]:
    """Return the configuration that the benchmarks of runs share; `script` is written here."""
    turns = [{"say": "Go on.", "delay_ms": delay_ms}]
    script.write_text(yaml.safe_dump({"name": "bench", "turns": turns}))
    agent = {"model": "bench", "tools": ["look", "pay", "post"], "runs_max": 1_000, "attempts_max": 20}
    names = ("steady", "fickle", "three_calls", "clock_in")
    return {
        "database": {"url": database_url},
        "providers": {"bench": {"kind": "scripted", "script": str(script)}},
        "models": {"bench": {"provider": "bench", "price": {"input": "1.00", "output": "4.00"}}},
        "agents": {
            name: agent | {"entry": f"benchmarks.chaos_agents:{name}", "path": [str(HERE.parent)]} for name in names
        },
        "tools": {"modules": ["benchmarks.chaos_tools"], "path": [str(HERE.parent)], "env_pass": ["LEDGER"]},
        "policy": {"file": str(HERE / "chaos_policy.yaml")},
        "runs": {
            "isolation": isolation,
            "slots": 16,
            "tenant_runs_max": 1_000,
            "lease_renew_s": 0.5,
            "lease_expire_s": 3.0,
            "divergence_wait_s": 3.0,
        },
    }
