"""Attempts in containers: they run, reach the gateway and nothing else, leave nothing, and cannot take much."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from airside.config.sandbox import ContainerSettings
from airside.config.settings import AgentSettings
from airside.core.errors import AirsideError, Code
from airside.linux import engines, tree
from airside.runs.isolation.container import ContainerLauncher
from airside.runs.isolation.port import EndKind

from .conftest import AGENTS
from .test_confinement import value


@pytest.fixture
async def boxed() -> AsyncIterator[ContainerLauncher]:
    engine, problem = await engines.working("bubblewrap")
    if not engine:
        pytest.skip(f"nothing ran: {problem}")
    launcher = ContainerLauncher(ContainerSettings(engine="bubblewrap"))
    yield launcher
    await launcher.close()


@pytest.fixture
def run(boxed, spec):
    async def to_the_end(name, task=None, **changes):
        attempt = await boxed.start(spec(name, task, **changes))
        async with asyncio.timeout(60):
            return await attempt.wait()

    return to_the_end


async def test_an_agent_reaches_the_gateway_with_its_token(run, gateway):
    assert value(await run("ask", "who are you?")) == "I am the gateway"
    assert set(gateway.tokens) == {"bearer rt_the-token-of-this-run"}


async def test_it_is_nobody_without_any_capability(run, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-provider-key")
    monkeypatch.setenv("GRANTED", "yes")
    agent = AgentSettings(entry="trials:look", path=[AGENTS], env_pass=["GRANTED"])
    seen = value(await run("look", agent=agent))
    status = dict(line.split(":\t", 1) for line in seen["status"].splitlines() if ":\t" in line)
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert seen["uid"] == 65534
    assert seen["environment"]["GRANTED"] == "yes"
    assert "sk-the-provider-key" not in str(seen)


async def test_it_reaches_the_gateway_and_nothing_else(run, gateway):
    other = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    seen = value(await run("connect", [["127.0.0.1", 7878], ["127.0.0.1", port], ["1.1.1.1", 443], gateway.socket]))
    other.close()
    assert seen[0] == "connected"
    assert "connected" not in seen[1:]


async def test_it_sees_its_own_code_and_no_private_place(run, tmp_path):
    (tmp_path / "master.key").write_text("very secret")
    paths = [str(tmp_path / "master.key"), str(AGENTS / "trials.py"), "/etc/shadow", str(Path.home() / ".ssh")]
    seen = value(await run("read", paths))
    assert "very secret" not in str(seen)
    assert "Agents that try" in seen[str(AGENTS / "trials.py")]
    assert seen["/etc/shadow"] == seen[str(Path.home() / ".ssh")] == "FileNotFoundError"


async def test_a_command_runs_too(boxed, spec):
    agent = AgentSettings(adapter="command", command=["/bin/sh", "-c", "cat $AIRSIDE_TASK_FILE; echo $AIRSIDE_RUN_ID"])
    end = await (await boxed.start(spec("", {"a": 1}, agent=agent))).wait()
    assert value(end) == '{"a": 1}run_1'


async def test_an_agent_that_cannot_be_imported_is_named(boxed, spec):
    agent = AgentSettings(entry="nowhere:agent", path=[AGENTS], model="m")
    end = await (await boxed.start(spec("", agent=agent))).wait()
    assert end.kind is EndKind.RAISED
    assert end.code == Code.MISCONFIGURED
    assert "nowhere" in end.message


async def test_stop_ends_everything_within_five_seconds(boxed, spec):
    agent = AgentSettings(adapter="command", command=["/bin/sh", "-c", "trap '' TERM; sleep 600 & sleep 600"])
    attempt = await boxed.start(spec("", agent=agent))
    for _ in range(500):
        if any(b"sleep" in _command(pid) for pid in tree.descendants(os.getpid())):
            break
        await asyncio.sleep(0.02)
    async with asyncio.timeout(5):
        await attempt.stop()
    assert (await attempt.wait()).kind is EndKind.STOPPED
    assert not [pid for pid in tree.descendants(os.getpid()) if b"sleep" in _command(pid)]


async def test_a_result_that_is_too_large_is_refused(boxed, spec):
    agent = AgentSettings(adapter="command", command=["/bin/sh", "-c", "head -c 3000000 /dev/zero"])
    end = await (await boxed.start(spec("", agent=agent))).wait()
    assert end.code == Code.LIMIT_EXCEEDED


async def test_docker_needs_an_image(monkeypatch, spec, tmp_path):
    (tmp_path / "docker").write_text("#!/bin/sh\necho 28\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(AirsideError, match="attempt_image"):
        await ContainerLauncher(ContainerSettings(engine="docker")).start(spec("ask"))


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
