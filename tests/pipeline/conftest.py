"""A plane in memory with one running run and tools of every kind."""

from collections.abc import AsyncIterator

import pytest

from airside.core.call import Effect
from airside.core.run import Identity
from airside.core.tool import Tool
from airside.policy import parse
from airside.testing import InMemoryPlane

READ = Tool(name="look", description="", schema={}, effect=Effect.READ, idempotent=True)
WRITE = Tool(name="refund", description="", schema={}, effect=Effect.WRITE, amount_argument="amount")
SAFE = Tool(name="put", description="", schema={}, effect=Effect.WRITE, idempotent=True)
LOCAL = Tool(name="own", description="", schema={}, effect=Effect.WRITE, local=True)
FORBIDDEN = Tool(name="drop", description="", schema={}, effect=Effect.EXECUTE)
RULES = """
rules:
  - {name: all, then: allow, tools: [look, refund, put, own]}
  - {name: big, then: ask, tools: [refund], amount: {above: 50}}
  - {name: huge, then: deny, tools: [refund], amount: {above: 1000}}
"""


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
async def plane(request: pytest.FixtureRequest) -> AsyncIterator[InMemoryPlane]:
    url = "memory:" if request.param == "memory" else request.getfixturevalue("postgres_url")
    tools = [READ, WRITE, SAFE, LOCAL, FORBIDDEN]
    async with InMemoryPlane(policy=parse(RULES), tools=tools, database_url=url) as opened:
        yield opened


@pytest.fixture
async def run(plane: InMemoryPlane) -> Identity:
    return await plane.start_run()
