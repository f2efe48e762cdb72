"""Plain agents against real gateways."""

import asyncio
import socket

import pytest
from msgspec import structs

from airside.adapters import plain
from airside.adapters.clients import ModelRefused, ToolRefused
from airside.core.errors import AirsideError, Code
from airside.runs.isolation.failure import describe
from tests.gateways.tools.tooling import until

from .conftest import House, refusal, says


async def test_an_async_agent_uses_models_and_tools(house: House) -> None:
    who = await house.begin()
    house.script.append(says("found it"))

    async def agent(task, model, tools):
        names = {tool["name"] for tool in await tools.list()}
        order = await tools.call("find_order", order_id=task["order"])
        text = await model.text(f"Order: {order}", temperature=0)
        return {"names": sorted(names & {"find_order", "echo"}), "order": order, "text": text}

    result = await plain.run(agent, {"order": "A1"}, house.context(who))
    assert result["names"] == ["echo", "find_order"]
    assert result["order"]["order_id"] == "A1"
    assert result["text"] == "found it"
    assert house.asked[0]["model"] == "small"
    assert house.asked[0]["temperature"] == 0


async def test_an_ordinary_function_blocks_in_a_thread(house: House) -> None:
    who = await house.begin()
    house.script.append(says("yes"))

    def agent(task, model, tools):
        return [model.complete("well?")["content"], tools.call("echo", value="123"), tools.call("echo", value=[1])]

    assert await plain.run(agent, None, house.context(who)) == ["yes", "123", [1]]


async def test_refusals_of_tools_are_typed(house: House) -> None:
    who = await house.begin()
    seen = {}

    async def agent(task, model, tools):
        cases = {
            "denied": ("refund", {"order_id": "A1", "amount": 5, "reason": "late"}),
            "unknown": ("no_such_tool", {}),
            "invalid": ("find_order", {"order_id": 7}),
        }
        for case, (tool, arguments) in cases.items():
            with pytest.raises(ToolRefused) as caught:
                await tools.call(tool, **arguments)
            seen[case] = caught.value.code

    await plain.run(agent, None, house.context(who))
    assert seen == {
        "denied": Code.POLICY_DENIED,
        "unknown": Code.UNKNOWN_TOOL,
        "invalid": Code.INVALID_ARGUMENTS,
    }


async def test_a_foreign_token_and_a_spent_budget_raise_their_codes(house: House) -> None:
    who = await house.begin()
    house.script.append((402, refusal("budget_exhausted")))

    async def agent(task, model, tools):
        await model.complete("hello")

    with pytest.raises(ModelRefused) as caught:
        await plain.run(agent, None, house.context(who))
    assert caught.value.code == Code.BUDGET_EXHAUSTED
    assert describe(caught.value) == (describe(caught.value)[0], "budget_exhausted")

    async def other(task, model, tools):
        await tools.list()

    foreign = house.context(who)
    with pytest.raises(ToolRefused) as refused:
        await plain.run(
            other,
            None,
            structs.replace(foreign, token="rt_foreign"),
        )
    assert refused.value.code == Code.UNAUTHENTICATED


async def test_a_gateway_that_restarts_is_waited_for(house: House) -> None:
    who = await house.begin()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    tries = []

    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tries.append(await reader.read(1))
        writer.transport.abort()

    async def agent(task, model, tools):
        return await model.text("hello")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = b'{"choices": [{"message": {"content": "back again"}}]}'
        await reader.readuntil(b"hello")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    context = structs.replace(house.context(who), gateway_url=f"http://127.0.0.1:{port}")
    asking = asyncio.create_task(plain.run(agent, None, context))
    dropping = await asyncio.start_server(drop, "127.0.0.1", port)
    await until(lambda: tries, "a try is dropped")
    dropping.close()
    async with await asyncio.start_server(answer, "127.0.0.1", port):
        assert await asking == "back again"


async def test_an_entry_that_is_no_function_is_misconfigured(house: House) -> None:
    who = await house.begin()
    with pytest.raises(AirsideError, match="not a function"):
        await plain.run(42, None, house.context(who))
