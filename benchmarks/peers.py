"""Other gateways, each set up as its own documentation says is fast, in front of the same fake provider.

They are installed by the benchmark itself, each into a folder of its own below AIRSIDE_BENCH_PEERS (default: the user's
cache), at the versions below, and kept there. None gets a database or an observability store: they only pass calls on.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.error import URLError
from urllib.request import Request, urlopen

import platformdirs
import psutil
import yaml
from msgspec import Struct

from benchmarks.load import Target

MODEL = "gpt-4o-mini"
START_S_MAX = 180.0
INSTALL_S_MAX = 600.0
LITELLM = ("litellm[proxy]==1.106.2", "opentelemetry-api", "opentelemetry-sdk")
PORTKEY = "@portkey-ai/gateway@1.15.2"
TENSORZERO = ("tensorzero==2026.6.0", "openai>=2")
_TENSORZERO_SERVER = """
import asyncio, sys
from openai import AsyncOpenAI
from tensorzero import patch_openai_client

async def main():
    client = patch_openai_client(AsyncOpenAI(api_key="none"), config_file=sys.argv[1], async_setup=False)
    print(client.base_url, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


T = TypeVar("T")


class Peer(Struct, frozen=True):
    """A running gateway: the process that is measured, and how it is asked."""

    process: psutil.Process
    target: Target


def folder() -> Path:
    """Return where the peers are installed."""
    chosen = os.environ.get("AIRSIDE_BENCH_PEERS")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_path("airside-bench")) / "peers"


@contextmanager
def litellm(upstream: str, key: str, work: Path) -> Iterator[Peer]:
    """LiteLLM's proxy in its production mode: one worker, no database, logs off, its aiohttp transport."""
    home = _venv("litellm", LITELLM)
    parameters = {"model": f"openai/{MODEL}", "api_base": upstream, "api_key": key}
    config = work / "litellm.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "model_list": [{"model_name": MODEL, "litellm_params": parameters}],
                "litellm_settings": {"set_verbose": False, "telemetry": False, "request_timeout": 600},
            }
        )
    )
    port = _free_port()
    command = [str(home / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    fast = {
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # instead of fetching one
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # it then checks no key, which is faster
    }
    with _running([*command, "--num_workers", "1"], fast, work / "litellm.log") as process:
        target = Target("litellm", f"http://127.0.0.1:{port}/v1", key)
        _answers(target, process, work / "litellm.log")
        yield Peer(process, target)


@contextmanager
def portkey(upstream: str, key: str, work: Path) -> Iterator[Peer]:
    """Portkey's gateway on Node, without its console."""
    home = folder() / "portkey"
    start = home / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    if not start.exists():
        home.mkdir(parents=True, exist_ok=True)
        _install(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(home), PORTKEY])
    port = _free_port()
    command = [_program("node"), str(start), f"--port={port}", "--headless"]
    trusted = {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost", "NODE_ENV": "production"}
    with _running(command, trusted, work / "portkey.log") as process:
        route = {"x-portkey-provider": "openai", "x-portkey-custom-host": upstream}
        target = Target("portkey", f"http://127.0.0.1:{port}/v1", key, headers=route)
        _answers(target, process, work / "portkey.log")
        yield Peer(process, target)


@contextmanager
def tensorzero(upstream: str, key: str, work: Path) -> Iterator[Peer]:
    """TensorZero's gateway, which its Python package embeds and serves over HTTP; observability off."""
    home = _venv("tensorzero", TENSORZERO)
    config = work / "tensorzero.toml"
    config.write_text(
        f"""
[gateway]
observability.enabled = false
[models.{MODEL}]
routing = ["fake"]
[models.{MODEL}.providers.fake]
type = "openai"
model_name = "{MODEL}"
api_base = "{upstream}/"
api_key_location = "env::FAKE_KEY"
"""
    )
    server = work / "tensorzero_server.py"
    server.write_text(_TENSORZERO_SERVER)
    command = [str(home / "bin" / "python"), str(server), str(config)]
    log = work / "tensorzero.log"
    with _running(command, {"FAKE_KEY": key}, log) as process:
        url = _told(process, log)
        target = Target("tensorzero", url, key, model=f"tensorzero::model_name::{MODEL}")
        _answers(target, process, log)
        yield Peer(process, target)


PEERS: Mapping[str, Callable[[str, str, Path], AbstractContextManager[Peer]]] = {
    "litellm": litellm,
    "portkey": portkey,
    "tensorzero": tensorzero,
}


def _venv(name: str, packages: tuple[str, ...]) -> Path:
    home = folder() / name
    done = home / "installed"
    wanted = "\n".join(packages)
    if not done.exists() or done.read_text() != wanted:
        shutil.rmtree(home, ignore_errors=True)
        home.parent.mkdir(parents=True, exist_ok=True)
        _install([sys.executable, "-m", "venv", str(home)])
        _install([str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages])
        done.write_text(wanted)
    return home


def _install(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()[-300:]}")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is not installed")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: list[str], environment: Mapping[str, str], log: Path) -> Iterator[psutil.Process]:
    """Run a peer with a bare environment of its own; nothing of ours reaches it."""
    bare = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    with log.open("w") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env={**bare, **environment, "HOME": str(log.parent)}
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _told(process: psutil.Process, log: Path) -> str:
    """Return the URL that a peer prints when it listens."""
    return _eventually(process, log, lambda: next(iter(re.findall(r"^http\S+$", log.read_text(), re.MULTILINE)), ""))


def _answers(target: Target, process: psutil.Process, log: Path) -> None:
    """Wait until a peer answers a call properly."""
    head, _, body = target.request(0).partition(b"\r\n\r\n")
    lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
    headers = {name: value for name, value in lines if name not in {"Host", "Content-Length"}}
    asked = Request(f"http://{target.host}:{target.port}{head.split()[1].decode()}", body, headers)

    def answered() -> bool:
        try:
            with urlopen(asked, timeout=10) as answer:
                return b"parcel" in answer.read()
        except (URLError, OSError):
            return False

    _eventually(process, log, answered)


def _eventually(process: psutil.Process, log: Path, look: Callable[[], T]) -> T:
    deadline_s = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline_s and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise RuntimeError(f"it did not start: {log.read_text().strip()[-300:]}")
