"""Agents that hand tasks to one another, for test_handoffs."""

import asyncio
from typing import Any

from airside.adapters.clients import ModelClient, ToolClient, ToolRefused


async def boss(task: Any, model: ModelClient, tools: ToolClient) -> Any:
    """Hand each part of the task on, one after the other or (`at_once`) together."""
    parts = task["parts"]
    if task.get("at_once"):
        return await asyncio.gather(*(tools.call(task["tool"], task=part) for part in parts))
    return [await tools.call(task["tool"], task=part) for part in parts]


async def clerk(task: Any, model: ModelClient, tools: ToolClient) -> Any:
    """Pay as told: `anna 3`."""
    if task == "sleep":
        await asyncio.get_running_loop().create_future()
    if task == "fail":
        raise RuntimeError("no such account")
    to, amount = task.split()
    try:
        return await tools.call("pay", to=to, amount_usd=float(amount))
    except ToolRefused as error:
        return {"refused": error.code}


async def regress(task: Any, model: ModelClient, tools: ToolClient) -> Any:
    """Hand the task to an agent of its own kind, without end."""
    try:
        return await tools.call("again", task=task)
    except ToolRefused as error:
        return str(error)
