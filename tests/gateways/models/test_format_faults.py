"""Every way an upstream of Messages or Gemini, or a client of theirs, can misbehave: bounded, and charged once."""

import asyncio
import json
from typing import Any

import httpx2
import pytest

from airside.core.call import CallState
from airside.core.errors import AirsideError, Code, TransientError
from tests.fake_providers.fault import BAD_UTF8, LONG_LINE, Fault
from tests.fake_providers.script import KEY, text, tool_calls
from tests.gateways.models.pairs import Pair, pair
from tests.gateways.models.world import MODEL, Spy, until

KINDS = ["anthropic", "gemini"]
TOOL = {"type": "object", "properties": {"id": {"type": "integer"}}}


async def ask(p: Pair, kind: str, *, stream: bool = False, **changed: Any) -> httpx2.Response:
    """Ask in the provider's own format."""
    if kind == "anthropic":
        tools = [{"name": "find", "input_schema": TOOL}]
        body = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}], "tools": tools}
        return await p.post("/v1/messages", {**body, "stream": stream, **changed})
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    tools = [{"functionDeclarations": [{"name": "find", "parametersJsonSchema": TOOL}]}]
    body = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}], "tools": tools}
    return await p.post(f"/v1beta/models/{MODEL}:{method}", {**body, **changed})


def code_of(response: httpx2.Response) -> str:
    """Return our code in an error, whichever shape it has; fails where it says too much."""
    assert "Traceback" not in response.text
    assert KEY not in response.text
    error = response.json()["error"]
    return str(error.get("code") if "type" in error else error["details"][0]["reason"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("fault", "code", "billed"),
    [
        (Fault(reset=True), Code.UPSTREAM_FAILED, None),
        (Fault(status=500, raw=b"<html>oops</html>"), Code.UPSTREAM_FAILED, "unbilled"),
        (Fault(status=529, raw=b'{"error": {"type": "overloaded_error"}}'), Code.UPSTREAM_FAILED, "unbilled"),
        (Fault(status=429, raw=b"{}", headers={"retry-after": "7"}), Code.RATE_LIMITED, "unbilled"),
        (Fault(raw=b"garbage"), Code.UPSTREAM_FAILED, None),
        (Fault(raw=b"[]"), Code.UPSTREAM_FAILED, None),
        (Fault(raw=b'{"type": "error", "error": {"message": "no"}}'), Code.UPSTREAM_FAILED, None),
        (Fault(raw=b'{"type": "message", "content": [{"x": "\xff"}], "candidates": [1]}'), Code.UPSTREAM_FAILED, None),
        (Fault(raw=b"\x1f\x8b", headers={"content-encoding": "gzip"}), Code.UPSTREAM_FAILED, None),
        (Fault(raw=b"garbage", content_type="text/event-stream"), Code.UPSTREAM_FAILED, None),
        (Fault(raw=b"data: garbage\n\n", content_type="text/event-stream"), Code.UPSTREAM_FAILED, None),
        (Fault(raw=b'data: {"type": "error", "error": {}}\n\n', content_type="x"), Code.UPSTREAM_FAILED, None),
        (Fault(raw=LONG_LINE, content_type="text/event-stream"), Code.UPSTREAM_FAILED, None),
        (Fault(raw=BAD_UTF8, content_type="text/event-stream"), Code.UPSTREAM_FAILED, None),
    ],
)  # fmt: skip
async def test_failures_that_may_pass_are_transient_and_another_try_answers(
    kind: str, fault: Fault, code: Code, billed: str | None, stream: bool
) -> None:
    async with pair(kind, Spy(tries=2)) as p:
        p.fake.faults.append(fault)
        p.fake.reply = lambda body: text("second try")
        response = await ask(p, kind, stream=stream)
        assert response.status_code == 200
        assert "second" in response.text
        assert p.fake.calls == 2
        (error,) = p.spy.errors
        assert isinstance(error, TransientError)
        assert (error.code, error.details.get("unbilled")) == (code, True if billed else None)
        assert p.spy.outcomes[-1].metered


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut_after=5),
        Fault(end_after=5),
        Fault(inject=(5, LONG_LINE)),
        Fault(inject=(5, BAD_UTF8)),
        Fault(inject=(5, b'event: error\ndata: {"type": "error", "error": {"message": "x"}}\n\n')),
    ],
)
async def test_a_stream_that_breaks_after_text_ends_in_an_error_and_is_not_tried_again(kind: str, fault: Fault) -> None:
    async with pair(kind, Spy(tries=2)) as p:
        p.fake.reply = lambda body: text("word " * 40)
        p.fake.faults.append(fault)
        response = await ask(p, kind, stream=True)
        assert response.status_code == 200
        assert "word" in response.text
        last = json.loads(response.text.strip().rpartition("data: ")[2])
        assert "upstream_failed" in json.dumps(last["error"])
        assert "message_stop" not in response.text
        assert "finishReason" not in response.text
        assert p.fake.calls == 1
        (error,) = p.spy.errors
        assert isinstance(error, AirsideError)
        assert not isinstance(error, TransientError)
        assert not p.spy.outcomes


