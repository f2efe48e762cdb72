"""The tier `wasm`: what code gets, what it leaves, what stops it, and that the same code costs the same."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec
import pytest

from airside.core.errors import AirsideError, Code
from airside.linux import tree
from airside.sandbox import compiled
from airside.sandbox.port import Limit
from airside.sandbox.wasm import WasmSandbox
from tests.sandbox.conftest import LIMITS, execute, until, value

pytestmark = pytest.mark.timeout(900)  # the first test of a machine compiles the engine


async def test_inputs_files_output_and_result(wasm):
    source = """
print(inputs["a"])
result = {"length": len(open("in.txt").read())}
open("out.txt", "w").write("made inside")
"""
    result = await execute(wasm, source, inputs=b'{"a": [1, 2]}', files={"in.txt": b"hello"})
    assert result.output == "[1, 2]\n"
    assert value(result) == {"length": 5}
    assert result.files == {"out.txt": b"made inside"}
    assert result.meters.fuel > 0
    assert result.meters.memory_peak_bytes > 1_048_576
    assert result.meters.output_bytes == 7


async def test_numpy_is_there(wasm):
    assert value(await execute(wasm, "import numpy\nresult = int(numpy.arange(5).sum())")) == 10


DEMANDING = """
import random, time, os, json, uuid, secrets
pile = {uuid.uuid4().hex: random.random() for _ in range(200)}
while time.time() % 1 > 0.9: pass
time.sleep(random.random())
for n in range(5): open(f"f{n}", "w").write(secrets.token_hex(n))
print(sorted(os.listdir(".")), {hash(x) for x in "abc"}, time.time(), time.monotonic())
result = [sum(pile.values()), str(object())]
"""


async def test_fuel_is_identical_over_three_runs(wasm):
    runs = [await execute(wasm, DEMANDING, seed=7, start_us=1_800_000_000_000_000) for _ in range(3)]
    assert len({run.meters.fuel for run in runs}) == 1
    assert len({(run.output, run.value, run.meters.memory_peak_bytes) for run in runs}) == 1
    other = await execute(wasm, DEMANDING, seed=8, start_us=1_800_000_000_000_000)
    assert other.value != runs[0].value


async def test_sleep_takes_no_time_but_moves_the_clock(wasm):
    source = "import time\nbefore = time.time()\ntime.sleep(3600)\nresult = time.time() - before"
    result = await execute(wasm, source)
    assert value(result) >= 3600
    assert result.meters.wall_s < 5


@pytest.mark.parametrize(
    ("source", "limit"),
    [
        ("while True: pass", Limit.FUEL),
        ("x = bytearray(10**9)", Limit.MEMORY),
        ("pile = []\nwhile True: pile.append(' ' * 1_000_000)", Limit.MEMORY),
        ("import time\nwhile True: time.sleep(1)", Limit.DEADLINE),
        ("while True: print('x' * 1000)", Limit.OUTPUT),
        ("result = 'x' * 100_000", Limit.RESULT),
        ("kept = [open(f'f{n}', 'w') for n in range(100)]", Limit.OPEN_FILES),
        ("open('big', 'wb').write(b'x' * 5_000_000)", Limit.FILES),
        ("for n in range(5000): open(f'f{n}', 'w').close()", Limit.FILES),
        ("import json\njson.loads('[' * 100_000)", Limit.STACK),
    ],
)
async def test_each_limit_ends_what_passes_it_and_is_named(wasm, source, limit):
    limits = msgspec.structs.replace(LIMITS, deadline_s=1.0) if limit == Limit.DEADLINE else LIMITS
    result = await execute(wasm, source, limits)
    assert result.meters.limit == limit
    assert result.error.startswith(limit)
    assert len(result.output) <= LIMITS.output_bytes


async def test_tools_are_called_and_counted(wasm):
    asked = []

    async def call_tool(name: str, arguments: bytes) -> bytes:
        asked.append((name, arguments))
        if len(asked) == 2:
            raise AirsideError(Code.POLICY_DENIED, "not that one")
        return b'{"price": 3}'

    source = """
result = [tools.lookup(sku="a")["price"]]
try: tools.lookup(sku="b")
except ToolError as error: result.append(error.code)
for _ in range(9):
    try: tools.lookup(sku="c")
    except ToolError as error: result.append(error.code)
"""
    result = await execute(wasm, source, call_tool=call_tool, tools=("lookup",))
    assert value(result) == [3, "policy_denied", *["limit_exceeded"] * 6]
    assert len(asked) == LIMITS.tool_calls == result.meters.tool_calls
    assert asked[0] == ("lookup", b'{"sku": "a"}')


async def test_a_tool_it_was_not_given_is_unknown(wasm):
    source = """
