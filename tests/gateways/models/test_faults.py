"""Every way a client or a provider can misbehave, over real HTTP: a clear error with a stable code, no traceback."""

import asyncio
import json
from typing import Any

import httpx2
import openai
import pytest

from airside.core.call import CallState
from airside.core.errors import AirsideError, Code, TransientError
from airside.gateways.models.gateway import ModelLimits
from tests.fake_providers import KEY, Fault, text, tool_calls
from tests.gateways.models.world import MODEL, TOKEN, Spy, World, until, world

USER = [{"role": "user", "content": "Hello"}]
BAD_USAGES: list[Any] = [
    None,
    {},
    "many",
    {"prompt_tokens": -1, "completion_tokens": 2},
    {"prompt_tokens": 10**12, "completion_tokens": 2},
    {"prompt_tokens": 1.5, "completion_tokens": 2},
    {"prompt_tokens": True, "completion_tokens": 2},
    {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
]


def error_of(response: httpx2.Response) -> tuple[int, str]:
    assert "Traceback" not in response.text
    assert KEY not in response.text
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_request"),
        (b"{", "invalid_request"),
        (b'{"model": "m", "model": "n", "messages": []}', "invalid_request"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": NaN}', "invalid_request"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "\xff"}]}', "invalid_request"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "\\ud800", "name": "x"}]}', "invalid_request"),
        (b'{"model": "m", "messages": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "limit_exceeded"),
        (b"[]", "invalid_request"),
        (b'"x"', "invalid_request"),
        (b'{"messages": [{"role": "user", "content": "x"}]}', "invalid_request"),
        (b'{"model": 3, "messages": [{"role": "user", "content": "x"}]}', "invalid_request"),
        (b'{"model": "nobody-knows-me", "messages": [{"role": "user", "content": "x"}]}', "unknown_model"),
    ],
)
async def test_bodies_that_are_no_request(body: bytes, code: str) -> None:
    async with world() as w:
        response = await w.http.post("/v1/chat/completions", content=body)
        assert error_of(response)[1] == code
        assert not w.spy.calls
        assert w.fake.calls == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"messages": []},
        {"messages": "hi"},
        {"messages": ["hi"]},
        {"messages": [{"role": "narrator", "content": "x"}]},
        {"messages": [{"role": ["user"], "content": "x"}]},
        {"messages": [{"role": "user", "content": 3}]},
        {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
        {"messages": [{"role": "assistant", "tool_calls": "x"}]},
        {"n": 2},
        {"n": [1]},
        {"n": True},
        {"max_tokens": 0},
        {"max_tokens": "8"},
        {"max_completion_tokens": 1.5},
        {"stream": "yes"},
        {"stream": True, "stream_options": []},
        {"stream": True, "stream_options": {"include_usage": 1}},
        {"tools": {}},
        {"tools": [[]]},
        {"modalities": ["text", "audio"]},
        {"service_tier": "priority"},
        {"service_tier": ["flex"]},
    ],
)
async def test_values_of_wrong_types(changed: dict[str, Any]) -> None:
    async with world() as w:
        assert error_of(await w.ask(**changed)) == (400, "invalid_request")
        assert w.fake.calls == 0


async def test_tools_that_run_at_the_provider_are_denied() -> None:
    async with world() as w:
        for hosted in (
            {"tools": [{"type": "web_search"}]},
            {"tools": [{}]},
            {"web_search_options": {}},
            {"plugins": [{"id": "web"}]},
            {"models": ["gpt-5-pro"]},
            {"search_parameters": {"mode": "on"}},
            {"model": "gpt-4o-search-preview"},
        ):
            assert error_of(await w.ask(**hosted)) == (403, "policy_denied")
        for unmetered in ({"prediction": {"type": "content", "content": "x" * 9_000}}, {"moderation": {}}):
            assert error_of(await w.ask(**unmetered)) == (400, "invalid_request")
        assert w.fake.calls == 0


async def test_oversize_bodies_are_refused_announced_or_not() -> None:
    async with world(limits=ModelLimits(body_bytes_max=2_000, reserve_output_tokens=10)) as w:
        assert error_of(await w.ask("x" * 3_000)) == (413, "limit_exceeded")

        async def drip() -> Any:
            for _ in range(50):
                yield b"x" * 100

        assert error_of(await w.http.post("/v1/chat/completions", content=drip())) == (413, "limit_exceeded")
        assert (await w.ask("x" * 1_000)).status_code == 200


