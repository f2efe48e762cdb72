"""The fakes are worth what they refuse: each rule of each provider says no, and a good request is answered."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.fake_providers import KEY, FakeProvider, serving_all, text, tool_calls
from tests.fake_providers.script import seal

CALL = tool_calls(("get_order", {"id": 4711}), thinking="Let me look it up")
OPENAI = {"authorization": f"Bearer {KEY}"}
ANTHROPIC = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
GEMINI = {"x-goog-api-key": KEY}
USER = {"role": "user", "content": "hi"}
TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": "get_order", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "shipped"}
CALLED = {"type": "function_call", "call_id": "call_1", "name": "get_order", "arguments": "{}"}
RETURNED = {"type": "function_call_output", "call_id": "call_1", "output": "shipped"}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": seal("hm")}
ASKED = {"role": "user", "parts": [{"text": "hi"}]}
FUNCTION = {"role": "model", "parts": [{"functionCall": {"name": "get_order", "args": {}}}]}
RESPONSE = {"role": "user", "parts": [{"functionResponse": {"name": "get_order", "response": {"result": "shipped"}}}]}

Served = tuple[FakeProvider, httpx2.AsyncClient]


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    provider = FakeProvider()
    async with serving_all(provider) as places, httpx2.AsyncClient(base_url=places.root, trust_env=False) as http:
        yield provider, http


def messages(*turns: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": "claude-x", "max_tokens": 2_000, "messages": list(turns), **more}


def responses(*items: Any, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-5.2", "store": False, "input": list(items), **more}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/v1/chat/completions", OPENAI, {"model": "gpt-5.2", "messages": [USER], "max_completion_tokens": 9}),
        ("/mistral/v1/chat/completions", OPENAI, {"model": "m", "messages": [USER], "random_seed": 1}),
        (
            "/openai/deployments/prod-gpt/chat/completions?api-version=2024-10-21",
            {"api-key": KEY},
            {"messages": [USER]},
        ),
        ("/v1/messages", ANTHROPIC, messages(USER, assistant(TOOL_USE), user(RESULT))),
        ("/v1/messages/count_tokens", ANTHROPIC, {"model": "m", "messages": [USER]}),
        ("/v1/responses", OPENAI, responses(USER, REASONING, CALLED, RETURNED, max_output_tokens=16)),
        ("/v1/embeddings", OPENAI, {"model": "e", "input": ["one", "two"]}),
        ("/v1beta/models/gemini-2.5-pro:generateContent", GEMINI, {"contents": [ASKED, FUNCTION, RESPONSE]}),
        ("/v1/models/gemini-2.5-pro:generateContent", GEMINI, {"contents": [ASKED]}),
        ("/model/us.amazon.nova-pro-v1:0/converse", OPENAI, {"messages": [user({"text": "hi"})]}),
    ],
)
async def test_good_requests_are_answered(served: Served, path: str, headers: Any, body: Any) -> None:
    answer = await served[1].post(path, headers=headers, json=body)
    assert answer.status_code == 200, answer.text
    assert "usage" in answer.text or "input_tokens" in answer.text


@pytest.mark.parametrize(
    ("path", "headers", "body", "status", "words"),
    [
        ("/v1/messages", {**ANTHROPIC, "x-api-key": "no"}, messages(USER), 401, "authentication_error"),
        ("/v1/messages", {"x-api-key": KEY}, messages(USER), 400, "anthropic-version: header is required"),
        ("/v1/messages", {**ANTHROPIC, "anthropic-version": "1"}, messages(USER), 400, "not a valid version"),
        (
            "/v1/messages",
            {**ANTHROPIC, "anthropic-version": "2026-10-21"},
            messages(USER, temperature=1),
            400,
            "temperature: Extra",
        ),
        ("/v1/messages", ANTHROPIC, {"model": "m", "messages": [USER]}, 400, "max_tokens: Field required"),
        ("/v1/messages", ANTHROPIC, messages(USER, stream_options={}), 400, "stream_options: Extra inputs"),
        ("/v1/messages", ANTHROPIC, messages(assistant({"type": "text", "text": "x"})), 400, "first message must use"),
        ("/v1/messages", ANTHROPIC, messages(user({"type": "text", "text": ""})), 400, "must be non-empty"),
        ("/v1/messages", ANTHROPIC, messages(USER, assistant(TOOL_USE), USER), 400, "without `tool_result` blocks"),
        ("/v1/messages", ANTHROPIC, messages(user(RESULT)), 400, "unexpected `tool_use_id`"),
        (
            "/v1/messages",
            ANTHROPIC,
            messages(USER, assistant(TOOL_USE), user({"type": "text", "text": "so"}, RESULT)),
            400,
            "must come first",
        ),
        (
            "/v1/messages",
            ANTHROPIC,
            messages(USER, assistant({"type": "thinking", "thinking": "hm", "signature": seal("other")})),
            400,
            "Invalid `signature`",
        ),
        (
            "/v1/messages",
            ANTHROPIC,
            messages(USER, assistant(TOOL_USE), user(RESULT), thinking={"type": "enabled", "budget_tokens": 1_024}),
            400,
            "Expected `thinking`",
        ),
        ("/v1/responses", OPENAI, {"model": "m", "input": "hi"}, 400, "'store' must be false"),
        ("/v1/responses", OPENAI, responses(USER, previous_response_id="resp_1"), 400, "Zero Data Retention"),
        ("/v1/responses", OPENAI, responses(USER, max_output_tokens=15), 400, "Expected a value >= 16"),
        ("/v1/responses", OPENAI, responses(USER, messages=[]), 400, "Unknown parameter: 'messages'"),
        ("/v1/responses", OPENAI, responses(USER, CALLED), 400, "No tool output found for function call call_1"),
        ("/v1/responses", OPENAI, responses(USER, RETURNED), 400, "No tool call found"),
        ("/v1/responses", OPENAI, responses(USER, REASONING), 400, "without its required following item"),
        ("/v1/responses", OPENAI, responses({"type": "item_reference", "id": "msg_1"}), 404, "not found"),
        (
            "/v1/responses",
            OPENAI,
            responses({"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}),
            400,
            "Supported values are: 'output_text'",
        ),
        ("/v1/chat/completions", OPENAI, {"model": "m", "messages": [USER], "input": 1}, 400, "Unrecognized request"),
        (
            "/v1/chat/completions",
            OPENAI,
            {"model": "gpt-5.2", "messages": [USER], "max_tokens": 9},
            400,
            "not supported with this model",
        ),
        (
            "/mistral/v1/chat/completions",
            OPENAI,
            {"model": "m", "messages": [USER], "stream_options": {}},
            422,
            "extra_forbidden",
        ),
        ("/openai/deployments/prod-gpt/chat/completions", {"api-key": KEY}, {"messages": [USER]}, 404, "not found"),
        ("/v1/embeddings", OPENAI, {"model": "e", "input": [""]}, 400, "is invalid"),
        ("/v1beta/models/gemini-3-pro:generateContent", {}, {"contents": [ASKED]}, 403, "PERMISSION_DENIED"),
        ("/v1beta/models/gemini-3-pro:generateContent", GEMINI, {"messages": []}, 400, "Unknown name"),
        (
            "/v1beta/models/gemini-3-pro:generateContent",
            GEMINI,
            {"contents": [ASKED, FUNCTION, RESPONSE]},
            400,
            "thought_signature",
        ),
        (
            "/v1beta/models/gemini-2.5-pro:generateContent",
            GEMINI,
            {"contents": [ASKED, FUNCTION, ASKED]},
            400,
            "number of function response parts",
        ),
        ("/model/us.amazon.nova-pro-v1:0/converse", {}, {"messages": []}, 403, "Missing Authentication"),
        ("/v1/projects/fake-project/locations/europe-west4/x", OPENAI, {}, 401, "UNAUTHENTICATED"),
    ],
)
async def test_bad_requests_are_refused(
    served: Served, path: str, headers: Any, body: Any, status: int, words: str
) -> None:
    provider, http = served
    answer = await http.post(path, headers=headers, json=body)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    assert len(provider.refusals) == 1


async def test_streams_say_what_the_whole_answer_says(served: Served) -> None:
    provider, http = served
    provider.reply = lambda body: CALL
    provider.cached = 3
    asked = messages(USER, stream=True, thinking={"type": "enabled", "budget_tokens": 1_024})
    events = _events(await http.post("/v1/messages", headers=ANTHROPIC, json=asked))
    assert [events[0]["type"], events[-2]["type"], events[-1]["type"]] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]
    assert events[0]["message"]["usage"]["cache_read_input_tokens"] == 3
    arguments = "".join(event["delta"].get("partial_json", "") for event in events if "delta" in event)
    assert json.loads(arguments) == {"id": 4711}
    events = _events(await http.post("/v1/responses", headers=OPENAI, json=responses(USER, stream=True)))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["response"]["output"][-1]["arguments"] == '{"id": 4711}'
    path = "/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse"
    events = _events(await http.post(path, headers=GEMINI, json={"contents": [ASKED]}))
    assert events[-1]["candidates"][0]["content"]["parts"][0]["functionCall"]["args"] == {"id": 4711}
    assert events[-1]["usageMetadata"]["cachedContentTokenCount"] == 3


async def test_the_same_script_is_heard_everywhere(served: Served) -> None:
    provider, http = served
    provider.reply = lambda body: text("same words")
    for path, headers, body in (
        ("/v1/messages", ANTHROPIC, messages(USER)),
        ("/v1/responses", OPENAI, responses(USER)),
        ("/v1beta/models/g:generateContent", GEMINI, {"contents": [ASKED]}),
        ("/model/us.amazon.nova-pro-v1:0/converse", OPENAI, {"messages": [user({"text": "hi"})]}),
    ):
        assert "same words" in (await http.post(path, headers=headers, json=body)).text


def _events(answer: httpx2.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines]
