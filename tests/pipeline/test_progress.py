"""Runs that go round in circles are noted, told and stopped; what gets somewhere, polls or replays is not."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.config.budgets import ProgressSettings
from airside.core import canonical
from airside.core.budget import Limits
from airside.core.call import Call, CallKind, CallState, Outcome, Usage
from airside.core.errors import AirsideError, Code
from airside.core.money import NanoUsd, usd
from airside.core.ports import Forward
from airside.core.run import Identity
from airside.pipeline.compose import compose
from airside.pipeline.progress import ROUND_MAX, Made, Progress, find
from airside.runs.recent import RecentCalls
from airside.testing import InMemoryPlane
from airside.testing.calls import model_call, tool_call
from tests.journal import world
from tests.pipeline.conftest import READ, SAFE

TOOL = CallKind.TOOL.value


class Heard:
    """Notices that are kept."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Mapping[str, Any]]] = []

    def tell(self, tenant_id: str, kind: str, body: Mapping[str, Any]) -> None:
        self.told.append((kind, body))


class Circuit:
    """The pipeline with the step that is tested, as one process has it, and a world of the test."""

    def __init__(self, plane: InMemoryPlane, polling: frozenset[str] = frozenset(), **limits: int) -> None:
        self.heard, self.calls = Heard(), 0
        step = Progress(
            RecentCalls(plane.backend.database, plane.keyring),
            lambda _: ProgressSettings(**limits),
            polling,
            plane.suspensions,
            self.heard,
        )
        first, second, *rest = plane.steps()
        self.steps = [first, second, step, *rest]
        self.notes: list[Mapping[str, Any]] = []
        self.forward: Forward = compose(self.steps, self._answer)
        self.result: Any = "same"
        self.answer = b""
        self.cost = NanoUsd(1_000)

    async def _answer(self, call: Call) -> Outcome:
        self.calls += 1
        self.notes.append(call.notes)
        if call.kind is CallKind.TOOL:
            return Outcome(state=CallState.OK, body=b'{"result":' + canonical.encode(self.result) + b"}")
        usage = Usage(input=10, output=3)
        return Outcome(state=CallState.OK, body=self.answer or chat("hm"), usage=usage, cost=self.cost)

    async def look(self, who: Identity, what: str = "x", tool: Any = READ) -> Outcome:
        return await self.forward(tool_call(who, tool, {"what": what}))

    async def ask(self, who: Identity, text: str, **more: Any) -> Outcome:
        return await self.forward(model_call(who, text, **more))