async def test_doubled_events_of_messages_are_no_answer() -> None:
    async with pair("anthropic") as p:
        p.fake.faults.append(Fault(duplicate=True))
        assert (await ask(p, "anthropic", stream=True)).status_code == 502
        assert not p.spy.outcomes


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stream_that_falls_silent_ends_in_time(kind: str) -> None:
    async with pair(kind, idle_timeout_s=0.2) as p:
        for stall, status in ((0, 504), (6, 200)):
            p.fake.reply = lambda body: text("word " * 40)
            p.fake.faults.append(Fault(stall_after=stall))
            response = await asyncio.wait_for(ask(p, kind, stream=True), 5)
            assert response.status_code == status
            assert "upstream_timeout" in response.text
            await until(lambda: p.fake.in_flight == 0)


USAGES: list[Any] = [
    None,
    {},
    "many",
    {"input_tokens": -1, "output_tokens": 2, "promptTokenCount": -1},
    {"input_tokens": 10**12, "output_tokens": 2, "promptTokenCount": 10**12},
    {"input_tokens": 1.5, "output_tokens": 2, "promptTokenCount": 1.5},
    {"input_tokens": True, "output_tokens": 2, "promptTokenCount": True},
    {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": -4, "promptTokenCount": 3,
     "cachedContentTokenCount": 4},
]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("usage", USAGES)
async def test_impossible_usage_is_no_meter(kind: str, usage: Any, stream: bool) -> None:
    async with pair(kind) as p:
        p.fake.faults.append(Fault(usage=usage))
        response = await ask(p, kind, stream=stream)
        assert response.status_code == 200
        (outcome,) = p.spy.outcomes
        assert (outcome.metered, outcome.usage.total) == (False, 0)


@pytest.mark.parametrize("kind", KINDS)
async def test_huge_arguments_of_a_tool_arrive_whole_and_over_the_limit_not_at_all(kind: str) -> None:
    async with pair(kind) as p:
        for size, whole in ((900_000, True), (40_000_000, False)):
            p.fake.reply = lambda body, size=size: tool_calls(("find", {"id": 1, "note": "x" * size}))  # type: ignore[misc]  # bound early
            response = await ask(p, kind, stream=kind == "gemini")
            assert (response.status_code == 200) == whole
            assert (response.text.count("x") >= size) == whole


@pytest.mark.parametrize("kind", KINDS)
async def test_a_client_that_hangs_up_stops_the_provider(kind: str) -> None:
    async with pair(kind) as p:
        p.fake.chunk_delay_s = 0.01
        p.fake.reply = lambda body: text("word " * 4_000)
        asking = asyncio.create_task(ask(p, kind, stream=True))
        await until(lambda: p.fake.in_flight == 1)
        asking.cancel()
        await until(lambda: p.fake.in_flight == 0)
        await until(lambda: p.spy.errors)
        assert isinstance(p.spy.errors[-1], asyncio.CancelledError)
        assert not p.spy.outcomes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_request"),
        (b"[]", "invalid_request"),
        (b"{", "invalid_request"),
        (b'{"contents": [], "messages": []}', "invalid_request"),
        (b'{"model": "m", "max_tokens": 1, "messages": "x", "contents": "x"}', "invalid_request"),
        (b'{"model": "m", "max_tokens": 1, "messages": [3], "contents": [3]}', "invalid_request"),
        (b'{"model": "m", "max_tokens": 1, "messages": [{"role": 1}], "contents": [{"role": 1}]}', "invalid_request"),
        (b'{"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "\xff"}]}', "invalid_request"),
        (b'{"contents": [], "contents": []}', "invalid_request"),
        (b'{"messages": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "limit_exceeded"),
    ],
)  # fmt: skip
async def test_bodies_that_are_no_request(kind: str, body: bytes, code: str) -> None:
    path = "/v1/messages" if kind == "anthropic" else f"/v1beta/models/{MODEL}:generateContent"
    async with pair(kind) as p:
        assert code_of(await p.http.post(path, content=body)) == code
        assert p.fake.calls == 0


