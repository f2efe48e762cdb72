"""How attempts end: returned, raised, crashed or stopped, with nothing of them left alive."""

import asyncio
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airside.config.settings import AgentSettings
from airside.core.errors import AirsideError, Code
from airside.runs.isolation.port import EndKind

from .conftest import AGENTS


def marked(marker):
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                if marker.encode() in Path(entry.path, "cmdline").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


async def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)


async def test_an_exception_is_told_with_file_and_line(run):
    end = await run("raises")
    assert end.kind is EndKind.RAISED
    assert end.message.startswith("ValueError: the task makes no sense (trials.py:")
    assert end.code == ""


async def test_a_result_that_is_not_json_is_told(run):
    end = await run("unserialisable")
    assert end.kind is EndKind.RAISED
    assert "not JSON" in end.message
    assert "object" in end.message


async def test_a_result_may_have_so_many_bytes(run):
    assert len(json.loads((await run("large", 900_000)).result)) == 900_000
    end = await run("large", 1 << 20)
    assert (end.kind, end.code) == (EndKind.RAISED, Code.LIMIT_EXCEEDED)


async def test_leaving_the_interpreter_is_a_failure(run):
    end = await run("leaves")
    assert end.kind is EndKind.RAISED
    assert "SystemExit" in end.message


async def test_a_killed_agent_crashed_and_its_last_words_are_kept(run):
    end = await run("dies")
    assert end.kind is EndKind.CRASHED
    assert "signal 9 (SIGKILL)" in end.message
    assert end.message.endswith("the last words")
    assert len(end.message) < 5_000


async def test_an_agent_that_cannot_be_imported_names_file_and_line(launcher, spec):
    agent = AgentSettings(entry="broken:agent", path=[AGENTS])
    with pytest.raises(AirsideError) as caught:
        await launcher.start(spec("", agent=agent))
    assert caught.value.code is Code.MISCONFIGURED
    assert "JSONDecodeError" in caught.value.message
    missing = AgentSettings(entry="trials:no_such_name", path=[AGENTS])
    with pytest.raises(AirsideError, match="no_such_name"):
        await launcher.start(spec("", agent=missing))


async def test_stopping_takes_every_runaway_along_in_time(launcher, spec):
    marker = "98765.125" if launcher.spaces else "98765.25"
    attempt = await launcher.start(spec("daemons", {"marker": marker, "wait": True}))
    await until(lambda: len(marked(marker)) == 3)
    started = time.monotonic()
    await attempt.stop()
    assert time.monotonic() - started < 5
    assert marked(marker) == []
    assert (await attempt.wait()).kind is EndKind.STOPPED


async def test_what_an_agent_leaves_behind_ends_with_it(run, launcher):
    marker = "98765.375" if launcher.spaces else "98765.5"
    end = await run("daemons", {"marker": marker, "wait": False})
    assert end.kind is EndKind.RETURNED
    assert marked(marker) == []


async def test_a_well_behaved_agent_stops_at_once(launcher, spec):
    attempt = await launcher.start(spec("waits"))
    await until(lambda: attempt.pid)
    started = time.monotonic()
    await attempt.stop()
    assert time.monotonic() - started < 1.5


async def test_a_killed_preloaded_process_harms_no_attempt(launcher, spec, run):
    marker = "98765.625" if launcher.spaces else "98765.75"
    attempt = await launcher.start(spec("daemons", {"marker": marker, "wait": True}))
    await until(lambda: len(marked(marker)) == 3)
    before = {id(task) for task in launcher._zygotes.values()}
    for task in launcher._zygotes.values():
        os.kill(task.result()._process.pid, signal.SIGKILL)
        await task.result()._process.wait()
    assert len(marked(marker)) == 3
    fresh = spec("daemons", {"marker": "98765.8", "wait": False})
    assert (await (await launcher.start(fresh)).wait()).kind is EndKind.RETURNED
    assert not before & {id(task) for task in launcher._zygotes.values()}
    await attempt.stop()
    assert marked(marker) == []


async def test_a_killed_guard_is_a_crash_and_leaves_nothing(launcher, spec):
    marker = "98765.875" if launcher.spaces else "98765.9"
    attempt = await launcher.start(spec("waits"))
    await until(lambda: attempt.pid)
    stat = Path(f"/proc/{attempt.pid}/stat").read_text()
    guard = int(stat[stat.rindex(")") + 2 :].split()[1])
    os.kill(guard, signal.SIGKILL)
    end = await attempt.wait()
    assert end.kind is EndKind.CRASHED
    await until(lambda: not Path(f"/proc/{attempt.pid}").exists())
    assert marked(marker) == []


WORKER = """
import asyncio, sys, msgspec, pickle
from airside.runs.isolation.namespace import NamespaceLauncher
from airside.runs.isolation.process import ProcessLauncher
async def main():
    kind, spec = pickle.loads(sys.stdin.buffer.read())
    attempt = await {"process": ProcessLauncher, "namespace": NamespaceLauncher}[kind]().start(spec)
    await attempt.wait()
asyncio.run(main())
"""


async def test_when_the_worker_is_killed_nothing_survives(launcher, spec):
    marker = "98765.925" if launcher.spaces else "98765.95"
    kind = "namespace" if launcher.spaces else "process"
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, stdin=subprocess.PIPE)
    worker.stdin.write(pickle.dumps((kind, spec("daemons", {"marker": marker, "wait": True}))))
    worker.stdin.close()
    await until(lambda: len(marked(marker)) == 3)
    worker.kill()
    await worker.wait()
    await until(lambda: not marked(marker), 5)


async def test_a_command_is_confined_and_its_output_is_the_result(launcher, spec):
    script = "import os,sys; print(os.environ['AIRSIDE_TASK'], os.environ['OPENAI_API_KEY']); print(os.getcwd())"
    agent = AgentSettings(adapter="command", command=[sys.executable, "-c", script])
    end = await (await launcher.start(spec("", {"q": 1}, agent=agent))).wait()
    assert end.kind is EndKind.RETURNED, end.message
    text = json.loads(end.result)
    assert text.startswith('{"q": 1} rt_the-token-of-this-run\n/')
    script = (
        "import os,json; print(len(json.load(open(os.environ['AIRSIDE_TASK_FILE']))), 'AIRSIDE_TASK' in os.environ)"
    )
    long = AgentSettings(adapter="command", command=[sys.executable, "-c", script])
    end = await (await launcher.start(spec("", "x" * 300_000, agent=long))).wait()
    assert json.loads(end.result or "null") == "300000 False", end.message
    failing = AgentSettings(adapter="command", command=[sys.executable, "-c", "import sys; sys.exit('no luck')"])
    end = await (await launcher.start(spec("", agent=failing))).wait()
    assert end.kind is EndKind.RAISED
    assert "exit code 1" in end.message
    assert end.message.endswith("no luck")
    missing = AgentSettings(adapter="command", command=["/no/such/program"])
    end = await (await launcher.start(spec("", agent=missing))).wait()
    assert end.kind is EndKind.RAISED
    assert "/no/such/program cannot be executed" in end.message
