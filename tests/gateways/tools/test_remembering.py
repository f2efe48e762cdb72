"""Results of reading tools that are given again: to whom, how long, and never what an effect has made stale."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from airside.core import canonical
from airside.core.call import Call, Effect
from airside.core.errors import AirsideError, Code
from airside.core.ports import Forward, Transaction
from airside.core.run import Identity
from airside.core.tool import Tool
from airside.gateways.http import Caller
from airside.gateways.tools.catalogue import ToolCatalogue
from airside.gateways.tools.gateway import ToolGateway, tool_of
from airside.gateways.tools.remembering.outdate import Outdate
from airside.gateways.tools.remembering.shelf import Shelf
from airside.gateways.tools.remembering.step import Remembering
from airside.journal.queries import Query
from airside.pipeline.compose import compose
from airside.pipeline.evidence import Evidence
from airside.pipeline.permit import Permit
from airside.policy import parse
from airside.testing import InMemoryPlane
from airside.testing.calls import token_of

ANY = {"type": "object"}
TOOLS = (
    Tool(name="search", description="", schema=ANY, effect=Effect.READ, cache_ttl_s=3_600),
    Tool(name="price", description="", schema=ANY, effect=Effect.READ, cache_ttl_s=60, cache_shared=True),
    Tool(name="now", description="", schema=ANY, effect=Effect.READ),
    Tool(name="set_price", description="", schema=ANY, effect=Effect.WRITE, invalidates=("price",)),
    Tool(name="careless", description="", schema=ANY, effect=Effect.WRITE, cache_ttl_s=60),
)


class Shop:
    """The real pipeline with the cache in it, and tools that count how often they run."""

    def __init__(self, plane: InMemoryPlane) -> None:
        self.plane = plane
        self.shelf = Shelf(plane.backend.database, plane.keyring)
        self.ran: list[str] = []
        self.during: Callable[[Call], Awaitable[None]] | None = None
        catalogue = ToolCatalogue({}, [(tool, self.run) for tool in TOOLS])
        self.gateway = ToolGateway(self.pipeline, catalogue, None)

    def pipeline(self, terminal: Forward) -> Forward:
        plane = self.plane
        identify, replay, _, _, _, retry, record = plane.steps()
        evidence = Evidence(plane.witnesses, tool_of, plane.clock)
        permit, remembering = Permit(plane.policy, tool_of), Remembering(self.shelf, plane.keyring)
        inner = compose([Outdate(self.shelf)], terminal)
        return compose([identify, replay, evidence, permit, remembering, retry, record], inner)

    async def run(self, call: Call) -> bytes:
        self.ran.append(call.name)
        if self.during is not None:
            await self.during(call)
        if (call.arguments or {}).get("fail"):
            raise AirsideError(Code.TOOL_FAILED, "as told")
        return canonical.encode({"n": len(self.ran)})

    async def call(self, who: Identity, name: str, wishes: dict[str, str] | None = None, **arguments: Any) -> Any:
        outcome = await self.gateway.call(Caller(token_of(who), wishes=wishes or {}), name, arguments)
        return msgspec.json.decode(outcome.body)["result"]


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
async def shop(request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    url = "memory:" if request.param == "memory" else request.getfixturevalue("postgres_url")
    policy = parse("rules: [{name: all, then: allow, tools: ['*']}]")
    async with InMemoryPlane(policy=policy, database_url=url) as plane:
        yield Shop(plane)


async def test_an_equal_call_of_the_run_is_answered_without_the_tool_and_is_a_call_of_its_own(shop: Shop) -> None:
    who = await shop.plane.start_run()
    assert await shop.call(who, "search", q="tea") == {"n": 1}
    assert await shop.call(who, "search", q="tea") == {"n": 1}
    assert await shop.call(who, "search", q="coffee") == {"n": 2}
    assert shop.ran == ["search", "search"]
    rows = await shop.plane.calls(who)
    assert [row["state"] for row in rows] == ["ok", "ok", "ok"]


async def test_another_run_has_its_own_results_unless_the_manifest_shares_them(shop: Shop) -> None:
    one, other = await shop.plane.start_run(), await shop.plane.start_run()
    await shop.call(one, "search", q="tea")
    assert await shop.call(other, "search", q="tea") == {"n": 2}
    await shop.call(one, "price", of="tea")
    assert await shop.call(other, "price", of="tea") == {"n": 3}


async def test_another_tenant_never_finds_a_shared_result(shop: Shop) -> None:
    who = await shop.plane.start_run()
    await shop.call(who, "price", of="tea")
    stranger = replace(await shop.plane.start_run(), tenant_id="other")
    call = Call(
        call_id="c", kind="tool", name="price", token="", parts=(canonical.encode({"of": "tea"}),), effect=Effect.READ,
        idempotent=True, timeout_s=1, identity=stranger, payload=shop.gateway._catalogue.hosted("price"),
    )  # fmt: skip
    reached = []

    async def terminal(call: Call) -> Any:
        reached.append(call.ready)
        raise AirsideError(Code.TOOL_FAILED)

    with pytest.raises(AirsideError):
        await Remembering(shop.shelf, shop.plane.keyring)(call, terminal)
    assert reached == [None]


async def test_what_is_not_declared_cacheable_or_has_an_effect_is_never_remembered(shop: Shop) -> None:
    who = await shop.plane.start_run()
    for name in ("now", "careless"):
        assert await shop.call(who, name) != await shop.call(who, name)


async def test_a_result_ends_with_its_time(shop: Shop) -> None:
    who = await shop.plane.start_run()
    await shop.call(who, "search", q="tea")
    end = Query("end", "UPDATE tool_results SET expires_us = created_us")

    async def body(tx: Transaction) -> None:
        await tx.execute(end)

    await shop.plane.backend.database.transact(body)
    assert await shop.call(who, "search", q="tea") == {"n": 2}


async def test_failures_are_not_remembered(shop: Shop) -> None:
    who = await shop.plane.start_run()
    for _ in range(2):
        with pytest.raises(AirsideError):
            await shop.call(who, "search", fail=True)
    assert len(shop.ran) == 2


async def test_a_caller_may_ask_anew(shop: Shop) -> None:
    who = await shop.plane.start_run()
    await shop.call(who, "search", q="tea")
    assert await shop.call(who, "search", {"cache": "off"}, q="tea") == {"n": 2}
    assert await shop.call(who, "search", q="tea") == {"n": 2}


@pytest.mark.parametrize("fails", [False, True])
async def test_an_effect_ends_the_results_it_touches_whatever_came_of_it(shop: Shop, fails: bool) -> None:
    who = await shop.plane.start_run()
    await shop.call(who, "price", of="tea")
    if fails:
        with pytest.raises(AirsideError):
            await shop.call(who, "set_price", fail=True)
    else:
        await shop.call(who, "set_price", to=3)
    assert await shop.call(who, "price", of="tea") == {"n": 3}


async def test_a_read_that_an_effect_overtakes_is_not_kept(shop: Shop) -> None:
    reader, writer = await shop.plane.start_run(), await shop.plane.start_run()
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def slow_price(call: Call) -> None:
        if call.name == "price" and not reading.is_set():
            reading.set()
            await go_on.wait()

    shop.during = slow_price
    under_way = asyncio.create_task(shop.call(reader, "price", of="tea"))
    await asyncio.wait_for(reading.wait(), 10)
    await shop.call(writer, "set_price", to=3)
    go_on.set()
    stale = await asyncio.wait_for(under_way, 10)
    assert await shop.call(writer, "price", of="tea") != stale


async def test_operators_see_and_clear_what_is_kept(shop: Shop) -> None:
    who = await shop.plane.start_run()
    await shop.call(who, "price", of="tea")
    await shop.call(who, "price", of="tea")
    (kept,) = await shop.shelf.totals(who.tenant_id)
    assert (kept["tool"], kept["entries"], kept["hits"]) == ("price", 1, 1)
    assert await shop.shelf.stale(who.tenant_id, ["price"], by="key_1") == 1
    assert await shop.shelf.totals(who.tenant_id) == []