VIDEO = {"inlineData": {"mimeType": "Video/MP4", "data": "AA=="}}


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("anthropic", {"max_tokens": 0}),
        ("anthropic", {"max_tokens": "8"}),
        ("anthropic", {"stream": "yes"}),
        ("anthropic", {"system": [3]}),
        ("anthropic", {"system": [{"type": 3}]}),
        ("anthropic", {"tools": {}}),
        ("anthropic", {"tools": [[]]}),
        ("anthropic", {"thinking": "much"}),
        ("anthropic", {"speed": "fast"}),
        ("anthropic", {"inference_geo": "us"}),
        ("anthropic", {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": [3]}]}]}),
        ("gemini", {"generationConfig": []}),
        ("gemini", {"generationConfig": {"maxOutputTokens": 0}}),
        ("gemini", {"generationConfig": {"candidateCount": 2}}),
        ("gemini", {"generationConfig": {"responseModalities": ["IMAGE"]}}),
        ("gemini", {"generationConfig": {}, "generation_config": {}}),
        ("gemini", {"tools": [{"functionDeclarations": 3}]}),
        ("gemini", {"systemInstruction": "brief"}),
        ("gemini", {"contents": [{"parts": [{"functionCall": 3}]}]}),
        ("gemini", {"contents": [{"parts": [{"inlineData": {"mimeType": "audio/wav", "data": "AA=="}}]}]}),
        (
            "gemini",
            {"contents": [{"parts": [{"fileData": {"fileUri": "https://YouTu.be/1", "mimeType": "image/png"}}]}]},
        ),
        ("gemini", {"contents": [{"parts": [{"functionResponse": {"name": "f", "response": {}, "parts": [VIDEO]}}]}]}),
        ("gemini", {"serviceTier": "priority"}),
    ],
)
async def test_values_of_wrong_types_and_what_cannot_be_metered(kind: str, changed: dict[str, Any]) -> None:
    async with pair(kind) as p:
        assert code_of(await ask(p, kind, **changed)) == "invalid_request"
        assert p.fake.calls == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"cachedContent": "cachedContents/1"},
        {"store": True},
        {"tools": [{"google_search": {}}]},
        {"contents": [{"parts": [{"file_data": {"file_uri": "https://generativelanguage.googleapis.com/v1beta/files/1"}}]}]},
        {"contents": [{"parts": [{"fileData": {"fileUri": "gs://bucket/1"}}]}]},
        {"contents": [{"parts": [{"fileData": {"fileUri": "https://storage.GoogleAPIs.com/b/1"}}]}]},
        {"contents": [{"parts": [{"functionResponse": {"parts": [{"fileData": {"fileUri": "gs://bucket/1"}}]}}]}]},
    ],
)  # fmt: skip
async def test_what_is_kept_at_google_is_denied(changed: dict[str, Any]) -> None:
    async with pair("gemini") as p:
        assert code_of(await ask(p, "gemini", **changed)) == "policy_denied"
        assert p.fake.calls == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_that_cannot_be_said_in_the_clients_words_is_an_error_and_is_paid(kind: str) -> None:
    """A Chat upstream whose arguments are no object: neither Messages nor Gemini can say that."""
    async with pair("openai_compatible") as p:
        call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": "[1]"}}
        p.fake.reply = lambda body: {"role": "assistant", "content": None, "tool_calls": [call]}
        response = await ask(p, kind)
        assert (response.status_code, code_of(response)) == (400, "invalid_request")
        (outcome,) = p.spy.outcomes
        assert outcome.state is CallState.ERROR
        assert outcome.usage.output > 0
        assert outcome.cost > 0
