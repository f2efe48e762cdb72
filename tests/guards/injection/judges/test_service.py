"""Judges behind the guards' service, and a provider's model as one: what it costs, and what follows if it fails."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from airside.composition.judging import judges_of
from airside.config.guards import GuardSettings
from airside.config.settings import DatabaseSettings
from airside.core.errors import AirsideError, Code
from airside.core.run import Identity
from airside.gateways.models.guarding.judging import PURPOSE
from airside.guards.finding import Mode, Place
from airside.guards.judge import NO_JUDGES
from airside.guards.service import FAILED, Guards
from airside.journal.backend import Backend, connect
from airside.journal.sealing import DatabaseKeyring
from tests.gateways.models.routing.house import House, house
from tests.guards.world import Operators, guards_of

TEXT = "A note that no detector of this test knows."
JUDGE = {"name": "careful", "model": "judge", "score_min": 0.6}


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    connected = await connect("memory:", settings=DatabaseSettings(), executor_id="gw-1")
    yield connected
    await connected.close()


def guards(backend: Backend, asked: House, notices: Operators | None = None, **more: Any) -> Guards:
    settings: dict[str, Any] = {"judges": [JUDGE], "modes": {"injection": "block"}, **more}
    keyring = DatabaseKeyring(backend.database, b"k" * 32)
    found = guards_of(backend.database, keyring, notices=notices, **settings)
    found.judges = judges_of(GuardSettings(**settings), asked.asides)
    return found


async def test_a_providers_model_is_asked_on_the_runs_budget_and_its_finding_counts(backend: Backend) -> None:
    async with house(said={"judge": '{"score": 0.95}'}) as asked:
        who: Identity = await asked.plane.start_run()
        service = guards(backend, asked)
        for _ in range(2):
            checked = await service.check(who, TEXT, Place.RESULT)
            assert checked.blocked is not None
            assert (checked.blocked.finding.rule, checked.blocked.finding.score) == ("careful", 0.95)
            assert checked.blocked.mode is Mode.BLOCK
        (row,) = await asked.plane.calls(who)
        assert (row["name"], row["state"]) == ("judge", "ok")
        assert (await asked.plane.balance(who))["spent_nanousd"] > 0
        (notes,) = await asked.notes(who)
        assert notes["aside"]["for"] == PURPOSE


async def test_what_a_judge_finds_harmless_goes_on_and_what_airside_says_is_not_judged(backend: Backend) -> None:
    async with house(said={"judge": '{"score": 0.59}'}) as asked:
        who = await asked.plane.start_run()
        service = guards(backend, asked)
        assert (await service.check(who, TEXT, Place.USER)).judged == ()
        for place in set(Place) - {Place.USER, Place.RESULT, Place.DESCRIPTION}:
            assert (await service.check(who, TEXT, place)).judged == ()
        assert len(asked.models["judge"].asked) == 1


@pytest.mark.parametrize(
    "said", ["I cannot tell.", AirsideError(Code.UPSTREAM_FAILED, "down"), AirsideError(Code.UPSTREAM_TIMEOUT, "slow")]
)
async def test_a_judge_that_fails_closes_the_call_or_flags(backend: Backend, said: Any) -> None:
    async with house(said={"judge": said}) as asked:
        who = await asked.plane.start_run()
        notices = Operators()
        with pytest.raises(AirsideError) as raised:
            await guards(backend, asked, notices).check(who, TEXT, Place.USER)
        assert raised.value.code is Code.GUARD_BLOCKED
        assert notices.kinds() == [FAILED]
        checked = await guards(backend, asked, notices, on_failure="flag").check(who, TEXT, Place.USER)
        assert checked.judged == ()
        assert notices.kinds() == [FAILED, FAILED]


async def test_no_judge_is_asked_where_nothing_would_follow(backend: Backend) -> None:
    async with house() as asked:
        for settings in ({"enabled": False}, {"modes": {"injection": "off"}}, {"judges": []}):
            assert judges_of(GuardSettings(**({"judges": [JUDGE]} | settings)), asked.asides) is NO_JUDGES
