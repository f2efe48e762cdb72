"""One attempt, in the process that was forked for it: seed, clock, agent, result, report."""

import asyncio
import os
import sys
from typing import Any, NoReturn

import msgspec
from msgspec import Struct

from airside.adapters import clock, command, determinism, http_hooks
from airside.adapters.port import Adapter, Context
from airside.core import canonical
from airside.core.errors import AirsideError, Code
from airside.runs.isolation.failure import describe
from airside.runs.isolation.wire import Orders, Report, encode


class Agent(Struct, frozen=True):
    """An imported agent and the adapter that knows how to run it."""

    adapter: Adapter
    entry: Any


def perform(orders: Orders, report: int, agent: Agent | None) -> NoReturn:
    """Run the agent once, write the report, and end this process. Without an agent, the orders' command is executed."""
    if agent is None:
        command.execute(orders, report)
    determinism.seed(orders.seed)
    http_hooks.hooks.token = orders.token
    if orders.clock == "journal":
        http_hooks.hooks.saw = clock.install(orders.start_us).saw
    try:
        message = Report(result=asyncio.run(_run(agent, orders)))
    except BaseException as error:  # noqa: BLE001 - SystemExit and the like of an agent are its failures too
        problem, code = describe(error)
        message = Report(problem=problem, code=code)
    _write(report, encode(message))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)  # threads that the agent left behind, and its exit handlers, have no say any more


async def _run(agent: Agent, orders: Orders) -> bytes:
    context = Context(
        run_id=orders.run_id,
        gateway_url=orders.gateway_url,
        token=orders.token,
        model=orders.model,
        tools=orders.tools,
    )
    result = await agent.adapter.run(agent.entry, msgspec.json.decode(orders.input), context)
    return encode_result(result, orders.result_bytes_max)


def encode_result(result: Any, bytes_max: int) -> bytes:
    """Return an agent's result as canonical JSON; raises AirsideError for what is not JSON or too large."""
    try:
        body = canonical.encode(_plain(result))
    except AirsideError as error:
        raise AirsideError(Code.AGENT_FAILED, f"the agent's result is not JSON: {error.message}") from None
    if len(body) > bytes_max:
        raise AirsideError(
            Code.LIMIT_EXCEEDED, f"the agent's result has {len(body)} bytes; at most {bytes_max} are kept"
        )
    return body


def _plain(result: Any) -> Any:
    """Return pydantic models, dataclasses, Structs, dates and the like as JSON values."""
    dump = getattr(result, "model_dump", None)
    if callable(dump) and not isinstance(result, type):
        return dump(mode="json")
    try:
        return msgspec.to_builtins(result, str_keys=True)
    except (TypeError, ValueError):
        return result  # the canonical form says what is wrong with it


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
