"""The agents of bench-chaos and bench-runs: six calls each, three to a model and three to tools with effects."""

import asyncio
import secrets
import time
from typing import Any

from airside.adapters.clients import ModelClient, Refused, ToolClient


async def steady(task: str, model: ModelClient, tools: ToolClient) -> dict[str, Any]:
    """A deterministic agent: look, pay (idempotent), post (not idempotent), each after a word from the model."""
    said = [await model.text(f"{task}: what first?")]
    await tools.call("look", run=task)
    said.append(await model.text(f"{task}: what next?"))
    await tools.call("pay", run=task, note="steady")
    said.append(await model.text(f"{task}: what last?"))
    await tools.call("post", run=task, note="steady")
    return {"said": said}


async def fickle(task: str, model: ModelClient, tools: ToolClient) -> dict[str, Any]:
    """An agent that puts fresh random text and the time into its calls, so that it cannot be replayed."""
    said = [await model.text(f"{task}: what first? {secrets.token_hex(8)}")]
    await tools.call("look", run=task)
    said.append(await model.text(f"{task}: what next? {time.time_ns()}"))
    await tools.call("pay", run=task, note=secrets.token_hex(8))
    said.append(await model.text(f"{task}: what last? {time.time_ns()}"))
    await tools.call("post", run=task, note=f"{time.time_ns()} {secrets.token_hex(4)}")
    return {"said": said}


async def three_calls(task: str, model: ModelClient, tools: ToolClient) -> str:
    """The agent of bench-runs: model, tool, model."""
    await model.text(f"{task}: what first?")
    await tools.call("look", run=task)
    return await model.text(f"{task}: what last?")


async def clock_in(task: str, model: ModelClient, tools: ToolClient) -> int:
    """Return the real time at which agent code began to run, in microseconds, making no call."""
    return time.time_ns() // 1_000


async def kill_loop(task: str, model: ModelClient, tools: ToolClient) -> None:
    """Call model and tool without end, refused or not, until somebody kills it; a `busy` task lingers in an effect."""
    if task.startswith("busy"):
        await tools.call("linger", run=task)
    looks = 0
    while True:
        looks += 1
        try:
            await model.text(f"{task}: look {looks}?")
            await tools.call("look", run=f"{task} {looks}")
        except Refused:
            await asyncio.sleep(0.02)
