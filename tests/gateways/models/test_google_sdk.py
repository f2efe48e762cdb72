"""The real google-genai SDK against the gateway: both modes, calls and signatures, structured output, errors."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from airside.core.call import CallState
from airside.core.errors import Code
from tests.fake_providers.fault import Fault
from tests.fake_providers.script import text, tool_calls
from tests.gateways.models.pairs import Pair, pair
from tests.gateways.models.world import MODEL, TOKEN

genai = pytest.importorskip("google.genai")
types = pytest.importorskip("google.genai.types")
errors = pytest.importorskip("google.genai.errors")

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")  # the SDK's own
ASK = "Where is order 4711? Grüße 🙂"
TOOLS = [
    {
        "function_declarations": [
            {
                "name": name,
                "description": "d",
                "parameters": {"type": "OBJECT", "properties": {"id": {"type": "NUMBER"}}},
            }
            for name in ("get_order", "get_customer")
        ]
    }
]
TWO_CALLS = tool_calls(("get_order", {"id": 4711}), ("get_customer", {"id": 3}), content="Let me see")
KINDS = ["gemini", "openai_compatible", "anthropic"]


@asynccontextmanager
async def sdk(kind: str) -> AsyncIterator[tuple[Pair, Any]]:
    """Yield a gateway and the SDK's models before it."""
    async with pair(kind) as p:
        client = genai.Client(api_key=TOKEN, http_options=types.HttpOptions(base_url=p.url)).aio
        try:
            yield p, client.models
        finally:
            await client.aclose()


def plain(response: Any) -> tuple[str, list[tuple[str, Any]]]:
    """Return the text and the calls of a response."""
    parts = response.candidates[0].content.parts or []
    said = "".join(part.text or "" for part in parts if not part.thought)
    return said, [(part.function_call.name, part.function_call.args) for part in parts if part.function_call]


@pytest.mark.parametrize("kind", KINDS)
async def test_whole_and_streamed_say_the_same(kind: str) -> None:
    async with sdk(kind) as (p, models):
        p.fake.reply = lambda body: TWO_CALLS
        whole = await models.generate_content(model=MODEL, contents=ASK, config={"tools": TOOLS})
        said, calls = "", []
        async for chunk in await models.generate_content_stream(model=MODEL, contents=ASK, config={"tools": TOOLS}):
            piece, more = plain(chunk)
            said, calls = said + piece, calls + more
            last = chunk
        assert (
            (said, calls) == plain(whole) == ("Let me see", [("get_order", {"id": 4711}), ("get_customer", {"id": 3})])
        )
        assert last.candidates[0].finish_reason == whole.candidates[0].finish_reason == "STOP"
        used = p.spy.outcomes[-1].usage
        assert p.spy.outcomes[-1].metered
        assert last.usage_metadata.candidates_token_count == used.output > 0
        assert last.usage_metadata.prompt_token_count == used.input
        assert not p.fake.refusals


@pytest.mark.parametrize("kind", KINDS)
async def test_a_conversation_with_calls_and_responses_goes_on(kind: str) -> None:
    async with sdk(kind) as (p, models):
        p.fake.reply = lambda body: TWO_CALLS
        first = await models.generate_content(model=MODEL, contents=ASK, config={"tools": TOOLS})
        answered = [
            types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"found": True}))
            for call in first.function_calls
        ]
        contents = [
            types.Content(role="user", parts=[types.Part(text=ASK)]),
            first.candidates[0].content,
            types.Content(role="user", parts=answered),
        ]
        p.fake.reply = lambda body: text("It is under way.")
        second = await models.generate_content(model=MODEL, contents=contents, config={"tools": TOOLS})
        assert second.text == "It is under way."
        assert not p.fake.refusals


