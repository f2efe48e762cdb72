"""The port of sandboxes: code goes in with limits, what it printed, made and used comes out.

Every limit ends or refuses what passes it, and the result names it. A sandbox gives code no network, no files but its
own small folder, and no other way out than the tools it is offered, whose calls go where `CallTool` sends them.
"""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Protocol

from msgspec import Struct


class Limit(StrEnum):
    """What may end an execution, as settings name it under `sandbox.limits`."""

    FUEL = "fuel"
    MEMORY = "memory_bytes"
    DEADLINE = "deadline_s"
    CPU = "cpu_s"
    OUTPUT = "output_bytes"
    RESULT = "result_bytes"
    FILES = "files_bytes"
    OPEN_FILES = "open_files"
    PROCESSES = "processes"
    TOOL_CALLS = "tool_calls"
    STACK = "stack"  # how deep calls nest; the engine's own, no setting


class Limits(Struct, frozen=True, kw_only=True):
    """How much one execution may use. Fuel is instructions of WebAssembly; processes and cpu_s are for containers."""

    fuel: int
    memory_bytes: int
    deadline_s: float
    cpu_s: float
    output_bytes: int
    result_bytes: int
    files_bytes: int
    open_files: int
    processes: int
    tool_calls: int


class Code(Struct, frozen=True, kw_only=True):
    """Python source, and what it is given.

    It finds `inputs` (JSON) as a variable, `files` in its working folder, and `tools` as `tools.NAME(argument=…)`; its
    variable `result` is returned, and so are files that it leaves. Where a tier is deterministic, `seed` makes
    randomness and `start_us` (microseconds since 1970) is when its clock starts.
    """

    source: str
    inputs: bytes = b"null"
    files: Mapping[str, bytes] = {}
    tools: tuple[str, ...] = ()
    seed: int = 0
    start_us: int = 0


class Meters(Struct, frozen=True, kw_only=True):
    """What an execution used. None is what cannot be measured. `limit` names what ended it, or is empty."""

    tier: str
    fuel: int | None
    memory_peak_bytes: int | None
    wall_s: float
    cpu_s: float | None
    output_bytes: int
    open_files_peak: int | None
    tool_calls: int
    limit: str = ""


class Result(Struct, frozen=True, kw_only=True):
    """What code left. `value` is JSON; `error` says in one line why it did not end well, or is empty."""

    output: str
    value: bytes
    error: str
    files: Mapping[str, bytes]
    meters: Meters


CallTool = Callable[[str, bytes], Awaitable[bytes]]
"""Calls a tool by name with arguments as JSON; returns JSON. AirsideError is told to the code as an exception."""


class Sandbox(Protocol):
    """A place where code is executed."""

    async def execute(self, code: Code, limits: Limits, call_tool: CallTool) -> Result:
        """Execute code to its end, bounded by limits.

        Raises AirsideError `tool_failed` if the sandbox itself died, `misconfigured` if there can be none.
        """
        ...

    async def close(self) -> None:
        """End everything that runs."""
        ...


def limit_text(limit: str, limits: Limits) -> str:
    """Return a sentence that names a limit, its value and what to do."""
    if limit == Limit.STACK:
        return "stack: calls or brackets are nested too deeply"
    return f"{limit}: the code used more than sandbox.limits.{limit} allows ({getattr(limits, limit)})"
