"""The agent of bench-tools' approvals half: ten transfers at once, each of which a person must agree to."""

import asyncio
from typing import Any

from airside.adapters.clients import ModelClient, ToolClient

ITEMS = 10


async def transferring(task: str, model: ModelClient, tools: ToolClient) -> list[str]:
    """Ask for ten transfers, every other one by the tool that must not be sent twice; say what came of each."""

    async def one(item: int) -> Any:
        return await tools.call("wire" if item % 2 else "settle", run=task, item=item, amount=100 + item)

    answers = await asyncio.gather(*(one(item) for item in range(ITEMS)), return_exceptions=True)
    return [type(answer).__name__ for answer in answers]
