"""An agent for the tests of reviewing: it thinks, looks something up, and pays."""

from typing import Any

from airside.adapters.clients import ModelClient, ToolClient


async def careful(task: Any, model: ModelClient, tools: ToolClient) -> Any:
    """Ask the model, look the payee up, pay."""
    await model.text("whom do I pay?")
    await tools.call("find", name=task["to"])
    return await tools.call("pay", **task)
