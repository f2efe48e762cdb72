"""Requirement E1: transient failures only, three tries, growing pauses, nothing unsafe."""

from typing import Any

import pytest

from airside.core.call import Call, CallKind, CallState, Effect, Outcome
from airside.core.errors import AirsideError, Code, MaxRetriesExceeded, TransientError
from airside.pipeline.retry import Retry
from airside.testing import FakeClock, ScriptedTerminal

DONE = Outcome(state=CallState.OK, body=b"{}")
LOST = TransientError(Code.UPSTREAM_FAILED, "reset", details={"not_sent": False})
UNSENT = TransientError(Code.UPSTREAM_FAILED, "refused", details={"not_sent": True})


def call(**changes: Any) -> Call:
    known: dict[str, Any] = {
        "call_id": "call_1",
        "kind": CallKind.TOOL,
        "name": "t",
        "token": "",
        "parts": (),
        "effect": Effect.READ,
        "idempotent": True,
        "timeout_s": 60.0,
    }
    return Call(**(known | changes))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def retry(clock: FakeClock) -> Retry:
    return Retry(clock, uniform=lambda: 0.5)


async def test_transient_failures_are_tried_three_times_with_growing_pauses(retry: Retry, clock: FakeClock) -> None:
    terminal = ScriptedTerminal(LOST, LOST, DONE)
    assert await retry(call(), terminal) is DONE
    assert clock.slept_s == [1.5, 2.5]
    assert [tried.try_number for tried in terminal.calls] == [1, 2, 3]


async def test_the_third_failure_is_the_last(retry: Retry) -> None:
    terminal = ScriptedTerminal(LOST, LOST, LOST, DONE)
    with pytest.raises(MaxRetriesExceeded) as caught:
        await retry(call(), terminal)
    assert len(terminal.calls) == 3
    assert caught.value.code is Code.UPSTREAM_FAILED
    assert caught.value.details["tries"] == 3


async def test_other_failures_are_not_tried_again(retry: Retry) -> None:
    for error in (AirsideError(Code.UPSTREAM_REJECTED), AirsideError(Code.BUDGET_EXHAUSTED)):
        terminal = ScriptedTerminal(error, DONE)
        with pytest.raises(AirsideError) as caught:
            await retry(call(), terminal)
        assert caught.value is error
        assert len(terminal.calls) == 1


async def test_no_try_begins_past_the_deadline(retry: Retry, clock: FakeClock) -> None:
    terminal = ScriptedTerminal(LOST, DONE)
    with pytest.raises(MaxRetriesExceeded):
        await retry(call(timeout_s=1.4), terminal)
    assert len(terminal.calls) == 1
    assert not clock.slept_s


async def test_a_side_effect_is_tried_again_only_if_it_was_not_sent(retry: Retry) -> None:
    effect = call(effect=Effect.WRITE, idempotent=False)
    lost = ScriptedTerminal(LOST, DONE)
    with pytest.raises(TransientError):
        await retry(effect, lost)
    assert len(lost.calls) == 1
    unsent = ScriptedTerminal(UNSENT, DONE)
    assert await retry(effect, unsent) is DONE
    mixed = ScriptedTerminal(UNSENT, LOST, DONE)
    with pytest.raises(TransientError):
        await retry(effect, mixed)
    assert len(mixed.calls) == 2


async def test_an_idempotent_side_effect_that_may_have_happened_ends_in_doubt(retry: Retry) -> None:
    terminal = ScriptedTerminal(LOST, UNSENT, UNSENT)
    with pytest.raises(AirsideError) as caught:
        await retry(call(effect=Effect.WRITE), terminal)
    assert caught.value.code is Code.OUTCOME_UNKNOWN
    assert [tried.maybe_sent for tried in terminal.calls] == [False, True, True]


async def test_a_side_effect_that_was_never_sent_just_failed(retry: Retry) -> None:
    with pytest.raises(MaxRetriesExceeded) as caught:
        await retry(call(effect=Effect.WRITE, idempotent=False), ScriptedTerminal(UNSENT, UNSENT, UNSENT))
    assert caught.value.code is Code.UPSTREAM_FAILED


async def test_nothing_is_tried_again_once_the_client_has_bytes(retry: Retry) -> None:
    class Sink:
        async def write(self, chunk: bytes) -> None: ...

    async def half(call: Call) -> Outcome:
        assert call.sink is not None
        await call.sink.write(b"half an ans")
        raise LOST

    terminal = ScriptedTerminal(half, DONE)
    with pytest.raises(TransientError):
        await retry(call(sink=Sink()), terminal)
    assert len(terminal.calls) == 1
    quiet = ScriptedTerminal(LOST, DONE)
    assert await retry(call(sink=Sink()), quiet) is DONE
