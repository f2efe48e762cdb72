"""Plain agents: a function `agent(task, model, tools)`, async or not, of no framework."""

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Callable
from typing import Any

from airside.adapters.clients import (
    BlockingModelClient,
    BlockingToolClient,
    Gateways,
    ModelClient,
    ToolClient,
    rehearse,
)
from airside.adapters.port import Context
from airside.core.errors import AirsideError, Code


async def prepare(context: Context) -> None:
    """Import what the first call would."""
    await rehearse(context)


async def run(entry: Any, task: Any, context: Context) -> Any:
    """Call the agent with its task and two clients and return what it returns.

    An ordinary function gets blocking clients and a thread. Raises AirsideError `misconfigured` for no function.
    """
    if not callable(entry):
        raise AirsideError(Code.MISCONFIGURED, f"the agent's entry is a {type(entry).__name__}, not a function")
    async with Gateways(context) as gateways:
        model, tools = ModelClient(gateways), ToolClient(gateways)
        if inspect.iscoroutinefunction(entry) or inspect.iscoroutinefunction(type(entry).__call__):
            return await entry(task, model, tools)
        loop = asyncio.get_running_loop()
        return await _in_thread(entry, task, BlockingModelClient(model, loop), BlockingToolClient(tools, loop))


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a thread of its own.

    Not `asyncio.to_thread`: its executor needs one more thread to shut down, which an attempt at its limits cannot
    have, and the failure of that would hide the agent's.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(value)
        else:
            done.set_exception(error)

    def work() -> None:
        outcome: tuple[Any, BaseException | None]
        try:
            outcome = function(*arguments), None
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is awaited
            outcome = None, error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=work, name="agent", daemon=True).start()
    return await done
