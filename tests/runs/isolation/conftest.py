"""A worker's view: specs of attempts, launchers of both kinds, and a small gateway to talk to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from airside.config.settings import AgentSettings
from airside.runs.isolation.namespace import NamespaceLauncher, unavailable
from airside.runs.isolation.port import AttemptEnd, AttemptSpec
from airside.runs.isolation.process import ProcessLauncher

AGENTS = Path(__file__).parent / "agents"
START_US = 1_700_000_000_000_000
RECORDED_US = 1_700_000_123_000_000

Spec = Callable[..., AttemptSpec]
Run = Callable[..., Any]


class Gateway:
    """Answers every request like a model that says its name; remembers who asked."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.port = 0
        self.socket = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            headers = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:] if ": " in line)
            await reader.readexactly(int(headers.get("content-length", 0)))
            self.tokens.append(headers.get("authorization", ""))
            body = json.dumps({"choices": [{"message": {"role": "assistant", "content": "I am the gateway"}}]}).encode()
            lines = ("HTTP/1.1 200 OK", "content-type: application/json", f"content-length: {len(body)}")
            clock = (f"x-airside-clock: {RECORDED_US}", "x-airside-replayed: true", "", "")
            writer.write("\r\n".join((*lines, *clock)).encode() + body)
            await writer.drain()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway on TCP, and on a Unix socket in a folder that only its owner may enter."""
    answering = Gateway()
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    answering.socket = str(folder / "gateway.sock")
    tcp = await asyncio.start_server(answering.answer, "127.0.0.1", 0)
    unix = await asyncio.start_unix_server(answering.answer, answering.socket)
    answering.port = tcp.sockets[0].getsockname()[1]
    yield answering
    tcp.close()
    unix.close()


@pytest.fixture
def spec(gateway: Gateway) -> Spec:
    """Make specs of attempts of the agents in `trials`."""

    def make(name: str, task: Any = None, **changes: Any) -> AttemptSpec:
        agent = changes.pop("agent", None) or AgentSettings(entry=f"trials:{name}", path=[AGENTS], model="m")
        given: dict[str, Any] = {
            "tenant_id": "default",
            "run_id": "run_1",
            "attempt": 1,
            "agent_name": "trial",
            "agent": agent,
            "input": json.dumps(task).encode(),
            "token": "rt_the-token-of-this-run",
            "gateway_url": f"http://127.0.0.1:{gateway.port}",
            "gateway_socket": gateway.socket,
            "seed": 7,
            "start_us": START_US,
            "clock": "journal",
            "memory_bytes_max": 1 << 30,
            "processes_max": 40,
            "open_files_max": 64,
            "result_bytes_max": 1 << 20,
            "hidden_paths": (),
        }
        return AttemptSpec(**(given | changes))

    return make


@pytest.fixture(params=["process", "namespace"])
async def launcher(request: pytest.FixtureRequest) -> AsyncIterator[ProcessLauncher]:
    """Each kind of launcher that forks."""
    if request.param == "namespace" and (reason := await unavailable()):
        pytest.skip(f"this kernel gives no namespaces: {reason}")
    kind = NamespaceLauncher if request.param == "namespace" else ProcessLauncher
    launching = kind()
    yield launching
    await launching.close()


@pytest.fixture
def run(launcher: ProcessLauncher, spec: Spec) -> Run:
    """Run an agent to its end."""

    async def to_the_end(name: str, task: Any = None, **changes: Any) -> AttemptEnd:
        attempt = await launcher.start(spec(name, task, **changes))
        async with asyncio.timeout(30):
            return await attempt.wait()

    return to_the_end
