"""Agents with the faults that the drills are about. They know nothing of airside but the clients they are given."""

from typing import Any

from airside.adapters.clients import ModelClient, ToolClient

LOOPS_MAX = 600
"""Where an agent gives up by itself that nothing stops: the drill has failed, and ends."""

NOTES = 30
NOTE = "Inspection note {number}: pump {number} runs at {rate} litres, bearing worn, order part P-{number}. "


async def spender(task: str, model: ModelClient, _tools: ToolClient) -> dict[str, int]:
    """Ask the model again and again, each time something new, for answers that are never good enough."""
    asked = 0
    while asked < LOOPS_MAX:
        asked += 1
        await model.text(f"{task} Attempt {asked}: write the report again, longer, from another angle.")
    return {"asked": asked}


async def reader(task: str, model: ModelClient, _tools: ToolClient) -> dict[str, int]:
    """Keep everything that was ever read in one conversation."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "You file inspection notes."},
        {"role": "user", "content": task},
    ]
    for number in range(NOTES):
        messages.append({"role": "user", "content": NOTE.format(number=number, rate=number * 7) * 5})
        messages.append(await model.complete(messages, max_completion_tokens=100))
    return {"notes": NOTES}


async def caller(task: str, model: ModelClient, _tools: ToolClient) -> dict[str, str]:
    """Make a few ordinary calls, one after the other."""
    for number in range(5):
        await model.text(f"{task} Step {number}.", max_completion_tokens=100)
    return {"done": task}
