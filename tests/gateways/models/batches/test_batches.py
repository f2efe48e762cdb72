"""Provider batches on a real plane and both databases: charged exactly once, given back when undone, nothing lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airside.config.loading import load
from airside.core.errors import AirsideError, Code
from airside.core.ports import Query, Transaction
from airside.core.run import Principal
from airside.core.run import Role as KeyRole
from airside.gateways.models.batches.answers import answers
from airside.gateways.models.batches.desk import Found, Wanted
from airside.plane import Meeting, Plane, Role
from tests.fake_providers import KEY, FakeProvider, Fault, serving

WHO = Principal("default", "key_1", "boss", KeyRole.OPERATOR)
PRICE = {"input": "2", "output": "8"}
ALL = Query("all", "SELECT * FROM calls ORDER BY call_id")
NODE = Query("node", "SELECT * FROM budgets WHERE node LIKE 'run:%'")
CRASHED = Query("crashed", "UPDATE batches SET state = :state, due_us = 0, lease_us = 0")


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/airside.db"


class World:
    """A fake provider, and planes one after the other on the same database."""

    def __init__(self, provider: FakeProvider, url: str, database: str, folder: Path) -> None:
        self.provider, self._url, self._database, self._folder = provider, url, database, folder

    @asynccontextmanager
    async def plane(self, **more: Any) -> AsyncIterator[Plane]:
        """A plane of the gateway and API roles."""
        settings = load(
            None,
            {},
            data_dir=self._folder / "data",
            database={"url": self._database},
            providers={"up": {"kind": "openai", "base_url": self._url, "api_key": KEY}},
            model_provider="up",
            models={"gpt-4o-mini": {"provider": "up", "price": PRICE}, "toy": {"provider": "scripted", "price": PRICE}},
            batches={"poll_s": 0.05, "poll_max_s": 0.05},
            **more,
        )
        meeting = Meeting("http://127.0.0.1:1", str(self._folder / "socket"))
        async with Plane.open(settings, {Role.GATEWAY, Role.API}, meeting) as plane, plane.working():
            yield plane


@pytest.fixture
async def world(database: str, tmp_path: Path) -> AsyncIterator[World]:
    """The fake provider, served."""
    provider = FakeProvider(reply_text="fine")
    async with serving(provider) as url:
        yield World(provider, url, database, tmp_path)


def wanted(count: int = 3, **more: Any) -> Wanted:
    """Return a batch, in which two questions are the same."""
    asked = [
        {"messages": [{"role": "user", "content": f"question {max(at, 1)}"}], "max_tokens": 100} for at in range(count)
    ]
    return Wanted("gpt-4o-mini", asked, **more)


async def until_ended(plane: Plane, batch_id: str) -> Found:
    """Return a batch once it has ended."""
    async with asyncio.timeout(20):
        while True:
            found = await plane.batches.desk.show("default", batch_id)
            if found[0]["state"] == "ended":
                return found
            await asyncio.sleep(0.02)


async def calls(plane: Plane) -> list[dict[str, Any]]:
    """Return all calls."""

    async def body(tx: Transaction) -> list[dict[str, Any]]:
        return [dict(row) for row in await tx.fetch(ALL)]

    return await plane.database.read(body)


async def spent(plane: Plane) -> tuple[int, int]:
    """Return what the runs have spent and reserved, in nano-dollars."""

    async def body(tx: Transaction) -> tuple[int, int]:
        rows = await tx.fetch(NODE)
        return sum(row["spent_nanousd"] for row in rows), sum(row["reserved_nanousd"] for row in rows)

    return await plane.database.read(body)


async def test_every_item_is_charged_once_at_the_share_of_the_price(world: World) -> None:
    async with world.plane() as plane:
        batch, counts = await plane.batches.desk.submit(WHO, wanted())
        assert (batch["state"], counts) == ("working", {"open": 3})
        assert (await spent(plane))[1] > 0
        world.provider.batches.finish()
        batch, counts = await until_ended(plane, batch["batch_id"])
        assert counts == {"ok": 3}
        lines = [msgspec.json.decode(line) async for line in answers(plane.database, plane.keyring, batch)]
        assert [line["item"] for line in lines] == [0, 1, 2]
        costs = 0
        for line in lines:
            usage = line["answer"]["usage"]
            cost = (usage["prompt_tokens"] * 2 + usage["completion_tokens"] * 8) * 1_000 // 2
            assert Decimal(line["cost_usd"]) * 1_000_000_000 == cost
            assert "fine" in line["answer"]["choices"][0]["message"]["content"]
            costs += cost
        assert await spent(plane) == (costs, 0)
        await plane.batches.keeper.tend()
        assert await spent(plane) == (costs, 0)


async def test_what_fails_or_expires_is_given_back_and_what_is_missing_is_paid(world: World) -> None:
    world.provider.batches.broken, world.provider.batches.silent = {0}, {1}
    async with world.plane() as plane:
        batch, _ = await plane.batches.desk.submit(WHO, wanted())
        reserved = {row["call_id"]: row["reserved_nanousd"] for row in await calls(plane)}
        world.provider.batches.finish()
        await until_ended(plane, batch["batch_id"])
        rejected, missing, good = await calls(plane)
        assert (rejected["state"], rejected["code"], rejected["cost_nanousd"]) == ("error", "upstream_rejected", 0)
        assert missing["cost_nanousd"] == reserved[missing["call_id"]]
        assert good["state"] == "ok"
        world.provider.batches = type(world.provider.batches)()
        batch, _ = await plane.batches.desk.submit(WHO, wanted())
        world.provider.batches.finish("expired", answered=1)
        batch, counts = await until_ended(plane, batch["batch_id"])
        assert counts == {"ok": 1, "transient": 2}
        assert sum(row["cost_nanousd"] == 0 for row in await calls(plane) if row["run_id"] == batch["run_id"]) == 2
        assert (await spent(plane))[1] == 0


async def test_a_restart_in_the_middle_loses_nothing(world: World) -> None:
    async with world.plane() as plane:
        batch, _ = await plane.batches.desk.submit(WHO, wanted(idempotency_key="k"))
    world.provider.faults.extend([Fault(status=503, raw=b"{}"), Fault(reset=True)])
    world.provider.batches.finish()
    async with world.plane() as plane:
        again, _ = await plane.batches.desk.submit(WHO, wanted(idempotency_key="k"))
        assert again["batch_id"] == batch["batch_id"]
        _, counts = await until_ended(plane, batch["batch_id"])
        assert counts == {"ok": 3}
        assert len(world.provider.batches.made) == 1
        with pytest.raises(AirsideError) as refused:
            await plane.batches.desk.submit(WHO, wanted(2, idempotency_key="k"))
        assert refused.value.code is Code.CONFLICT


@pytest.mark.parametrize("state", ["opening", "sending"])
async def test_a_process_that_died_while_making_a_batch_leaves_nothing_reserved(world: World, state: str) -> None:
    async with world.plane() as plane:
        batch, _ = await plane.batches.desk.submit(WHO, wanted())
        reserved = (await spent(plane))[1]

        async def body(tx: Transaction) -> None:
            await tx.execute(CRASHED, state=state)

        await plane.database.transact(body)
        await until_ended(plane, batch["batch_id"])
        assert await spent(plane) == (0 if state == "opening" else reserved, 0)


async def test_cancelling_the_batch_or_its_run_stops_it_at_the_provider(world: World) -> None:
    async with world.plane() as plane:
        batch, _ = await plane.batches.desk.submit(WHO, wanted())
        await plane.batches.desk.cancel("default", batch["batch_id"])
        _, counts = await until_ended(plane, batch["batch_id"])
        assert counts == {"ok": 1, "transient": 2}
        world.provider.batches = type(world.provider.batches)()
        batch, _ = await plane.batches.desk.submit(WHO, wanted())
        await plane.services.runs.cancel("default", batch["run_id"], "key_1")
        _, counts = await until_ended(plane, batch["batch_id"])
        assert world.provider.batches.cancels == 1
        assert "open" not in counts
        assert (await spent(plane))[1] == 0


async def test_a_batch_that_does_not_fit_the_budget_does_not_leave(world: World) -> None:
    async with world.plane(budgets={"tenant": {"usd": "0.001"}}) as plane:
        with pytest.raises(AirsideError) as refused:
            await plane.batches.desk.submit(WHO, wanted(20))
        assert refused.value.code in {Code.BUDGET_EXHAUSTED, Code.RATE_LIMITED}
        assert await spent(plane) == (0, 0)
        assert world.provider.calls == 0


@pytest.mark.parametrize("faults", [[Fault(status=400, raw=b"{}")], [None, Fault(status=400, raw=b"{}")]])
async def test_a_refused_batch_costs_nothing(world: World, faults: list[Fault | None]) -> None:
    world.provider.faults.extend(faults)
    async with world.plane() as plane:
        with pytest.raises(AirsideError) as refused:
            await plane.batches.desk.submit(WHO, wanted())
        assert refused.value.code is Code.UPSTREAM_REJECTED
        assert await spent(plane) == (0, 0)


async def test_an_unclear_answer_to_the_batch_is_paid_in_full(world: World) -> None:
    world.provider.faults.extend([None, Fault(reset=True)])
    async with world.plane() as plane:
        with pytest.raises(AirsideError):
            await plane.batches.desk.submit(WHO, wanted())
        rows = await calls(plane)
        assert all(
            row["cost_nanousd"] >= 100 * 8_000 // 2 for row in rows
        )  # all output that was allowed, and the input
        assert await spent(plane) == (sum(row["cost_nanousd"] for row in rows), 0)
        assert {row["state"] for row in rows} == {"transient"}


async def test_what_cannot_be_a_batch_is_said(world: World) -> None:
    async with world.plane() as plane:
        for asked, said in (
            (Wanted("toy", [{"messages": [{"role": "user", "content": "x"}]}]), "these do: up"),
            (Wanted("gpt-4o-mini", [{"messages": []}]), "requests.0"),
            (Wanted("gpt-4o-mini", [{"messages": [], "stream": True}]), "none streams"),
            (Wanted("gpt-4o-mini", []), "1 to 10000"),
        ):
            with pytest.raises(AirsideError, match=said):
                await plane.batches.desk.submit(WHO, asked)
        assert await calls(plane) == []
