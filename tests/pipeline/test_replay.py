"""Later attempts are given what earlier ones recorded, and nothing is done twice."""

import asyncio

import pytest
from msgspec.structs import replace

from airside.core.call import Call, CallState, Outcome
from airside.core.errors import AirsideError, Code, TransientError
from airside.core.ports import Recorded, Sealed
from airside.core.run import Identity
from airside.pipeline.request import named
from airside.testing import InMemoryPlane, ScriptedTerminal, echo, model_call, tool_call
from tests.pipeline.conftest import LOCAL, READ, SAFE, WRITE
from tests.pipeline.test_record import through


async def crash(plane: InMemoryPlane, call: Call) -> None:
    """Leave a call open, as a process that dies in the middle of it does."""
    begun = asyncio.Event()

    async def dying(call: Call) -> Outcome:
        begun.set()
        await asyncio.Event().wait()
        return echo(call)

    pipeline = plane.pipeline(dying)
    other = plane.journal.executor_id
    plane.journal.executor_id = "dead"
    task = asyncio.create_task(through(pipeline, call))
    await begun.wait()
    plane.journal.executor_id = other
    CRASHED.append(task)


CRASHED: list[asyncio.Task[Outcome]] = []


@pytest.fixture(autouse=True)
async def bury_the_dead(plane: InMemoryPlane) -> object:
    yield
    for work in [*CRASHED, *plane.afterwork._tasks]:
        work.cancel()
    CRASHED.clear()


async def test_an_answer_is_given_again_byte_for_byte_and_free(plane: InMemoryPlane, run: Identity) -> None:
    terminal = ScriptedTerminal()
    first = await plane.pipeline(terminal)(model_call(run))
    again = await plane.next_attempt(run)
    second = await plane.pipeline(terminal)(model_call(again))
    assert (second.body, second.at_us, second.call_id) == (first.body, first.at_us, first.call_id)
    assert second.replayed
    assert not first.replayed
    assert len(terminal.calls) == 1
    assert (await plane.balance(run))["spent_calls"] == 1


@pytest.mark.parametrize("less", [{"only": ("put",)}, {"only": ()}, {"caveats": ('{"rules":[]}',)}])
async def test_a_narrower_token_is_given_nothing_that_a_wider_one_was_answered(
    plane: InMemoryPlane, run: Identity, less: dict[str, tuple[str, ...]]
) -> None:
    terminal = ScriptedTerminal()
    first = await plane.pipeline(terminal)(tool_call(run, READ, {}))
    again = await plane.next_attempt(run)
    plane.identities.known["narrower"] = replace(again, **less)
    narrower = await plane.pipeline(terminal)(replace(tool_call(again, READ, {}), token="narrower"))
    assert not narrower.replayed
    wider = await plane.pipeline(terminal)(tool_call(again, READ, {}))
    assert (wider.replayed, wider.call_id) == (True, first.call_id), "nobody has taken it away"


async def test_equal_calls_are_counted_and_replayed_in_their_order(plane: InMemoryPlane, run: Identity) -> None:
    answers = [Outcome(state=CallState.OK, body=b'"%d"' % n) for n in range(3)]
    pipeline = plane.pipeline(ScriptedTerminal(*answers))
    first = [(await pipeline(tool_call(run, READ, {}))).body for _ in answers]
    again = await plane.next_attempt(run)
    second = [(await pipeline(tool_call(again, READ, {}))).body for _ in answers]
    fresh = await pipeline(tool_call(again, READ, {}))
    assert first == second == [b'"0"', b'"1"', b'"2"']
    assert not fresh.replayed


async def test_within_one_attempt_nothing_is_replayed(plane: InMemoryPlane, run: Identity) -> None:
    terminal = ScriptedTerminal()
    pipeline = plane.pipeline(terminal)
    await pipeline(tool_call(run, WRITE, {"amount": 1}))
    await pipeline(tool_call(run, WRITE, {"amount": 1}))
    assert len(terminal.calls) == 2


async def test_concurrent_equal_calls_of_a_new_attempt_get_different_records(
    plane: InMemoryPlane, run: Identity
) -> None:
    terminal = ScriptedTerminal()
    pipeline = plane.pipeline(terminal)
    first = [await pipeline(tool_call(run, WRITE, {"amount": 1})) for _ in range(10)]
    again = await plane.next_attempt(run)
    second = await asyncio.gather(*[through(pipeline, tool_call(again, WRITE, {"amount": 1})) for _ in range(10)])
    assert {outcome.call_id for outcome in second} == {outcome.call_id for outcome in first}
    assert len(terminal.calls) == 10


@pytest.mark.parametrize(
    "error",
    [
        TransientError(Code.UPSTREAM_FAILED, details={"not_sent": True}),
        AirsideError(Code.BREAKER_OPEN),
        AirsideError(Code.UPSTREAM_TIMEOUT),
    ],
)
async def test_failures_that_may_pass_are_tried_anew(plane: InMemoryPlane, run: Identity, error: Exception) -> None:
    failing = ScriptedTerminal(error, error, error)
    with pytest.raises(AirsideError):
        await plane.pipeline(failing)(model_call(run))
    again = await plane.next_attempt(run)
    outcome = await plane.pipeline(ScriptedTerminal())(model_call(again))
    assert not outcome.replayed