def chat(text: str, id_: str = "") -> bytes:
    return json.dumps({"id": id_, "choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


async def refused(work: Any) -> AirsideError:
    with pytest.raises(AirsideError) as caught:
        await work
    return caught.value


async def test_the_same_call_is_noted_told_and_stopped(plane: InMemoryPlane, run: Identity) -> None:
    circuit = Circuit(plane)
    for _ in range(6):
        await circuit.look(run)
    assert [note.get("progress", {}).get("times") for note in circuit.notes] == [None, None, None, 3, 4, 5]
    assert [kind for kind, _ in circuit.heard.told] == ["run.no_progress"]
    error = await refused(circuit.look(run))
    assert (error.code, error.status, circuit.calls) == (Code.NO_PROGRESS, 403, 6)
    assert error.details["pattern"] == "same_call"
    assert [(name, state) for name, state, _ in plane.suspensions.asked] == [(run.run_id, "partial")]
    await circuit.look(run, "something else")
    types = [entry["type"] for entry in await plane.entries(run)]
    assert types.count("call.refused") == 1


async def test_another_result_or_another_argument_is_progress(plane: InMemoryPlane, run: Identity) -> None:
    circuit = Circuit(plane)
    for n in range(30):
        circuit.result = n
        await circuit.look(run)
    circuit.result = "same"
    for n in range(30):
        await circuit.look(run, str(n))
    assert circuit.heard.told == []


async def test_rounds_of_calls_are_seen_through(plane: InMemoryPlane, run: Identity) -> None:
    circuit = Circuit(plane, repeats_warn=2, repeats_stop=3)
    error = None
    for n in range(40):
        try:
            await circuit.look(run, "abc"[n % 3], [READ, SAFE][n % 3 == 1])
            await circuit.ask(run, f"and now {n}")  # the model is asked in between, with a context that grows
            circuit.answer = chat(f"step {n}")
        except AirsideError as stopped:
            error = stopped
            break
    assert error is not None
    assert (error.details["pattern"], error.details["length"], n) == ("same_round", 3, 9)


async def test_polling_is_no_loop(plane: InMemoryPlane, run: Identity) -> None:
    circuit = Circuit(plane, polling=frozenset({READ.name}))
    for _ in range(40):
        await circuit.look(run)
    assert circuit.heard.told == []


def grown(number: int, newest: str) -> tuple[bytes, ...]:
    """The pieces of a request: a conversation of so many turns, its newest message, and the parameters."""
    return (*[b"turn %d" % turn for turn in range(number)], newest.encode(), b"parameters")


async def test_a_model_that_repeats_itself_is_stopped_although_its_context_grows(
    plane: InMemoryPlane, run: Identity
) -> None:
    circuit = Circuit(plane)
    for n in range(6):
        circuit.answer = chat("I will look into it.", id_=str(n))
        await circuit.ask(run, "", parts=grown(n, "go on"))
    error = await refused(circuit.ask(run, "", parts=grown(6, "go on")))
    assert error.details["pattern"] == "same_answer"


async def test_to_say_the_same_to_different_questions_is_work(plane: InMemoryPlane, run: Identity) -> None:
    circuit = Circuit(plane)
    for n in range(30):
        circuit.answer = chat("yes", id_=str(n))
        await circuit.ask(run, "", parts=grown(n, f"is application {n} complete?"))
    assert circuit.heard.told == []


async def test_an_equal_request_may_be_sampled_a_few_times_and_not_for_ever(
    plane: InMemoryPlane, run: Identity
) -> None:
    circuit = Circuit(plane)
    for n in range(20):
        circuit.answer = chat(f"sample {n}")
        await circuit.ask(run, "what do you think?")
    assert [body["pattern"] for _, body in circuit.heard.told] == ["same_request"]
    assert (await refused(circuit.ask(run, "what do you think?"))).details["pattern"] == "same_request"


async def test_failures_that_repeat_are_no_progress_either(plane: InMemoryPlane, run: Identity) -> None:
    circuit = Circuit(plane)

    async def fail(call: Call) -> Outcome:
        raise AirsideError(Code.TOOL_FAILED, "no such order")

    circuit.forward = compose(circuit.steps, fail)
    codes = [(await refused(circuit.look(run))).code for _ in range(7)]
    assert codes == [Code.TOOL_FAILED] * 6 + [Code.NO_PROGRESS]


async def test_a_restart_forgets_nothing_and_replays_are_not_repeats(plane: InMemoryPlane, run: Identity) -> None:
    circuit = Circuit(plane)
    for _ in range(5):
        await circuit.look(run)
    again, circuit = await plane.next_attempt(run), Circuit(plane)
    for _ in range(5):
        assert (await circuit.look(again)).replayed
    await circuit.look(again)
    assert circuit.calls == 1
    error = await refused(circuit.look(again))
    assert (error.code, error.details["times"]) == (Code.NO_PROGRESS, 6)


async def test_other_runs_and_switched_off_agents_are_left_alone(plane: InMemoryPlane, run: Identity) -> None:
    circuit, other = Circuit(plane), await plane.start_run()
    for _ in range(5):
        await circuit.look(run)
        await circuit.look(other)
    off = Circuit(plane, enabled=False)
    for _ in range(20):
        await off.look(other)
    assert off.calls == 20


async def test_a_runaway_that_would_cost_50_dollars_is_stopped_at_cents(plane: InMemoryPlane) -> None:
    """D8: $0.10 expected, an infinite loop of calls, no budget in the way: at $0.05 a round, 1,000 rounds are $50."""
    run = await plane.start_run(Limits(nanousd=usd("1000")))
    circuit = Circuit(plane)
    circuit.cost = usd("0.05")
    rounds = 0

    async def runaway() -> None:
        nonlocal rounds
        for n in range(1_000):
            circuit.answer = chat(f"Let me look again. ({n})")
            await circuit.ask(run, f"history of {n} turns", need=world.Need(fixed_nanousd=usd("0.06")))
            await circuit.look(run, "order 7")
            rounds += 1

    with pytest.raises(AirsideError) as stopped:
        await runaway()
    assert stopped.value.code is Code.NO_PROGRESS
    spent = (await plane.balance(run))["spent_nanousd"]
    assert spent <= usd("0.35"), spent
    assert (rounds, plane.suspensions.asked[-1][1]) == (6, "partial")


MADE = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), max_size=30)


@given(MADE, st.integers(0, 2))
def test_rounds_are_counted_as_by_the_definition(made: list[tuple[int, int]], request: int) -> None:
    history = [Made(TOOL, "look", bytes([asked]), bytes([result])) for asked, result in made]
    call = world.call(request_hash=bytes([request]))
    for pattern in find(history, call):
        length, rounds = pattern.length, 0
        if len(made) >= length and made[-length][0] == request:
            while (rounds + 1) * length <= len(made):
                back = (rounds + 1) * length
                one = made[len(made) - back : len(made) - back + length]
                if one != made[len(made) - length :]:
                    break
                rounds += 1
        assert pattern.times == rounds
    assert [pattern.length for pattern in find(history, call)] == list(range(1, ROUND_MAX + 1))
