"""Agents that hand tasks to one another, for test_handoffs."""

import asyncio
from typing import Any

from airside.adapters.clients import ModelClient, ToolClient, ToolRefused
from airside.adapters.gate import Gate


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


async def warden(task: Any, model: ModelClient, tools: ToolClient) -> Any:
    """Give a sub-agent less, and tell how far it gets."""
    told: dict[str, Any] = {}
    only_small = {"name": "only-small", "then": "deny", "tools": ["pay"], "amount": {"above": 2}}
    async with tools.narrowed(tools=["pay"], rules=[only_small]) as weaker:
        told["offered"] = [tool["name"] for tool in await weaker.list()]
        told["small"] = (await weaker.call("pay", to="anna", amount_usd=1))["amount_usd"]
        told["large"] = await _refusal(weaker.call("pay", to="anna", amount_usd=5))
        told["other"] = await _refusal(weaker.call("ask_clerk", task="anna 1"))
        wide = {"name": "all", "then": "allow", "tools": ["*"]}
        async with weaker.narrowed(tools=["pay", "ask_clerk"], rules=[wide]) as weakest:
            told["regained"] = [tool["name"] for tool in await weakest.list()]
            told["large_again"] = await _refusal(weakest.call("pay", to="bert", amount_usd=5))
    told["own"] = (await tools.call("pay", to="anna", amount_usd=5))["amount_usd"]
    return told


async def delegate(task: Any, model: ModelClient, tools: ToolClient) -> Any:
    """Hand the task on with a token that may not pay anna."""
    rule = {"name": "no-anna", "then": "deny", "tools": ["pay"], "arguments": {"to": {"equals": "anna"}}}
    async with tools.narrowed(tools=["ask_clerk"], rules=[rule | {"because": "Anna wrote: never"}]) as weaker:
        return (await weaker.call("ask_clerk", task=task))["result"]


async def middle(task: Any, model: ModelClient, tools: ToolClient) -> Any:
    """Hand the task on as it is."""
    return (await tools.call("ask_clerk", task=task))["result"]


async def scribbler(task: Any, model: ModelClient, tools: ToolClient) -> Any:
    """Use a tool of one's own, with all that the token may do and with less."""

    async def scribble(_arguments: Any) -> str:
        return "done"

    told = {}
    for name, only in (("all", None), ("named", ["scribble"]), ("other", ["pay"])):
        async with tools.narrowed(tools=only) as weaker:
            done = Gate(weaker._gateways).run("scribble", {"as": name}, None, scribble)
            told[name] = (await _refusal(done)).partition(":")[0]
    return told


async def asker(task: Any, model: ModelClient, tools: ToolClient) -> list[str]:
    """Ask for tokens in ways that make no sense, and tell what is said."""
    return [await _refusal(tools._gateways.post("/v1/tokens", body, ToolRefused)) for body in task]


async def _refusal(call: Any) -> str:
    try:
        return f"allowed: {await call}"
    except ToolRefused as error:
        return error.code


async def regress(task: Any, model: ModelClient, tools: ToolClient) -> Any:
    """Hand the task to an agent of its own kind, without end."""
    try:
        return await tools.call("again", task=task)
    except ToolRefused as error:
        return str(error)
