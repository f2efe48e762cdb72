"""Plain agents: a function `agent(task, model, tools)`, async or not, of no framework."""

import asyncio
from typing import Any

from airside.adapters.clients import (
    BlockingModelClient,
    BlockingToolClient,
    Gateways,
    ModelClient,
    ToolClient,
    rehearse,
)
from airside.adapters.entries import in_thread, is_async
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
        if is_async(entry):
            return await entry(task, model, tools)
        loop = asyncio.get_running_loop()
        return await in_thread(entry, task, BlockingModelClient(model, loop), BlockingToolClient(tools, loop))
