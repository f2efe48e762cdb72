"""Agents in the worker's own process."""

import asyncio
import json
from pathlib import Path

import pytest
from msgspec import structs

from airside.adapters.inline import run_agent
from airside.config.settings import AgentSettings
from airside.core.errors import Code
from airside.runs.isolation.inline import InlineLauncher
from airside.runs.isolation.port import AttemptSpec, EndKind


@pytest.fixture
def spec(tmp_path: Path) -> AttemptSpec:
    (tmp_path / "inline_agents.py").write_text(
        "import asyncio\n"
        "async def double(task, model, tools):\n    return task * 2\n"
        "def fails(task, model, tools):\n    raise ValueError('no')\n"
        "async def waits(task, model, tools):\n    await asyncio.sleep(3600)\n"
        "async def cancels(task, model, tools):\n    raise asyncio.CancelledError\n"
    )
    return AttemptSpec(
        tenant_id="default",
        run_id="run_1",
        attempt=1,
        agent_name="a",
        agent=AgentSettings(entry="inline_agents:double", path=[tmp_path]),
        input=b"21",
        token="rt_x",
        gateway_url="http://127.0.0.1:9",
        gateway_socket="",
        seed=1,
        start_us=0,
        clock="journal",
        memory_bytes_max=1,
        processes_max=1,
        open_files_max=1,
        result_bytes_max=1_000,
        hidden_paths=(),
    )


def of(spec: AttemptSpec, name: str) -> AttemptSpec:
    return structs.replace(spec, agent=AgentSettings(entry=f"inline_agents:{name}", path=spec.agent.path))


async def test_results_failures_and_stops(spec: AttemptSpec) -> None:
    launcher = InlineLauncher(run_agent)
    end = await (await launcher.start(spec)).wait()
    assert (end.kind, json.loads(end.result)) == (EndKind.RETURNED, 42)
    end = await (await launcher.start(of(spec, "fails"))).wait()
    assert end.kind is EndKind.RAISED
    assert end.message == "ValueError: no (inline_agents.py:5)"
    end = await (await launcher.start(of(spec, "cancels"))).wait()
    assert end.kind is EndKind.RAISED
    end = await (await launcher.start(of(spec, "missing"))).wait()
    assert (end.kind, end.code) == (EndKind.RAISED, Code.MISCONFIGURED)
    waiting = await launcher.start(of(spec, "waits"))
    await asyncio.sleep(0)
    await launcher.close()
    assert (await waiting.wait()).kind is EndKind.STOPPED