async def test_wrong_paths_methods_and_credentials() -> None:
    async with world() as w:
        assert error_of(await w.http.post("/v1/nothing")) == (404, "not_found")
        assert error_of(await w.http.get("/v1/chat/completions")) == (405, "invalid_request")
        for headers in ({"authorization": ""}, {"authorization": "Bearer"}, {"authorization": f"Basic {TOKEN}"}):
            response = await w.http.post("/v1/chat/completions", json={}, headers=headers)
            assert error_of(response) == (401, "unauthenticated")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "code", "billed"),
    [
        (Fault(reset=True), Code.UPSTREAM_FAILED, None),
        (Fault(status=500, raw=b"<html>oops</html>"), Code.UPSTREAM_FAILED, "unbilled"),
        (Fault(status=503, raw=b""), Code.UPSTREAM_FAILED, "unbilled"),
        (Fault(status=429, raw=b"{}", headers={"retry-after": "7"}), Code.RATE_LIMITED, "unbilled"),
        (Fault(raw=b"garbage"), Code.UPSTREAM_FAILED, None),
        (Fault(raw=b'{"choices": []}'), Code.UPSTREAM_FAILED, None),
        (Fault(raw=b'{"error": {"message": "no"}}'), Code.UPSTREAM_FAILED, None),
        (Fault(raw=b"\x1f\x8b", headers={"content-encoding": "gzip"}), Code.UPSTREAM_FAILED, None),
        (Fault(raw=b"garbage", content_type="text/event-stream"), Code.UPSTREAM_FAILED, None),
        (Fault(raw=b"data: garbage\n\n", content_type="text/event-stream"), Code.UPSTREAM_FAILED, None),
        (Fault(raw=b"data: [DONE]\n\n", content_type="text/event-stream"), Code.UPSTREAM_FAILED, None),
        (Fault(raw=b'data: {"error": {"message": "overloaded"}}\n\n', content_type="x"), Code.UPSTREAM_FAILED, None),
        (Fault(raw=b"data: " + b"x" * 1_100_000, content_type="text/event-stream"), Code.UPSTREAM_FAILED, None),
    ],
)
async def test_failures_that_may_pass_are_transient_and_another_try_answers(
    fault: Fault, code: Code, billed: str | None, stream: bool
) -> None:
    async with world(Spy(tries=2)) as w:
        w.fake.faults.append(fault)
        w.fake.reply = lambda body: text("second try")
        response = await w.ask(stream=stream)
        assert response.status_code == 200
        assert "second" in response.text
        assert w.fake.calls == 2
        (error,) = w.spy.errors
        assert isinstance(error, TransientError)
        assert error.code is code
        assert error.details == ({billed: True} if billed else {})
        assert error.retry_after_s == (7.0 if code is Code.RATE_LIMITED else None)


async def test_a_provider_that_is_not_there_was_never_reached() -> None:
    async with world(base_url="http://127.0.0.1:9/v1") as w:
        assert error_of(await w.ask()) == (502, "upstream_failed")
        assert w.spy.errors[0].details == {"not_sent": True}


async def test_rate_limits_tell_the_client_how_long_to_wait() -> None:
    async with world() as w:
        w.fake.faults.append(Fault(status=429, raw=b"{}", headers={"retry-after": "7"}))
        response = await w.ask()
        assert error_of(response) == (429, "rate_limited")
        assert response.headers["retry-after"] == "7"
        w.fake.faults.append(Fault(status=429, raw=b'{"error": {"code": "insufficient_quota"}}'))
        assert error_of(await w.ask()) == (502, "upstream_failed")
        assert not isinstance(w.spy.errors[-1], TransientError)


@pytest.mark.parametrize("status", [301, 401, 403])
async def test_a_provider_that_refuses_us_is_our_fault_and_not_retried(status: int) -> None:
    async with world() as w:
        w.fake.faults.append(Fault(status=status, raw=b'{"error": {"message": "key %s"}}' % KEY.encode()))
        assert error_of(await w.ask()) == (502, "upstream_failed")
        (error,) = w.spy.errors
        assert type(error) is AirsideError


