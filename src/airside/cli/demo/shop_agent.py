"""The shop's agents: ordinary tool-calling loops that know nothing of airside but the two clients they are given."""

import json
from typing import Any

from airside.adapters.clients import ModelClient, ToolClient, ToolRefused

SUPPORT = (
    "You are the support agent of a small kitchenware shop. Look orders up before you speak about them. "
    "If a tool is refused, tell the customer plainly and do not try again."
)
ANSWER_TOKENS_MAX = 400


async def support(task: str, model: ModelClient, tools: ToolClient) -> dict[str, str]:
    """Answer one customer; the loop every framework has inside."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": SUPPORT}, {"role": "user", "content": task}]
    offered = [
        {
            "type": "function",
            "function": {"name": item["name"], "description": item["description"], "parameters": item["inputSchema"]},
        }
        for item in await tools.list()
    ]
    while True:
        answer = await model.complete(messages, tools=offered, max_completion_tokens=ANSWER_TOKENS_MAX)
        messages.append(answer)
        if not answer.get("tool_calls"):
            return {"answer": answer["content"]}
        for call in answer["tool_calls"]:
            result = await _call(tools, call["function"]["name"], json.loads(call["function"]["arguments"]))
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": json.dumps(result)})


async def watcher(task: str, model: ModelClient, tools: ToolClient) -> dict[str, str]:
    """An agent with a bug: it asks again and again until an order that never moves has arrived."""
    looks = 0
    while True:
        order = await tools.call("find_order", order_id=int(task))
        looks += 1
        verdict = await model.text(
            f"Look {looks}: has this order been delivered? Answer yes or no. {json.dumps(order)}"
        )
        if verdict.lower().startswith("yes"):
            return {"answer": f"delivered after {looks} looks"}


async def _call(tools: ToolClient, name: str, arguments: dict[str, Any]) -> Any:
    try:
        return await tools.call(name, **arguments)
    except ToolRefused as refusal:
        return {"refused": refusal.code, "why": refusal.message}
