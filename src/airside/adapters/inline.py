"""Runs an agent inside the worker's own process: what the `inline` isolation is given by the plane."""

import asyncio
import importlib
import sys
from typing import Any

import msgspec

from airside.adapters.child import encode_result
from airside.adapters.port import Context
from airside.core.errors import AirsideError, Code
from airside.runs.isolation.port import AttemptSpec


async def run_agent(spec: AttemptSpec) -> bytes:
    """Import the agent (once), run it on the spec's task and return its result as JSON."""
    context = Context(
        run_id=spec.run_id,
        gateway_url=spec.gateway_url.rstrip("/"),
        token=spec.token,
        model=spec.agent.model,
        tools=tuple(spec.agent.tools),
    )
    adapter, entry = _load(spec)
    try:
        result = await adapter.run(entry, msgspec.json.decode(spec.input), context)
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if current and current.cancelling():
            raise
        raise AirsideError(Code.AGENT_FAILED, "the agent cancelled itself") from None
    return encode_result(result, spec.result_bytes_max)


def _load(spec: AttemptSpec) -> tuple[Any, Any]:
    for folder in reversed(spec.agent.path):
        if str(folder.absolute()) not in sys.path:
            sys.path.insert(0, str(folder.absolute()))
    module, _, name = spec.agent.entry.partition(":")
    try:
        adapter = importlib.import_module(f"airside.adapters.{spec.agent.adapter}")
        entry: Any = importlib.import_module(module)
        for part in (name or "agent").split("."):
            entry = getattr(entry, part)
    except Exception as error:
        problem = f"the agent {spec.agent.entry!r} cannot be imported: {type(error).__name__}: {error}"
        raise AirsideError(Code.MISCONFIGURED, problem) from error
    return adapter, entry