async def test_a_read_whose_executor_died_is_lost_paid_and_made_anew(plane: InMemoryPlane, run: Identity) -> None:
    await crash(plane, model_call(run))
    again = await plane.next_attempt(run)
    outcome = await plane.pipeline(ScriptedTerminal())(model_call(again))
    assert not outcome.replayed
    assert sorted(call["state"] for call in await plane.calls(run)) == ["lost", "ok"]
    assert (await plane.balance(run))["spent_nanousd"] == 10_000_000 + 1_000
    third = await plane.next_attempt(again)
    assert (await plane.pipeline(ScriptedTerminal())(model_call(third))).replayed


async def test_a_side_effect_whose_executor_died_is_held_and_never_sent_again(
    plane: InMemoryPlane, run: Identity
) -> None:
    await crash(plane, tool_call(run, WRITE, {"amount": 1}))
    for _ in range(2):
        run = await plane.next_attempt(run)
        plane.suspensions.happened.clear()
        terminal = ScriptedTerminal()
        task = asyncio.create_task(through(plane.pipeline(terminal), tool_call(run, WRITE, {"amount": 1})))
        await plane.suspensions.happened.wait()
        task.cancel()
        assert plane.suspensions.asked[-1][1] == "held"
        assert not terminal.calls
    assert [call["state"] for call in await plane.calls(run)] == ["held"]
    assert (await plane.balance(run))["reserved_calls"] == 0


async def test_an_unsupervised_program_is_told_that_the_outcome_is_unknown(plane: InMemoryPlane) -> None:
    run = await plane.start_run(supervised=False)
    terminal = ScriptedTerminal(AirsideError(Code.UPSTREAM_TIMEOUT))
    with pytest.raises(AirsideError) as caught:
        await plane.pipeline(terminal)(tool_call(run, WRITE, {"amount": 1}))
    assert caught.value.code is Code.OUTCOME_UNKNOWN


async def test_an_idempotent_side_effect_is_sent_again_under_its_own_id(plane: InMemoryPlane, run: Identity) -> None:
    lost = tool_call(run, SAFE, {"key": 1})
    await crash(plane, lost)
    again = await plane.next_attempt(run)
    terminal = ScriptedTerminal()
    outcome = await plane.pipeline(terminal)(tool_call(again, SAFE, {"key": 1}))
    assert [call.call_id for call in terminal.calls] == [lost.call_id]
    assert terminal.calls[0].try_number == 2
    assert outcome.call_id == lost.call_id
    assert [call["state"] for call in await plane.calls(run)] == ["ok"]
    assert (await plane.balance(run))["reserved_calls"] == 0


async def test_an_idempotent_side_effect_is_retried_after_a_lost_connection(
    plane: InMemoryPlane, run: Identity
) -> None:
    terminal = ScriptedTerminal(TransientError(Code.UPSTREAM_FAILED, "reset"))
    outcome = await plane.pipeline(terminal)(tool_call(run, SAFE, {"key": 1}))
    assert outcome.state is CallState.OK
    assert len({call.call_id for call in terminal.calls}) == 1
    assert [call["try_number"] for call in await plane.calls(run)] == [2]
    assert (await plane.balance(run))["reserved_calls"] == 0


async def test_a_call_under_way_elsewhere_is_joined(plane: InMemoryPlane, run: Identity) -> None:
    await plane.executor("dead", alive=True)
    finish, begun = asyncio.Event(), asyncio.Event()

    async def slow(call: Call) -> Outcome:
        begun.set()
        await finish.wait()
        return echo(call)

    first = asyncio.create_task(through(plane.pipeline(slow), tool_call(run, WRITE, {"amount": 1})))
    await begun.wait()
    again = await plane.next_attempt(run)
    terminal = ScriptedTerminal()
    second = asyncio.create_task(through(plane.pipeline(terminal), tool_call(again, WRITE, {"amount": 1})))
    await asyncio.sleep(0)
    finish.set()
    assert (await second).call_id == (await first).call_id
    assert not terminal.calls


async def test_waiting_for_a_call_under_way_ends_at_the_deadline(plane: InMemoryPlane, run: Identity) -> None:
    await plane.executor("dead", alive=True)
    await crash(plane, tool_call(run, WRITE, {"amount": 1}))
    again = await plane.next_attempt(run)
    with pytest.raises(AirsideError) as caught:
        await plane.pipeline(ScriptedTerminal())(tool_call(again, WRITE, {"amount": 1}))
    assert caught.value.code is Code.UPSTREAM_TIMEOUT


async def test_a_local_tool_whose_process_died_is_held(plane: InMemoryPlane, run: Identity) -> None:
    pending = Outcome(state=CallState.OK, body=b"", pending=True)
    await plane.pipeline(ScriptedTerminal(pending))(tool_call(run, LOCAL, {}))
    again = await plane.next_attempt(run)
    task = asyncio.create_task(through(plane.pipeline(ScriptedTerminal(pending)), tool_call(again, LOCAL, {})))
    await plane.suspensions.happened.wait()
    task.cancel()
    assert plane.suspensions.asked[-1][1] == "held"


