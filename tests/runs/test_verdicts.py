"""What becomes of a run when an attempt ends: pure decisions, tried without a database."""

import httpx2
import pytest

from airside.core.errors import Code
from airside.core.run import RunState
from airside.runs.isolation.failure import describe
from airside.runs.isolation.port import AttemptEnd, EndKind
from airside.runs.record import RunRecord
from airside.runs.verdicts import Facts, decide

CLEAN = Facts(open_effects=0, held=0, pending=0, unconsumed=0)


def a_run(*, crashes: int = 0, suspend: RunState | None = None) -> RunRecord:
    """A running run."""
    texts = dict.fromkeys(("tenant_id", "run_id", "agent", "release", "subject", "code", "message"), "x")
    numbers = dict.fromkeys(("version", "priority", "wall_us_max", "running_us", "created_us", "ready_us"), 0)
    return RunRecord(
        **texts,
        **numbers,
        parent_run_id=None,
        state=RunState.RUNNING,
        suspend=suspend,
        supervised=1,
        attempt=crashes + 1,
        crashes=crashes,
        input=b"",
        result=None,
        labels="{}",
        budget_path="[]",
        started_us=None,
        ended_us=None,
        webhook_url=None,
    )


@pytest.mark.parametrize("code", [Code.JOURNAL_UNAVAILABLE, Code.UNAUTHENTICATED, Code.ATTEMPT_SUPERSEDED])
def test_what_airside_did_to_an_agent_counts_as_a_crash(code: Code):
    end = AttemptEnd(EndKind.RAISED, message="refused", code=code.value)
    half_replayed = Facts(open_effects=0, held=0, pending=0, unconsumed=2)

    first = decide(a_run(), end, half_replayed, attempts_max=3)
    last = decide(a_run(crashes=2), end, CLEAN, attempts_max=3)

    assert (first.state, first.crashed) == (RunState.QUEUED, True)
    assert first.ready_us > 0
    assert last.state is RunState.FAILED


def test_what_the_agent_did_itself_is_not_tried_again():
    end = AttemptEnd(EndKind.RAISED, message="ValueError", code="")

    assert decide(a_run(), end, CLEAN, attempts_max=3).state is RunState.FAILED


def test_an_agent_that_skips_recorded_effects_has_diverged():
    end = AttemptEnd(EndKind.RETURNED, result=b"1")

    verdict = decide(a_run(), end, Facts(open_effects=0, held=0, pending=0, unconsumed=1), attempts_max=3)

    assert verdict.state is RunState.DIVERGED


def test_an_unknown_effect_beats_success():
    end = AttemptEnd(EndKind.RETURNED, result=b"1")

    assert decide(a_run(), end, Facts(open_effects=0, held=1, pending=0, unconsumed=0), attempts_max=3).state is (
        RunState.HELD
    )


async def test_gateways_that_do_not_answer_are_an_outage_and_other_hosts_are_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRSIDE_GATEWAY_URL", "http://127.0.0.1:9")

    async with httpx2.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx2.ConnectError) as to_gateway:
            await client.get("http://127.0.0.1:9/v1/models")
        with pytest.raises(httpx2.ConnectError) as elsewhere:
            await client.get("http://127.0.0.1:10/v1/models")

    assert describe(to_gateway.value)[1] == Code.JOURNAL_UNAVAILABLE
    assert describe(elsewhere.value)[1] == ""


def test_what_an_agent_raises_can_be_written_down_whatever_it_holds():
    message, code = describe(ValueError("\udcff and \x00"))

    assert message.encode().startswith("ValueError: ? and \ufffd".encode())
    assert code == ""


@pytest.mark.parametrize(("answered", "state"), [(0, RunState.FAILED), (2, RunState.PARTIAL)])
def test_a_run_that_a_provider_fails_keeps_what_it_has_achieved(answered: int, state: RunState) -> None:
    end = AttemptEnd(EndKind.RAISED, code=Code.UPSTREAM_FAILED.value, message="down")
    facts = Facts(open_effects=0, held=0, pending=0, unconsumed=0, answered=answered)
    verdict = decide(a_run(), end, facts, attempts_max=3)
    assert (verdict.state, verdict.code) == (state, "upstream_failed")