@pytest.mark.parametrize("fault", [Fault(stall=True), Fault(stall_after=0), Fault(stall_after=3)])
async def test_silence_is_a_timeout(fault: Fault) -> None:
    async with world(timeout_s=20.0, idle_timeout_s=0.2) as w:
        w.fake.faults.append(fault)
        response = await w.ask(stream=True)
        if fault.stall_after == 3:
            assert response.status_code == 200
            assert json.loads(response.text.split("data: ")[-1])["error"]["code"] == "upstream_timeout"
        else:
            assert error_of(response) == (504, "upstream_timeout")
    async with world(timeout_s=0.2) as w:
        w.fake.faults.append(Fault(stall=True))
        assert error_of(await w.ask()) == (504, "upstream_timeout")


@pytest.mark.parametrize("fault", [Fault(cut_after=4), Fault(end_after=4)])
async def test_half_a_stream_ends_in_an_error_event_and_is_not_tried_again(fault: Fault) -> None:
    async with world(Spy(tries=3)) as w:
        w.fake.faults.append(fault)
        with pytest.raises(openai.APIError, match="fake") as caught:
            async for _ in await w.openai.chat.completions.create(model=MODEL, messages=USER, stream=True):
                pass
        assert caught.value.code == "upstream_failed"
        assert w.fake.calls == 1
        assert not isinstance(w.spy.errors[0], TransientError)


async def test_half_a_tool_call_was_withheld_so_it_is_tried_again() -> None:
    async with world(Spy(tries=2)) as w:
        w.fake.reply = lambda body: tool_calls(("refund", {"order": 4711, "amount": 10.5}))
        w.fake.faults.append(Fault(cut_after=3))
        response = await w.ask(stream=True, tools=[{"type": "function", "function": {"name": "refund"}}])
        assert w.fake.calls == 2
        assert "error" not in response.text
        assert response.text.count('"arguments"') == 1


@pytest.mark.parametrize("usage", BAD_USAGES)
@pytest.mark.parametrize("stream", [False, True])
async def test_usage_that_cannot_be_is_unknown(usage: Any, stream: bool) -> None:
    async with world() as w:
        w.fake.faults.append(Fault(usage=usage))
        assert (await w.ask(stream=stream)).status_code == 200
        (outcome,) = w.spy.outcomes
        assert (outcome.state, outcome.metered, outcome.cost) == (CallState.OK, False, 0)


async def test_an_upstream_that_answers_a_stream_whole_is_streamed_all_the_same() -> None:
    async with world() as w:
        whole = w.fake.completion({"model": MODEL, "messages": USER}, None)
        w.fake.faults.append(Fault(raw=json.dumps(whole).encode()))
        stream = await w.openai.chat.completions.create(model=MODEL, messages=USER, stream=True)
        said = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        assert said == whole["choices"][0]["message"]["content"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_stops_the_provider_at_once(stream: bool) -> None:
    async with world() as w:
        w.fake.faults.append(Fault(stall_after=3) if stream else Fault(stall=True))
        await _leave_once_in_flight(w, stream)
        await until(lambda: w.fake.vanished == 1, seconds=2)
        assert isinstance(w.spy.errors[0], asyncio.CancelledError)
        assert (await w.ask()).status_code == 200


async def _leave_once_in_flight(w: World, stream: bool) -> None:
    task = asyncio.create_task(w.ask(stream=stream))
    await until(lambda: w.fake.in_flight == 1)
    if stream:
        await until(lambda: w.spy.calls[0].payload.delivered.anything)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_answer_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airside.gateways.models.providers.http.ANSWER_BYTES_MAX", 10_000)
    async with world() as w:
        w.fake.reply = lambda body: text("x" * 20_000)
        assert error_of(await w.ask()) == (502, "upstream_failed")


async def test_a_bug_in_the_pipeline_shows_an_error_id_and_nothing_else() -> None:
    spy = Spy()

    async def broken() -> None:
        raise RuntimeError("secret detail")

    spy.before_return = broken
    async with world(spy) as w:
        response = await w.ask()
        assert error_of(response) == (500, "internal")
        assert "secret" not in response.text
        assert response.json()["error"]["details"]["error_id"].startswith("err_")