import _host, json
result = json.loads(_host.call(b'{"op": "call", "tool": "rm", "arguments": {}}'))
"""
    assert value(await execute(wasm, source))["code"] == "unknown_tool"


@pytest.mark.parametrize(
    "frame", ['b"junk"', 'b"\\xff" * 9', 'b"[" * 60000', 'b\'{"op":"end","value":1,"files":{"a":"?"}}\'', 'b""']
)
async def test_broken_frames_end_in_a_result(wasm, frame):
    result = await execute(wasm, f"import _host\nfor _ in range(500): _host.call({frame})")
    assert result.meters.limit == Limit.TOOL_CALLS


async def test_an_ordinary_error_is_told_with_its_traceback(wasm):
    result = await execute(wasm, "def f():\n    return 1 / 0\nf()")
    assert result.error == "ZeroDivisionError: division by zero"
    assert 'File "code.py", line 2, in f' in result.output
    assert "guest" not in result.output


@pytest.mark.parametrize(
    "source",
    [
        "raise ValueError('\\ud800')",
        "result = '\\ud800'",
        "result = {1, 2}",
        "result = float('nan')",
        "raise SystemExit(3)",
    ],
)
async def test_what_cannot_be_carried_is_an_error(wasm, source):
    result = await execute(wasm, source)
    assert result.error
    assert result.value == b"null"


@pytest.mark.parametrize("source", ["import os; os._exit(0)", "import os; os.abort()"])
async def test_an_interpreter_that_ends_itself_leaves_an_error(wasm, source):
    assert "ended its interpreter" in (await execute(wasm, source)).error


async def test_two_executions_share_nothing(wasm):
    writes = "open('mine', 'w').write('secret')\nimport builtins\nbuiltins.mark = 1\ntools"
    reads = "import os, builtins\nresult = [os.listdir('.'), hasattr(builtins, 'mark')]"
    await execute(wasm, writes)
    assert value(await execute(wasm, reads)) == [[], False]
    first, second = await asyncio.gather(execute(wasm, writes + "\nx = list(range(10**6))"), execute(wasm, reads))
    assert not first.error
    assert value(second) == [[], False]


async def test_a_killed_child_is_told_and_its_place_is_taken(engine_folder):
    sandbox = WasmSandbox(engine_folder, spares=1, executions_max=1)
    try:
        running = asyncio.create_task(execute(sandbox, "while True: pass"))
        await until(lambda: sandbox._running)
        os.kill(next(iter(sandbox._running)).pid, signal.SIGKILL)
        with pytest.raises(AirsideError, match="died") as told:
            await running
        assert told.value.code == Code.TOOL_FAILED
        assert value(await execute(sandbox, "result = 1")) == 1
    finally:
        await sandbox.close()
    assert not [pid for pid in tree.descendants(os.getpid()) if b"wasm_child" in _command(pid)]


async def test_a_call_that_is_cancelled_takes_its_process_along(wasm):
    running = asyncio.create_task(execute(wasm, "while True: pass"))
    await until(lambda: wasm._running)
    pid = next(iter(wasm._running)).pid
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert pid not in tree.descendants(os.getpid())


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def test_when_airside_dies_its_sandboxes_die(engine_folder):
    program = f"""
import asyncio, sys
from pathlib import Path
from airside.sandbox.wasm import WasmSandbox
from tests.sandbox.conftest import execute
async def main():
    sandbox = WasmSandbox(Path({str(engine_folder)!r}), spares=1, executions_max=1)
    running = asyncio.create_task(execute(sandbox, "import time\\nwhile True: time.sleep(1)"))
    while not sandbox._running or not sandbox._spares or not sandbox._spares[0].done(): await asyncio.sleep(0.05)
    print(next(iter(sandbox._running)).pid, sandbox._spares[0].result().pid, flush=True)
    await running
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    async with asyncio.timeout(60):
        pids = [int(word) for word in (await process.stdout.readline()).split()]
    assert len(pids) == 2
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    await until(lambda: not any(b"wasm_child" in _command(pid) for pid in pids))


async def test_a_compiled_engine_that_others_could_have_written_is_not_loaded(engine_folder, tmp_path):
    place = compiled.place(engine_folder)
    copy = tmp_path / place.engine.name
    copy.symlink_to(place.engine)
    library = tmp_path / place.library.parent.name / place.library.name
    library.parent.mkdir()
    library.symlink_to(place.library)
    sandbox = WasmSandbox(tmp_path, spares=0, executions_max=1)
    with pytest.raises(AirsideError, match="did not start"):
        await execute(sandbox, "pass")
    copy.unlink()
    copy.write_bytes(b"no engine")
    copy.chmod(0o644)
    with pytest.raises(AirsideError, match="written by others") as refused:
        await execute(sandbox, "pass")
    assert refused.value.code == Code.MISCONFIGURED
    await sandbox.close()
