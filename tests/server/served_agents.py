"""Agents that the server's tests run, inline."""

import asyncio
from typing import Any

from airside.adapters.clients import ModelClient, Refused, ToolClient


async def hello(task: Any, model: ModelClient, tools: ToolClient) -> str:
    """Ask the model once."""
    return await model.text(str(task))


async def sleeper(task: Any, model: ModelClient, tools: ToolClient) -> str:
    """Never end by itself."""
    await asyncio.get_running_loop().create_future()
    return "never"


async def intruder(task: Any, model: ModelClient, tools: ToolClient) -> dict[str, Any]:
    """Try the management API with the run's own token."""
    refused = []
    for path in ("/api/v1/runs", "/api/v1/kills"):
        try:
            await model._gateways.post(path, {}, Refused)
        except Refused as error:
            refused.append(error.code)
    return {"model": await model.text(str(task)), "refused": refused}


async def payer(task: Any, model: ModelClient, tools: ToolClient) -> Any:
    """Pay what the task says."""
    return await tools.call("pay", **task)
