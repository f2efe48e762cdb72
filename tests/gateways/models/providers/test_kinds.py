"""Every kind of provider against a strict fake of its own: requests, both modes, tools, credentials, errors."""

import json
from pathlib import Path
from typing import Any

import pytest

from airside.config.settings import ProviderSettings
from airside.core.errors import AirsideError, Code, TransientError
from airside.gateways.models.providers.configured import providers
from airside.gateways.models.providers.mistral import call_id
from tests.fake_providers import KEY, Fault, text, tool_calls
from tests.fake_providers.sigv4 import SECRET_KEY
from tests.gateways.models.places import place

KINDS = ["openai", "azure", "mistral", "bedrock", "vertex", "anthropic"]
USER = [{"role": "user", "content": "Hello"}]
SAID = "Guten Tag, Zoë. " * 5 + "Wie geht es?"
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "refund", "parameters": {"type": "object", "properties": {}}}}
]


@pytest.mark.parametrize("kind", KINDS)
async def test_chat_clients_are_answered_in_both_modes(kind: str, tmp_path: Path) -> None:
    async with place(kind, tmp_path) as w:
        w.fake.reply = lambda body: text(SAID)
        whole = await w.openai.chat.completions.create(model="m", messages=USER, max_completion_tokens=50)
        assert whole.choices[0].message.content == SAID
        assert whole.usage is not None
        assert whole.usage.completion_tokens > 0
        stream = await w.openai.chat.completions.create(model="m", messages=USER, max_completion_tokens=50, stream=True)
        said = [chunk.choices[0].delta.content or "" async for chunk in stream]
        assert "".join(said) == SAID
        assert len([piece for piece in said if piece]) > 1
        assert w.fake.refusals == []
        assert all(outcome.metered for outcome in w.spy.outcomes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_turn_with_tools_goes_there_and_back(kind: str, stream: bool, tmp_path: Path) -> None:
    async with place(kind, tmp_path) as w:
        w.fake.reply = lambda body: tool_calls(("refund", {"who": "a"}), ("refund", {"who": "b"}))
        body = {"model": "m", "messages": USER, "tools": TOOLS, "stream": stream, "max_completion_tokens": 99}
        answer = await w.http.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        whole = await w.openai.chat.completions.create(model="m", messages=USER, tools=TOOLS, max_completion_tokens=99)  # type: ignore[arg-type]
        message = whole.choices[0].message.model_dump(exclude_none=True)
        assert [json.loads(call["function"]["arguments"])["who"] for call in message["tool_calls"]] == ["a", "b"]
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "done"} for call in message["tool_calls"]]
        w.fake.reply = lambda body: text("Done.")
        conversation = [*USER, message, *results]
        last = await w.http.post("/v1/chat/completions", json={**body, "messages": conversation})
        assert last.status_code == 200, last.text
        assert "Done." in last.text
        assert w.fake.refusals == []


@pytest.mark.parametrize("kind", ["openai", "azure"])
async def test_responses_clients_are_answered_without_translation(kind: str, tmp_path: Path) -> None:
    async with place(kind, tmp_path) as w:
        answer = await w.openai.responses.create(model="m", input="Hello")
        assert answer.output_text
        assert "input" in w.fake.requests[0]
        assert w.fake.refusals == []


@pytest.mark.parametrize("kind", ["mistral", "bedrock", "vertex", "anthropic"])
@pytest.mark.parametrize("stream", [False, True])
async def test_responses_clients_are_answered_by_translation(kind: str, stream: bool, tmp_path: Path) -> None:
    async with place(kind, tmp_path) as w:
        w.fake.reply = lambda body: tool_calls(("refund", {"who": "a"}), content="Hm.")
        tools: Any = [{"type": "function", "name": "refund", "parameters": {"type": "object", "properties": {}}}]
        asked: dict[str, Any] = {"model": "m", "tools": tools, "max_output_tokens": 99}
        answer = await w.http.post("/v1/responses", json={**asked, "input": "Hello", "stream": stream})
        assert answer.status_code == 200, answer.text
        first = await w.openai.responses.create(**asked, input="Hello")
        items: Any = [{"role": "user", "content": "Hello"}, *[item.model_dump() for item in first.output]]
        calls = [item for item in first.output if item.type == "function_call"]
        items += [{"type": "function_call_output", "call_id": call.call_id, "output": "ok"} for call in calls]
        w.fake.reply = lambda body: text("Done.")
        last = await w.http.post("/v1/responses", json={**asked, "input": items, "stream": stream})
        assert last.status_code == 200, last.text
        assert "Done." in last.text
        assert w.fake.refusals == []


async def test_deployments_of_azure_stand_in_the_path(tmp_path: Path) -> None:
    async with place("azure", tmp_path, api_version="2025-04-01-preview") as w:
        assert (await w.openai.chat.completions.create(model="m", messages=USER)).choices
        assert (await w.openai.responses.create(model="m", input="Hello")).output_text
        paths = [request.target for request in w.fake.seen]
        assert paths[0] == "/openai/deployments/prod-gpt/chat/completions?api-version=2025-04-01-preview"
        assert paths[1] == "/openai/responses?api-version=2025-04-01-preview"


async def test_a_token_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("stale")
    async with place("azure", tmp_path, token_file=file) as w:
        body = {"model": "m", "messages": USER}
        assert (await w.http.post("/v1/chat/completions", json=body)).status_code == 502
        file.write_text(f"{KEY}\n")
        assert (await w.http.post("/v1/chat/completions", json=body)).status_code == 200
        file.unlink()
        assert (await w.http.post("/v1/chat/completions", json=body)).status_code == 502
        assert isinstance(w.spy.errors[-1], TransientError)
        assert w.spy.errors[-1].details == {"not_sent": True}


