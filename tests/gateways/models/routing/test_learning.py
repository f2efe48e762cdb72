"""Feedback, the fit from recorded outcomes, what is stored, and routing by what was learned; on both databases."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from typing import Any

import msgspec
import pytest

from airside.config.routing import FallbackSettings, RoutingSettings
from airside.core.call import Usage
from airside.core.errors import AirsideError, Code
from airside.gateways.models.routing.features import Seen
from airside.gateways.models.routing.fitted import Fitted, pack, unpack
from airside.gateways.models.routing.learning import Recorded, fit_recorded, recorded
from airside.gateways.models.routing.models import Judges
from airside.gateways.models.routing.report import bill, quality, shadows
from airside.policy import load
from airside.testing import InMemoryPlane
from tests.gateways.models.routing.house import PRICES, TIERS, House, Model, house, price

ORDER = ["tiny", "medium", "large"]
TENANT = "default"
USED = Usage(input=100, output=10)


@asynccontextmanager
async def house_on(url: str) -> AsyncIterator[House]:
    async with InMemoryPlane(policy=load(None), database_url=url) as plane:
        models = {name: Model(name) for name in PRICES}
        yield House(plane, models, RoutingSettings(models=TIERS), FallbackSettings())


def rows(count: int = 240) -> list[Recorded]:
    """Return outcomes from which it can be learned that only the large model knows about law."""
    found = []
    for index in range(count):
        law = index % 2 == 0
        text = f"Which statute does the plaintiff cite, case {index}?" if law else f"Name a colour of fruit {index}."
        scores = {"tiny": 0.0 if law else 1.0, "medium": 0.0 if law else 1.0, "large": 1.0}
        found.append(Recorded(Seen(text), len(text) + 60, scores, {"large": 20}))
    return found


async def test_what_was_learned_decides_and_the_decision_says_so() -> None:
    async with house() as h:
        fitted = fit_recorded(rows(), h.routes, ORDER)
        assert await h.fitted.add(TENANT, fitted, by="test", activate=True) == 1
        easy, hard = await h.plane.start_run(), await h.plane.start_run()
        await h.ask(easy, "Name a colour of fruit.")
        await h.ask(hard, "Which statute does the plaintiff cite?")
        (one,), (two,) = await h.notes(easy), await h.notes(hard)
        assert (one["route"]["model"], two["route"]["model"]) == ("tiny", "large")
        assert (one["route"]["source"], one["route"]["fitted"]) == ("learned", 1)
        assert one["route"]["quality"] > 0.8
        assert one["route"]["confidence"] > 0.5


async def test_a_prompt_of_strange_words_goes_to_the_strongest() -> None:
    async with house() as h:
        await h.fitted.add(TENANT, fit_recorded(rows(), h.routes, ORDER), by="test", activate=True)
        who = await h.plane.start_run()
        await h.ask(who, "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.")
        note = (await h.notes(who))[0]["route"]
        assert note["model"] == "large"
        assert "too few of its words" in note["reason"]


async def test_a_floor_that_nothing_keeps_means_the_strongest() -> None:
    hopeless = [
        Recorded(row.looked, row.body_bytes, {"tiny": 0.0, "medium": 0.0, "large": 1.0}, row.output_tokens)
        for row in rows()
    ]
    async with house(routing={"quality_floor": 1.0}) as h:
        fitted = fit_recorded(hopeless, h.routes, ORDER)
        assert fitted.rate(1.0) == inf or fitted.rates[1.0] > 0
        await h.fitted.add(TENANT, fitted, by="test", activate=True)
        who = await h.plane.start_run()
        await h.ask(who, "Name a colour of fruit.")
        assert (await h.notes(who))[0]["route"]["model"] == "large"


async def test_feedback_is_learned_from_as_it_was_recorded(any_database: str) -> None:
    async with house_on(any_database) as h:
        who = await h.plane.start_run()
        for index in range(120):
            law = index % 2 == 0
            text = f"Which statute does the plaintiff cite {index}?" if law else f"Name a colour of fruit {index}."
            for wish, score in (("small", 0.0 if law else 1.0), ("frontier", 1.0)):
                call = h.call(who, text, wish=wish)
                await h.pipeline(call)
                await h.outcomes.of_call(who.tenant_id, who.run_id, call.call_id, score, source="feedback", by="key")
        found = await recorded(h.plane.backend.database, h.plane.keyring, who.tenant_id)
        assert len(found) == 240
        assert {tuple(row.scores) for row in found} == {("tiny",), ("large",)}
        assert any(row.looked.text == "Name a colour of fruit 1." for row in found)
        assert {tokens for row in found for tokens in row.output_tokens.values()} == {10}
        fitted = fit_recorded(found, h.routes, ["tiny", "large"])
        assert set(fitted.classifier.judges) == {"tiny", "large"}
        told = await quality(h.plane.backend.database, who.tenant_id, 0)
        spread = told["tiny"]["feedback"]
        assert spread is not None
        assert spread.low < 0.5 < spread.high
        money = await bill(h.plane.backend.database, who.tenant_id, price("large"), 0)
        assert (money.calls, money.by_model) == (240, {"tiny": 120, "large": 120})
        assert money.complete
        saved = 1 - (price("tiny").cost(USED) + price("large").cost(USED)) / (2 * price("large").cost(USED))
        assert money.saved == pytest.approx(saved, abs=1e-4)
        assert await shadows(h.plane.backend.database, who.tenant_id, 0) == []


async def test_feedback_on_what_is_not_there_or_anothers(any_database: str) -> None:
    async with house_on(any_database) as h:
        who = await h.plane.start_run()
        call = h.call(who, wish="small")
        await h.pipeline(call)
        say = h.outcomes.of_call
        for tenant, run, call_id in (
            ("other", who.run_id, call.call_id),
            (TENANT, "run_x", call.call_id),
            (TENANT, who.run_id, "call_x"),
        ):
            with pytest.raises(AirsideError) as caught:
                await say(tenant, run, call_id, 1.0, source="feedback", by="key")
            assert caught.value.code is Code.NOT_FOUND
        for score in (float("nan"), -0.1, 1.1, inf):
            with pytest.raises(ValueError, match="from 0 to 1"):
                await say(TENANT, who.run_id, call.call_id, score, source="feedback", by="key")
        with pytest.raises(AirsideError) as caught:
            await h.outcomes.of_run("other", who.run_id, 1.0, source="feedback", by="key")
        assert caught.value.code is Code.NOT_FOUND


async def test_feedback_said_again_replaces_and_does_not_add(any_database: str) -> None:
    async with house_on(any_database) as h:
        who = await h.plane.start_run()
        call = h.call(who, wish="small")
        await h.pipeline(call)
        for score in (1.0, 1.0, 0.0):
            await h.outcomes.of_call(TENANT, who.run_id, call.call_id, score, source="feedback", by="key")
        assert await h.outcomes.of_run(TENANT, who.run_id, 1.0, source="evaluation", by="key") == 1
        told = await quality(h.plane.backend.database, TENANT, 0)
        assert {source: one.n for source, one in told["tiny"].items() if one} == {"feedback": 1, "evaluation": 1}
        (row,) = await recorded(h.plane.backend.database, h.plane.keyring, TENANT)
        assert row.scores == {"tiny": pytest.approx(3 / 7)}


async def test_too_little_to_learn_from_is_said() -> None:
    async with house() as h:
        with pytest.raises(
            AirsideError, match="two models need at least 50 outcomes each; there are tiny: 0"
        ) as caught:
            fit_recorded([], h.routes, ORDER)
        assert caught.value.code is Code.CONFLICT
        with pytest.raises(AirsideError, match="no models are configured"):
            fit_recorded(rows(), h.routes, [])


async def test_fits_at_once_get_versions_of_their_own_and_one_is_in_force(any_database: str) -> None:
    async with house_on(any_database) as h:
        fitted = fit_recorded(rows(120), h.routes, ["tiny", "large"])
        adding = [h.fitted.add(TENANT, fitted, by="test", activate=True) for _ in range(6)]
        assert sorted(await asyncio.gather(*adding)) == [1, 2, 3, 4, 5, 6]
        listed = await h.fitted.listed(TENANT)
        assert [one["version"] for one in listed] == [6, 5, 4, 3, 2, 1]
        assert sum(one["active"] for one in listed) == 1
        await h.fitted.activate(TENANT, 2, by="test")
        assert await h.fitted.active_version(TENANT) == 2
        for version in (7, 0):
            if version:
                with pytest.raises(AirsideError) as caught:
                    await h.fitted.activate(TENANT, version, by="test")
                assert caught.value.code is Code.NOT_FOUND
                assert await h.fitted.active_version(TENANT) == 2
        await h.fitted.activate(TENANT, 0, by="test")
        assert await h.fitted.active("default") is None
        assert await h.fitted.active("other") is None


async def test_a_new_version_is_used_soon_and_a_tenant_sees_only_its_own() -> None:
    async with house() as h:
        judges = Judges(h.fitted, h.plane.clock, h.plane.afterwork)
        assert await judges.of(TENANT) == (0, None)
        fitted = fit_recorded(rows(120), h.routes, ["tiny", "large"])
        await h.fitted.add(TENANT, fitted, by="test", activate=True)
        await h.plane.clock.sleep(11)
        await judges.of(TENANT)  # begins to look, and waits for nothing
        await h.settled()
        version, found = await judges.of(TENANT)
        assert version == 1
        assert found is not None
        assert await judges.of("other") == (0, None)


def small() -> Fitted:
    class Routes:
        def find(self, model: str) -> Any:
            return msgspec.defstruct("Route", [("price", Any)])(price(model))

    return fit_recorded(rows(120), Routes(), ["tiny", "large"])


def test_a_fitted_classifier_comes_back_as_it_was() -> None:
    fitted = small()
    again = unpack(pack(fitted))
    assert again == fitted
    assert again.rate(0.951) == fitted.rates[0.97]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": 2}, "format 2"),
        ({"features": "words-0"}, "words-0"),
        ({"buckets": 1}, "1 buckets"),
        ({"known": b""}, "wrong size"),
        ({"judges": {}}, "wrong size"),
        ({"rates": []}, "no numbers above 0"),
        ({"rates": [[0.9, -1.0]]}, "no numbers above 0"),
        ({"judges": {"m": [0.0, b"\0" * 8, 1.0, 0.0, 1, 0.5, 1.0]}}, "wrong size"),
        ({"judges": {"m": [float("nan"), b"\0" * 262_144, 1.0, 0.0, 1, 0.5, 1.0]}}, "no finite numbers"),
        ({"judges": {"m": [0.0, b"\xff" * 262_144, 1.0, 0.0, 1, 0.5, 1.0]}}, "no finite numbers"),
    ],
)
def test_a_file_of_another_kind_is_refused(change: dict[str, Any], why: str) -> None:
    stored = msgspec.msgpack.decode(pack(small())) | change
    with pytest.raises(AirsideError, match=why) as caught:
        unpack(msgspec.msgpack.encode(stored))
    assert caught.value.code is Code.MISCONFIGURED


@pytest.mark.parametrize("data", [b"", b"\x00", b"{}", b"\xc1" * 100])
def test_what_is_no_classifier_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(AirsideError, match="not a fitted classifier"):
        unpack(data)
