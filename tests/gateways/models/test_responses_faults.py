"""Every way a Responses upstream can misbehave, over real HTTP: a clear error, charged once, nothing half delivered."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from airside.core.call import CallState
from airside.core.errors import AirsideError, Code, TransientError
from tests.fake_providers import KEY, Fault, text, tool_calls
from tests.fake_providers.fault import BAD_UTF8, LONG_LINE
from tests.gateways.models.places import acts, place, remembering
from tests.gateways.models.world import Spy, World, until

BAD_USAGES: list[Any] = [
    None,
    {},
    "many",
    {"input_tokens": -1, "output_tokens": 2},
    {"input_tokens": 10**12, "output_tokens": 2},
    {"input_tokens": 1.5, "output_tokens": 2},
    {"input_tokens": True, "output_tokens": 2},
    {"input_tokens": 3, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 4}},
]
WRONG = b'{"object": "response", "status": "failed", "output": [], "error": {"code": "CODE", "message": "no"}}'
EVENTS = "text/event-stream"


async def ask(w: World, **body: Any) -> httpx2.Response:
    return await w.http.post("/v1/responses", json={"model": "m", "input": "Hello", **body})


def error_of(response: httpx2.Response) -> tuple[int, str]:
    assert "Traceback" not in response.text
    assert KEY not in response.text
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "billed"),
    [
        (Fault(reset=True), None),
        (Fault(status=500, raw=b"<html>oops</html>"), "unbilled"),
        (Fault(status=429, raw=b"{}"), "unbilled"),
        (Fault(raw=b"garbage"), None),
        (Fault(raw=b"[]"), None),
        (Fault(raw=b'{"output": "x"}'), None),
        (Fault(raw=b'{"object": "response", "status": "completed", "output": []}'), None),
        (Fault(raw=b'{"output": [{"type": "message", "content": [{"text": "\xff"}]}]}'), None),
        (Fault(raw=WRONG.replace(b"CODE", b"server_error")), None),
        (Fault(raw=b'{"error": {"message": "no"}}'), None),
        (Fault(raw=b"garbage", content_type=EVENTS), None),
        (Fault(raw=b"data: garbage\n\n", content_type=EVENTS), None),
        (Fault(raw=BAD_UTF8, content_type=EVENTS), None),
        (Fault(raw=LONG_LINE, content_type=EVENTS), None),
        (Fault(raw=b'data: {"type": "error", "code": "server_error"}\n\n', content_type="text/plain"), None),
    ],
)
async def test_failures_that_may_pass_are_tried_again(
    fault: Fault, billed: str | None, stream: bool, tmp_path: Path
) -> None:
    async with place("openai", tmp_path, spy=Spy(tries=2)) as w:
        w.fake.faults.append(fault)
        w.fake.reply = lambda body: text("again")
        response = await ask(w, stream=stream)
        assert response.status_code == 200
        assert "again" in response.text
        (error,) = w.spy.errors
        assert isinstance(error, TransientError)
        assert error.details == ({billed: True} if billed else {})


@pytest.mark.parametrize("stream", [False, True])
async def test_what_fails_because_of_the_request_is_not_tried_again(stream: bool, tmp_path: Path) -> None:
    async with place("openai", tmp_path, spy=Spy(tries=3)) as w:
        wrong = WRONG.replace(b"CODE", b"invalid_prompt")
        event = b'data: {"type": "response.failed", "response": ' + wrong + b"}\n\n"
        w.fake.faults.append(Fault(raw=event, content_type=EVENTS) if stream else Fault(raw=wrong))
        assert error_of(await ask(w, stream=stream)) == (400, "upstream_rejected")
        assert w.fake.calls == 1
        assert w.spy.outcomes[0].state is CallState.ERROR


@pytest.mark.parametrize(
    "fault",
    [
        *[Fault(cut_after=6), Fault(end_after=6), Fault(drop=5)],
        *[Fault(inject=(6, LONG_LINE)), Fault(inject=(6, BAD_UTF8)), Fault(inject=(6, b"data: []\n\n"))],
    ],
)
async def test_half_a_stream_ends_in_an_error_event_and_is_not_tried_again(fault: Fault, tmp_path: Path) -> None:
    async with place("openai", tmp_path, spy=Spy(tries=3)) as w:
        w.fake.reply = lambda body: text("A long answer, in pieces.")
        w.fake.faults.append(fault)
        with pytest.raises(openai.APIError, match="fake") as caught:
            await _read(w)
        assert caught.value.code == "upstream_failed"
        assert w.fake.calls == 1
        assert not isinstance(w.spy.errors[0], TransientError)


async def _read(w: World) -> None:
    async for event in await w.openai.responses.create(model="m", input="x", stream=True):
        assert event.type != "response.completed"


async def test_half_a_tool_call_was_withheld_so_it_is_tried_again(tmp_path: Path) -> None:
    async with place("openai", tmp_path, spy=Spy(tries=2)) as w:
        w.fake.reply = lambda body: tool_calls(("refund", {"order": 4711, "amount": 10.5}))
        w.fake.faults.append(Fault(cut_after=5))
        response = await ask(w, stream=True, tools=[{"type": "function", "name": "refund", "parameters": {}}])
        assert w.fake.calls == 2
        assert "upstream_failed" not in response.text
        assert response.text.count("response.function_call_arguments.done") == 2  # its name and its data


async def test_events_that_come_twice_are_answered_once(tmp_path: Path) -> None:
    async with place("openai", tmp_path) as w:
        w.fake.reply = lambda body: tool_calls(("refund", {"order": 4711}), content="A long text, in pieces.")
        w.fake.faults.append(Fault(duplicate=True))
        async with w.openai.responses.stream(model="m", input="x") as stream:
            deltas = [event.delta async for event in stream if event.type == "response.output_text.delta"]
            final = await stream.get_final_response()
        assert "".join(deltas) == final.output_text == "A long text, in pieces."


@pytest.mark.parametrize("fault", [Fault(stall=True), Fault(stall_after=1), Fault(stall_after=7)])
async def test_silence_is_a_timeout(fault: Fault, tmp_path: Path) -> None:
    async with place("openai", tmp_path, timeout_s=20.0, idle_timeout_s=0.2) as w:
        w.fake.faults.append(fault)
        response = await ask(w, stream=True)
        if fault.stall_after == 7:
            assert json.loads(response.text.split("data: ")[-1])["error"]["code"] == "upstream_timeout"
        else:
            assert error_of(response) == (504, "upstream_timeout")


@pytest.mark.parametrize("usage", BAD_USAGES)
@pytest.mark.parametrize("stream", [False, True])
async def test_usage_that_cannot_be_is_unknown(usage: Any, stream: bool, tmp_path: Path) -> None:
    async with place("openai", tmp_path) as w:
        w.fake.faults.append(Fault(usage=usage))
        assert (await ask(w, stream=stream)).status_code == 200
        (outcome,) = w.spy.outcomes
        assert (outcome.state, outcome.metered, outcome.cost) == (CallState.OK, False, 0)


async def test_an_upstream_that_answers_a_stream_whole_is_streamed_all_the_same(tmp_path: Path) -> None:
    async with place("openai", tmp_path) as w:
        whole = json.loads((await ask(w)).text)
        w.fake.faults.append(Fault(raw=json.dumps(whole).encode()))
        async with w.openai.responses.stream(model="m", input="x") as stream:
            final = await stream.get_final_response()
        assert final.output_text == whole["output"][0]["content"][0]["text"]


async def test_huge_tool_arguments_arrive_whole(tmp_path: Path) -> None:
    async with place("openai", tmp_path) as w:
        w.fake.reply = lambda body: tool_calls(("write", {"text": "x" * 30_000}))
        async with w.openai.responses.stream(model="m", input="x") as stream:
            final = await stream.get_final_response()
        (call,) = [item for item in final.output if item.type == "function_call"]
        assert len(json.loads(call.arguments)["text"]) == 30_000


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_stops_the_provider(stream: bool, tmp_path: Path) -> None:
    async with place("openai", tmp_path) as w:
        w.fake.faults.append(Fault(stall_after=6) if stream else Fault(stall=True))
        task = asyncio.create_task(ask(w, stream=stream))
        await until(lambda: w.fake.in_flight == 1)
        if stream:
            await until(lambda: w.spy.calls[0].payload.delivered.anything)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await until(lambda: w.fake.vanished == 1, seconds=2)
        assert isinstance(w.spy.errors[0], asyncio.CancelledError)


async def test_a_broken_answer_is_charged_once_and_kept_by_nobody(tmp_path: Path) -> None:
    async with remembering(tmp_path) as (w, plane):
        who = await plane.start_run()
        acts(w, who)
        w.fake.reply = lambda body: text("A long answer, in pieces.")
        w.fake.faults.append(Fault(cut_after=7))
        response = await ask(w, stream=True)
        begun = json.loads(response.text.split("data: ")[1].split("\n")[0])["response"]["id"]
        (call,) = await plane.calls(who)
        balance = await plane.balance(who)
        assert balance["spent_nanousd"] == call["cost_nanousd"] > 0
        assert balance["reserved_nanousd"] == 0
        again = await ask(w, previous_response_id=begun)
        assert (again.status_code, again.json()["error"]["code"]) == (404, Code.NOT_FOUND)


async def test_an_unresolved_reference_never_leaves(tmp_path: Path) -> None:
    async with place("openai", tmp_path) as w:  # a pipeline without histories
        for body in ({"previous_response_id": "resp_1"}, {"input": [{"type": "item_reference", "id": "msg_1"}]}):
            assert error_of(await ask(w, **body)) == (404, "not_found")
        assert w.fake.calls == 0
        assert all(isinstance(error, AirsideError) for error in w.spy.errors)
