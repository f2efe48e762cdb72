"""Which isolation an attempt gets, and what a worker is told where the kernel gives less."""

import asyncio
import json

import pytest

from airside.adapters.inline import run_agent
from airside.config.settings import AgentSettings
from airside.runs.isolation import choose, namespace
from airside.runs.isolation.choose import ChosenLauncher
from airside.runs.isolation.port import EndKind

from .conftest import AGENTS


async def test_auto_is_the_best_that_the_kernel_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    launcher = ChosenLauncher("auto", run_agent)
    expected = "process" if await namespace.unavailable() else "namespace"
    assert await launcher.resolved("auto") == expected
    assert await launcher.resolved("process") == "process"
    assert await launcher.resolved("inline") == "inline"


async def test_without_namespaces_auto_is_process_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def refused() -> str:
        return "unshare: Operation not permitted"

    monkeypatch.setattr(choose, "unavailable", refused)
    launcher = ChosenLauncher("auto", run_agent)
    kinds = await asyncio.gather(launcher.resolved("auto"), launcher.resolved("auto"))
    assert kinds == ["process", "process"]
    printed = capsys.readouterr().out
    assert printed.count("isolation_weaker") == 1
    assert "Operation not permitted" in printed


async def test_an_agent_may_ask_for_its_own_isolation(spec, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    launcher = ChosenLauncher("inline", run_agent)
    inline = await (await launcher.start(spec("count", 1))).wait()
    agent = AgentSettings(entry="trials:count", path=[AGENTS], isolation="process")
    apart = await (await launcher.start(spec("count", 1, agent=agent))).wait()
    command = AgentSettings(adapter="command", command=["/bin/echo", "apart"])
    echoed = await (await launcher.start(spec("", agent=command))).wait()
    await launcher.close()
    assert inline.kind is apart.kind is EndKind.RETURNED
    assert "airside-attempt-" in json.loads(apart.result)["folder"]
    assert "airside-attempt-" not in json.loads(inline.result)["folder"]
    assert json.loads(echoed.result) == "apart"


async def test_a_zygote_is_used_again_and_renewed_for_a_new_release(spec) -> None:
    launcher = ChosenLauncher("process", run_agent)
    process = launcher._launchers["process"]
    for _ in range(2):
        assert (await (await launcher.start(spec("count", 1))).wait()).kind is EndKind.RETURNED
    assert len(process._zygotes) == 1
    assert (await (await launcher.start(spec("count", 1, release="rel_2"))).wait()).kind is EndKind.RETURNED
    assert len(process._zygotes) == 2
    await launcher.close()
