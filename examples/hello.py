"""The smallest agent: it puts its task to the model and returns the answer."""

from airside.adapters.clients import ModelClient, ToolClient


async def agent(task: str, model: ModelClient, tools: ToolClient) -> str:
    """Return what the model says to the task."""
    return await model.text(task)
