"""The steps against failing dependencies: what each passes on, refuses, counts and gives back."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from airside.core.call import Call, CallState, Outcome, Usage
from airside.core.clock import SECOND_US
from airside.core.dependencies import SHARED, Asker, Dependency, Sign
from airside.core.errors import AirsideError, Code, MaxRetriesExceeded, TransientError
from airside.core.run import Identity
from airside.pipeline.breaker import Breaker
from airside.pipeline.bulkhead import Bulkhead
from airside.pipeline.deadline import Deadline
from airside.pipeline.park import Park
from airside.pipeline.rate import Rate, asker_of
from airside.pipeline.refusal import Refusal
from airside.pipeline.retries import RetryBudget
from airside.pipeline.retry import Retry
from airside.testing import FakeClock, NotedSuspensions, ScriptedTerminal, model_call, tool_call
from tests.pipeline.conftest import READ

DONE = Outcome(state=CallState.OK, body=b"{}", usage=Usage(input=5, output=2))
PROVIDER, MODEL = Dependency(SHARED, "provider:x"), Dependency(SHARED, "model:x/m")


def leans_on(_: Call) -> Sequence[Dependency]:
    return (PROVIDER, MODEL)


def who(**changes: Any) -> Identity:
    known: dict[str, Any] = {
        "tenant_id": "default",
        "run_id": "run_1",
        "attempt": 1,
        "agent": "shop",
        "release": "rel_1",
        "subject": "run_1",
        "budget_path": (),
        "supervised": True,
        "deadline_us": FakeClock().now_us() + 300 * SECOND_US,
    }
    return Identity(**(known | changes))


def call(**changes: Any) -> Call:
    identity = changes.pop("identity", None) or who()
    return replace(model_call(identity, **changes), identity=identity)


def recorded(error: AirsideError) -> AirsideError:
    error.recorded = True
    return error


class Switchboard:
    """Implements `Breakers` and `Probe` by remembering."""

    def __init__(self, *off: Dependency, probe_is_due: bool = True) -> None:
        self.off = set(off)
        self.noted: list[Sign] = []
        self.probed: list[Sign] = []
        self._due = probe_is_due

    def closed(self, dependencies: Sequence[Dependency]) -> bool:
        return not self.off & set(dependencies)

    async def probe(self, dependencies: Sequence[Dependency]) -> Any:
        if not self._due:
            details = {"breaker": MODEL.name, "shared": True}
            raise AirsideError(Code.BREAKER_OPEN, "off", details=details, retry_after_s=3.0)
        return self

    def end(self, sign: Sign, retry_after_s: float | None = None) -> None:
        self.probed.append(sign)

    def note(
        self, dependencies: Sequence[Dependency], sign: Sign, took_s: float, retry_after_s: float | None = None
    ) -> None:
        self.noted.append(sign)


def breaker(board: Switchboard, clock: FakeClock | None = None) -> Breaker:
    return Breaker(board, leans_on, clock or FakeClock(), hang_s=5.0)


@pytest.mark.parametrize(
    ("error", "sign"),
    [
        (TransientError(Code.UPSTREAM_FAILED), Sign.FAILED),
        (TransientError(Code.UPSTREAM_TIMEOUT), Sign.FAILED),
        (AirsideError(Code.OUTCOME_UNKNOWN), Sign.FAILED),
        (TransientError(Code.RATE_LIMITED), Sign.BUSY),
        (AirsideError(Code.UPSTREAM_REJECTED), Sign.GOOD),
        (AirsideError(Code.JOURNAL_UNAVAILABLE), Sign.NONE),
        (AirsideError(Code.INTERNAL), Sign.NONE),
    ],
)
async def test_only_the_dependencys_own_failures_count(error: AirsideError, sign: Sign) -> None:
    board = Switchboard()
    with pytest.raises(AirsideError):
        await breaker(board)(call(), ScriptedTerminal(recorded(error)))
    assert board.noted == [sign]


async def test_what_did_not_leave_says_nothing() -> None:
    board = Switchboard()
    refused = Refusal(call(), Code.RATE_LIMITED, "other calls hold it")
    with pytest.raises(AirsideError):
        await breaker(board)(call(), ScriptedTerminal(refused))
    assert board.noted == [Sign.NONE]


async def test_a_tool_that_raises_counts_as_an_error() -> None:
    board, identity = Switchboard(), who()
    tool = replace(tool_call(identity, READ, {}), identity=identity)
    with pytest.raises(AirsideError):
        await breaker(board)(tool, ScriptedTerminal(recorded(AirsideError(Code.TOOL_FAILED))))
    assert board.noted == [Sign.ERROR]


async def test_a_local_tool_speaks_when_it_reports() -> None:
    pending = Outcome(state=CallState.OK, body=b"", pending=True)
    board, off = Switchboard(), Switchboard(MODEL)
    await breaker(board)(call(), ScriptedTerminal(pending))
    assert board.noted == [Sign.NONE]
    await breaker(off)(call(), ScriptedTerminal(pending))
    assert off.probed == [Sign.GOOD], "or it would be tried one by one for ever"


@pytest.mark.parametrize(("after_s", "sign"), [(1.0, Sign.NONE), (6.0, Sign.FAILED)])
async def test_an_impatient_caller_is_not_the_providers_failure(after_s: float, sign: Sign) -> None:
    board, clock = Switchboard(), FakeClock()

    async def silent(_: Call) -> Outcome:
        await clock.sleep(after_s)
        raise recorded(TransientError(Code.UPSTREAM_TIMEOUT))

    with pytest.raises(AirsideError):
        await breaker(board, clock)(call(deadline_s=after_s), silent)
    assert board.noted == [sign]


async def test_a_cancelled_probe_is_given_back() -> None:
    board = Switchboard(MODEL)
    asked = asyncio.create_task(breaker(board)(call(), _never))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert (board.probed, board.noted) == ([Sign.NONE], [])


async def _never(_: Call) -> Outcome:
    await asyncio.Event().wait()
    return DONE


async def test_an_open_breaker_refuses_before_anything_is_recorded() -> None:
    board, terminal = Switchboard(MODEL, probe_is_due=False), ScriptedTerminal(DONE)
    with pytest.raises(Refusal) as caught:
        await breaker(board)(call(), terminal)
    assert not terminal.calls
    assert not caught.value.recorded
    assert (caught.value.code, caught.value.retry_after_s) == (Code.BREAKER_OPEN, 3.0)
    assert caught.value.details["breaker"] == MODEL.name


async def test_an_answer_that_is_there_already_passes_everything() -> None:
    board = Switchboard(MODEL, probe_is_due=False)
    ready = call(ready=DONE)
    assert await breaker(board)(ready, ScriptedTerminal(DONE)) is DONE
    assert await Bulkhead(Rooms(full=True), leans_on)(ready, ScriptedTerminal(DONE)) is DONE
    assert not board.noted


async def parked(board: Switchboard, error: AirsideError, **changes: Any) -> list[tuple[str, str, str]]:
    suspensions = NotedSuspensions()
    step = Park(suspensions, board, leans_on)
    asked = asyncio.create_task(step(call(**changes), ScriptedTerminal(error)))
    await asyncio.wait([asked], timeout=0.05)
    if asked.done():
        assert asked.exception() is error
    else:
        asked.cancel()
        await asyncio.wait([asked])
    return suspensions.asked


OPEN = AirsideError(Code.BREAKER_OPEN, "off", details={"breaker": MODEL.name, "shared": True})
IN_VAIN = MaxRetriesExceeded(Code.UPSTREAM_FAILED, "thrice")


async def test_a_supervised_run_is_parked_at_its_breaker() -> None:
    assert await parked(Switchboard(), OPEN) == [("run_1", "parked", "model:x/m: off")]


async def test_a_run_that_was_tried_in_vain_is_parked_if_a_breaker_opened_meanwhile() -> None:
    assert await parked(Switchboard(MODEL), IN_VAIN) == [("run_1", "parked", "model:x/m: thrice")]
    assert not await parked(Switchboard(), IN_VAIN)


async def test_others_get_the_refusal() -> None:
    assert not await parked(Switchboard(), OPEN, identity=who(supervised=False))
    assert not await parked(Switchboard(MODEL), AirsideError(Code.BUDGET_EXHAUSTED))


class Rooms:
    """Implements `Bulkheads` by counting."""

    def __init__(self, *, full: bool = False) -> None:
        self.taken = 0
        self.asked: list[tuple[str, str, str, float]] = []
        self._full = full

    async def enter(self, tenant_id: str, agent: str, upstream: str, wait_s: float) -> Callable[[], None]:
        self.asked.append((tenant_id, agent, upstream, wait_s))
        if self._full:
            raise AirsideError(Code.RATE_LIMITED, "full", retry_after_s=1.0)
        self.taken += 1

        def leave() -> None:
            self.taken -= 1

        return leave


async def test_a_place_is_given_back_however_the_call_ends() -> None:
    rooms = Rooms()
    step = Bulkhead(rooms, leans_on)
    assert await step(call(), ScriptedTerminal(DONE)) is DONE
    with pytest.raises(AirsideError):
        await step(call(), ScriptedTerminal(AirsideError(Code.INTERNAL)))
    asked = asyncio.create_task(step(call(), _never))
    await asyncio.sleep(0)
    assert rooms.taken == 1
    asked.cancel()
    await asyncio.wait([asked])
    assert rooms.taken == 0
    assert rooms.asked[0] == ("default", "shop", "provider:x", 60.0)


async def test_no_room_is_a_refusal_of_the_call() -> None:
    with pytest.raises(Refusal) as caught:
        await Bulkhead(Rooms(full=True), leans_on)(call(), ScriptedTerminal(DONE))
    assert (caught.value.code, caught.value.retry_after_s) == (Code.RATE_LIMITED, 1.0)


async def deadline(clock: FakeClock, **changes: Any) -> Call:
    terminal = ScriptedTerminal(DONE)
    await Deadline(clock)(call(**changes), terminal)
    return terminal.calls[0]


async def test_the_deadline_is_the_nearest_end() -> None:
    clock = FakeClock()
    assert (await deadline(clock)).deadline_s == 300
    assert (await deadline(clock, wishes={"timeout-s": "12.5"})).deadline_s == 12.5
    assert (await deadline(clock, wishes={"timeout-s": "1000"})).deadline_s == 300
    assert (await deadline(clock, wishes={"sdk-timeout-s": "20"})).deadline_s == 20
    assert (await deadline(clock, wishes={"sdk-timeout-s": "20", "timeout-s": "90"})).deadline_s == 90
    assert (await deadline(clock, wishes={"sdk-timeout-s": "soon"})).deadline_s == 300
    assert (await deadline(clock, wishes={"sdk-timeout-s": "20"}, sink=Sink())).deadline_s == 300, "of each silence"


@pytest.mark.parametrize("wish", ["0", "-1", "nan", "inf", "soon", ""])
async def test_a_wish_that_is_no_time_is_refused(wish: str) -> None:
    with pytest.raises(Refusal) as caught:
        await deadline(FakeClock(), wishes={"timeout-s": wish})
    assert caught.value.code is Code.INVALID_REQUEST


class Sink:
    async def write(self, chunk: bytes) -> None: ...


async def test_each_try_gets_the_time_that_is_left() -> None:
    clock = FakeClock()
    retry = Retry(clock, uniform=lambda: 0.0)
    lost = TransientError(Code.UPSTREAM_FAILED)
    terminal = ScriptedTerminal(lost, lost, DONE)
    await retry(call(deadline_s=10.0), terminal)
    assert [tried.timeout_s for tried in terminal.calls] == [10.0, 9.0, 7.0]
    with pytest.raises(Refusal) as caught:
        await retry(call(deadline_s=clock.monotonic_s()), ScriptedTerminal(DONE))
    assert caught.value.code is Code.UPSTREAM_TIMEOUT


async def test_a_retry_after_is_obeyed_within_the_deadline_and_told_beyond_it() -> None:
    clock = FakeClock()
    retry = Retry(clock, uniform=lambda: 0.0)
    busy = TransientError(Code.RATE_LIMITED, retry_after_s=7.0)
    await retry(call(), ScriptedTerminal(busy, DONE))
    assert clock.slept_s == [7.0]
    with pytest.raises(MaxRetriesExceeded) as caught:
        await retry(call(deadline_s=clock.monotonic_s() + 5), ScriptedTerminal(busy, DONE))
    assert caught.value.retry_after_s == 7.0
    assert clock.slept_s == [7.0]


async def test_an_outage_makes_no_storm_of_retries() -> None:
    clock = FakeClock()
    budget = RetryBudget(clock, share=0.2, free=10)
    retry = Retry(clock, uniform=lambda: 0.0, budget=budget, dependencies_of=leans_on)
    tries = 0

    async def down(_: Call) -> Outcome:
        nonlocal tries
        tries += 1
        raise TransientError(Code.UPSTREAM_FAILED)

    calls = [retry(call(), down) for _ in range(1_000)]
    await asyncio.gather(*calls, return_exceptions=True)
    minutes = clock.monotonic_s() / 60
    assert 1_100 < tries <= 1_000 * 1.2 + 10 * (1 + minutes) + 1


class Meter:
    """Implements `RateLimits` and `Taken` by remembering."""

    limited = True

    def __init__(self, *, empty: bool = False) -> None:
        self.taken: list[tuple[Asker, int]] = []
        self.settled: list[int] = []
        self._empty = empty

    async def take(self, asker: Asker, tokens: int = 0) -> Any:
        if self._empty:
            raise AirsideError(Code.RATE_LIMITED, "more than 5 requests a minute", retry_after_s=2.5)
        self.taken.append((asker, tokens))
        return self

    def settle(self, tokens: int) -> None:
        self.settled.append(tokens)


async def test_tokens_are_taken_at_their_worst_and_settled_at_what_they_were() -> None:
    meter = Meter()
    await Rate(meter)(call(), ScriptedTerminal(DONE))
    assert [tokens for _, tokens in meter.taken] == [20]
    assert meter.settled == [7]


async def test_what_did_not_leave_used_no_tokens_and_what_is_unknown_all_of_them() -> None:
    meter = Meter()
    with pytest.raises(AirsideError):
        await Rate(meter)(call(), ScriptedTerminal(AirsideError(Code.BUDGET_EXHAUSTED)))
    with pytest.raises(AirsideError):
        await Rate(meter)(call(), ScriptedTerminal(recorded(AirsideError(Code.UPSTREAM_FAILED))))
    assert meter.settled == [0]


async def test_too_fast_is_a_refusal_with_the_time_to_wait() -> None:
    with pytest.raises(Refusal) as caught:
        await Rate(Meter(empty=True))(call(), ScriptedTerminal(DONE))
    assert (caught.value.code, caught.value.retry_after_s) == (Code.RATE_LIMITED, 2.5)


def test_who_asks() -> None:
    assert asker_of(call(peer="127.0.0.1")) == Asker("default"), "a worker's address says nothing about its runs"
    outside = call(identity=who(subject="customer:7", supervised=False), token="ak_secret", peer="1.2.3.4")
    assert asker_of(outside).address == "1.2.3.4"
    assert asker_of(outside).user == "customer:7"
    assert len(asker_of(outside).key) == 32
    assert "secret" not in asker_of(outside).key
