"""Results of agents' own tools that guards have changed, in frameworks whose results are more than a value."""

from typing import Any

import pytest

from .conftest import House, calls, says

pytest.importorskip("langgraph")
pytest.importorskip("langchain_openai")

import langchain.agents
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from airside.adapters import langgraph


async def test_what_guards_take_out_of_a_message_with_more_to_it_is_told_the_same_again(house: House) -> None:
    @tool(response_format="content_and_artifact")
    def peek(text: str) -> tuple[str, dict[str, Any]]:
        """Look."""
        return "key sk-planted-4711", {"blob": [1, 2]}

    who = await house.begin()
    for _ in range(2):
        house.script += [calls(("peek", {"text": "p"})), says("ok")]
        small = ChatOpenAI(model="small", base_url=f"{house.url}/v1", api_key=house.context(who).token, max_retries=0)
        agent = langchain.agents.create_agent(small, [peek])
        await langgraph.run(agent, "m", house.context(who))
        who = await house.again(who)
    told = [said["content"] for asked in house.asked[1::2] for said in asked["messages"] if said["role"] == "tool"]
    assert told == ["key [SECRET]"] * 2