@pytest.mark.parametrize("kind", KINDS)
async def test_structured_output_and_settings_reach_every_provider(kind: str) -> None:
    config = {
        "response_mime_type": "application/json",
        "response_schema": {"type": "OBJECT", "properties": {"ok": {"type": "BOOLEAN"}}, "required": ["ok"]},
        "system_instruction": "Be brief.",
        "temperature": 0.5,
        "max_output_tokens": 77,
        "stop_sequences": ["END"],
    }
    async with sdk(kind) as (p, models):
        p.fake.reply = lambda body: text(json.dumps({"ok": True}))
        answer = await models.generate_content(model=MODEL, contents=ASK, config=config)
        assert json.loads(answer.text) == {"ok": True}
        assert not p.fake.refusals
        sent = json.dumps(p.fake.requests[-1])
        for told in ("Be brief.", "0.5", "77", "END", '"ok"'):
            assert told in sent


async def test_thoughts_are_shown_and_counted_as_output() -> None:
    async with sdk("gemini") as (p, models):
        p.fake.reply = lambda body: text("Forty-two.", thinking="What is it that they want to know?")
        config = {"thinking_config": {"include_thoughts": True}}
        answer = await models.generate_content(model=MODEL, contents=ASK, config=config)
        assert answer.candidates[0].content.parts[0].thought
        used = answer.usage_metadata
        assert used.thoughts_token_count > 0
        assert p.spy.outcomes[-1].usage.output == used.thoughts_token_count + used.candidates_token_count


@pytest.mark.parametrize("tool", ["google_search", "code_execution", "url_context"])
async def test_tools_that_run_at_the_provider_are_denied(tool: str) -> None:
    async with sdk("gemini") as (p, models):
        with pytest.raises(errors.ClientError) as caught:
            await models.generate_content(model=MODEL, contents=ASK, config={"tools": [{tool: {}}]})
        assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")
        assert caught.value.details["error"]["details"][0]["reason"] == "policy_denied"
        assert p.fake.calls == 0


async def test_refusals_and_broken_streams_are_the_sdks_errors() -> None:
    async with sdk("gemini") as (p, models):
        with pytest.raises(errors.ClientError, match="404"):
            await models.generate_content(model="nobody-knows-me", contents=ASK)
        p.fake.faults.append(Fault(status=400, raw=b'{"error": {"code": 400, "message": "odd", "status": "X"}}'))
        with pytest.raises(errors.ClientError, match="odd") as caught:
            await models.generate_content(model=MODEL, contents=ASK)
        assert caught.value.details["error"]["upstream"]["status"] == "X"
        assert p.spy.outcomes[-1].state is CallState.ERROR
        p.fake.faults.append(Fault(cut_after=2))
        heard = []
        with pytest.raises(errors.APIError, match="upstream"):
            heard += [chunk async for chunk in await models.generate_content_stream(model=MODEL, contents=ASK)]


async def test_a_key_in_the_address_is_refused_and_so_is_a_stream_that_is_no_event_stream() -> None:
    async with pair("gemini") as p:
        body = {"contents": [{"parts": [{"text": "hi"}]}]}
        path = f"/v1beta/models/{MODEL}"
        bare = await p.http.post(f"{path}:generateContent?key={TOKEN}", json=body, headers={"authorization": ""})
        assert bare.status_code == 401
        assert "x-goog-api-key" in bare.json()["error"]["message"]
        array = await p.post(f"{path}:streamGenerateContent", body)
        assert (array.status_code, array.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
        assert "alt=sse" in array.json()["error"]["message"]
        assert p.fake.calls == 0


async def test_models_are_listed_and_tokens_counted_without_asking_anyone() -> None:
    async with sdk("gemini") as (p, models):
        listed = [model.name async for model in await models.list()]
        assert listed == [f"models/{MODEL}"]
        counted = await models.count_tokens(model=MODEL, contents=ASK)
        assert counted.total_tokens >= len(ASK.encode()) // 4
        wrong = await p.http.post(f"/v1beta/models/{MODEL}:countTokens", json={}, headers={"authorization": "Bearer x"})
        assert (wrong.status_code, wrong.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
        assert p.fake.calls == 0
        assert Code.UNAUTHENTICATED in wrong.text