async def test_service_accounts_exchange_one_token_for_many_calls(tmp_path: Path) -> None:
    async with place("vertex", tmp_path) as w:
        await w.openai.chat.completions.create(model="m", messages=USER)
        await w.openai.chat.completions.create(model="claude-fake", messages=USER, max_completion_tokens=9)
        paths = [request.path for request in w.fake.seen]
        assert paths.count("/token") == 1
        assert paths[1].endswith("/publishers/google/models/gemini-fake:generateContent")
        assert paths[2].endswith("/publishers/anthropic/models/claude-fake:rawPredict")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [401, 402, 403])
async def test_a_provider_that_refuses_us_tells_no_secret(kind: str, status: int, tmp_path: Path) -> None:
    async with place(kind, tmp_path) as w:
        secret = SECRET_KEY if kind == "bedrock" else KEY
        w.fake.faults.append(Fault(status=status, raw=b'{"error": {"message": "key %s"}}' % secret.encode()))
        answer = await w.http.post("/v1/chat/completions", json={"model": "m", "messages": USER})
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed")
        assert secret not in answer.text
        (error,) = w.spy.errors
        assert type(error) is AirsideError
        assert error.details == {"unbilled": True}


ERRORS = {
    "openai": b'{"error": {"message": "MESSAGE", "type": "invalid_request_error", "code": "bad"}}',
    "azure": b'{"error": {"message": "MESSAGE", "code": "content_filter", "innererror": {"code": "X"}}}',
    "mistral": b'{"detail": [{"type": "extra_forbidden", "loc": ["body", "x"], "msg": "MESSAGE"}]}',
    "bedrock": b'{"message": "MESSAGE"}',
    "vertex": b'{"error": {"code": 400, "message": "MESSAGE", "status": "INVALID_ARGUMENT"}}',
    "anthropic": b'{"type": "error", "error": {"type": "invalid_request_error", "message": "MESSAGE"}}',
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_what_the_provider_finds_wrong_reaches_the_client(kind: str, status: int, tmp_path: Path) -> None:
    async with place(kind, tmp_path) as w:
        w.fake.faults.append(Fault(status=status, raw=ERRORS[kind]))
        answer = await w.http.post("/v1/chat/completions", json={"model": "m", "messages": USER})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "upstream_rejected")
        assert "MESSAGE" in answer.json()["error"]["message"]
        assert w.fake.calls - sum(request.path == "/token" for request in w.fake.seen) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (408, Code.UPSTREAM_FAILED),
        (409, Code.UPSTREAM_FAILED),
        (429, Code.RATE_LIMITED),
        (500, Code.UPSTREAM_FAILED),
        (503, Code.UPSTREAM_FAILED),
        (529, Code.UPSTREAM_FAILED),
    ],
)
async def test_what_may_pass_is_transient_and_costs_nothing(kind: str, status: int, code: Code, tmp_path: Path) -> None:
    async with place(kind, tmp_path) as w:
        w.fake.faults.append(Fault(status=status, raw=ERRORS[kind], headers={"retry-after": "3"}))
        await w.http.post("/v1/chat/completions", json={"model": "m", "messages": USER})
        (error,) = w.spy.errors
        assert isinstance(error, TransientError)
        assert (error.code, error.details["unbilled"], error.retry_after_s) == (code, True, 3.0)


async def test_an_exhausted_quota_is_no_rate_limit(tmp_path: Path) -> None:
    async with place("openai", tmp_path) as w:
        w.fake.faults.append(Fault(status=429, raw=b'{"error": {"code": "insufficient_quota", "message": "x"}}'))
        answer = await w.http.post("/v1/responses", json={"model": "m", "input": "x"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed")
        assert type(w.spy.errors[0]) is AirsideError


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kind": "azure"}, "base_url"),
        ({"kind": "openai", "base_url": "nonsense"}, "base_url"),
        ({"kind": "bedrock"}, "region"),
        ({"kind": "bedrock", "region": "x"}, "access key"),
        ({"kind": "bedrock", "region": "x", "credentials_file": "/nowhere"}, "cannot be read"),
        ({"kind": "vertex", "region": "x"}, "credentials_file or .token_file"),
        ({"kind": "vertex", "region": "x", "credentials_file": "/nowhere"}, "cannot be read"),
        ({"kind": "mistral", "api_key_file": "/nowhere"}, "api_key_file"),
    ],
)
def test_what_cannot_work_is_said_at_the_start(
    changed: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with pytest.raises(AirsideError, match=message) as caught:
        providers({"p": ProviderSettings.model_validate(changed)}, mark_prefixes=True)
    assert caught.value.code is Code.MISCONFIGURED


@pytest.mark.parametrize("content", ["", "{}", '{"client_email": "a", "private_key": "b", "token_uri": "c"}', "["])
def test_a_key_file_that_is_none_is_not_quoted(content: str, tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    file.write_text(content)
    settings = ProviderSettings(kind="vertex", region="x", credentials_file=file)
    with pytest.raises(AirsideError, match="is not the key file of a service account"):
        providers({"p": settings}, mark_prefixes=True)


def test_ids_that_mistral_takes_are_left_and_others_drawn() -> None:
    assert call_id("aB3456789") == "aB3456789"
    names = {call_id(f"call_{number}") for number in range(1_000)}
    assert len(names) == 1_000
    assert all(len(name) == 9 and name.isalnum() and name.isascii() for name in names)