async def test_requests_that_differ_anywhere_have_different_names(plane: InMemoryPlane, run: Identity) -> None:
    key = await plane.keyring.subject(run.tenant_id, run.subject)
    other = await plane.keyring.subject(run.tenant_id, "someone else")
    call = replace(model_call(run), identity=run)
    variants = [
        call,
        replace(call, name="other"),
        replace(call, parts=(b"1", b"2")),
        replace(call, parts=(b"12",)),
        replace(call, parts=(b"1", b"", b"2")),
        tool_call(run, READ, {}),
    ]
    hashes = [named(replace(variant, identity=run), key).request_hash for variant in variants]
    assert len(set(hashes)) == len(hashes)
    assert named(call, other).request_hash != hashes[0]
    assert named(replace(call, call_id="x", token="y", timeout_s=1.0), key).request_hash == hashes[0]


async def test_a_kill_stops_replays_too(plane: InMemoryPlane, run: Identity) -> None:
    pipeline = plane.pipeline(ScriptedTerminal())
    await pipeline(model_call(run))
    again = await plane.next_attempt(run)
    plane.identities.killed.add("agent")
    with pytest.raises(AirsideError) as caught:
        await pipeline(model_call(again))
    assert caught.value.code is Code.KILLED


async def test_a_run_out_of_time_makes_no_call(plane: InMemoryPlane, run: Identity) -> None:
    plane.identities.known[f"{run.run_id}/1"] = replace(run, deadline_us=plane.clock.now_us())
    with pytest.raises(AirsideError) as caught:
        await plane.pipeline(ScriptedTerminal())(model_call(run))
    assert caught.value.details["dimension"] == "wall_seconds"


async def test_an_error_answer_keeps_its_words_and_they_are_sealed(plane: InMemoryPlane, run: Identity) -> None:
    refused = Outcome(state=CallState.ERROR, body=b'{"error":{}}', code=Code.UPSTREAM_REJECTED, message="Jo Doe, no")
    first = await plane.pipeline(ScriptedTerminal(refused))(model_call(run))
    again = await plane.next_attempt(run)
    second = await plane.pipeline(ScriptedTerminal())(model_call(again))
    assert (second.state, second.code, second.message, second.body) == (
        first.state,
        first.code,
        first.message,
        first.body,
    )
    assert "Jo Doe" not in str(await plane.calls(run)) + str(await plane.entries(run))
    assert (await plane.balance(run))["spent_nanousd"] == 0


async def test_a_client_that_vanishes_while_it_claims_gives_the_record_back(
    plane: InMemoryPlane, run: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = ScriptedTerminal()
    await plane.pipeline(terminal)(tool_call(run, WRITE, {"amount": 1}))
    again = await plane.next_attempt(run)
    claimed, finish, inner = asyncio.Event(), asyncio.Event(), plane.journal.claim

    async def slow(identity: Identity, request_hash: bytes, request_key: bytes) -> Recorded | None:
        recorded = await inner(identity, request_hash, request_key)
        claimed.set()
        await finish.wait()
        return recorded

    monkeypatch.setattr(plane.journal, "claim", slow)
    task = asyncio.create_task(through(plane.pipeline(terminal), tool_call(again, WRITE, {"amount": 1})))
    await claimed.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    finish.set()
    assert await plane.afterwork.drain(10.0)
    assert (await plane.pipeline(terminal)(tool_call(again, WRITE, {"amount": 1}))).replayed
    assert len(terminal.calls) == 1


async def test_a_resend_that_never_arrives_leaves_the_first_sending_in_doubt(
    plane: InMemoryPlane, run: Identity
) -> None:
    await crash(plane, tool_call(run, SAFE, {"key": 1}))
    again = await plane.next_attempt(run)
    unsent = TransientError(Code.UPSTREAM_FAILED, "refused", details={"not_sent": True})
    terminal = ScriptedTerminal(unsent, unsent, unsent)
    task = asyncio.create_task(through(plane.pipeline(terminal), tool_call(again, SAFE, {"key": 1})))
    await plane.suspensions.happened.wait()
    task.cancel()
    assert plane.suspensions.asked[-1][1] == "held"
    assert [call["state"] for call in await plane.calls(run)] == ["held"]


def test_the_pieces_of_a_request_cannot_be_shifted_into_one_another(run: Identity) -> None:
    class Plain:
        def name(self, plaintext: bytes) -> bytes:
            return plaintext

        def seal(self, plaintext: bytes) -> Sealed:
            raise NotImplementedError

        def open(self, content_id: bytes, blob: bytes) -> bytes:
            raise NotImplementedError

    call = model_call(run)
    shifted = [replace(call, name="ab", parts=(b"c",)), replace(call, name="a", parts=(b"bc",))]
    assert len({named(replace(variant, identity=run), Plain()).request_hash for variant in shifted}) == 2
