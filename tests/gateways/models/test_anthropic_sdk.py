"""The real anthropic SDK against the gateway: both modes, parallel tools, structured output, errors."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from airside.core.call import CallState
from airside.core.errors import AirsideError, Code
from tests.fake_providers.fault import Fault
from tests.fake_providers.script import text, tool_calls
from tests.gateways.models.pairs import Pair, pair
from tests.gateways.models.world import MODEL, TOKEN, Spy

anthropic = pytest.importorskip("anthropic")

USER = [{"role": "user", "content": "Where is order 4711? Grüße 🙂"}]
TOOLS = [
    {"name": name, "description": "d", "input_schema": {"type": "object", "properties": {}}}
    for name in ("get_order", "get_customer")
]
TWO_CALLS = tool_calls(
    ("get_order", {"id": 4711, "note": "naïve"}), ("get_customer", {"name": "Zoë"}), content="Let me see"
)
ASKED: dict[str, Any] = {"model": MODEL, "max_tokens": 20_000, "messages": USER}


@asynccontextmanager
async def sdk(kind: str = "anthropic", spy: Spy | None = None) -> AsyncIterator[tuple[Pair, Any]]:
    async with pair(kind, spy) as p, anthropic.AsyncAnthropic(base_url=p.url, api_key=TOKEN, max_retries=0) as client:
        yield p, client


@pytest.mark.parametrize("kind", ["anthropic", "openai_compatible"])
async def test_whole_and_streamed_say_the_same(kind: str) -> None:
    async with sdk(kind) as (p, client):
        p.fake.reply = lambda body: TWO_CALLS
        raw = await client.messages.with_raw_response.create(**ASKED, tools=TOOLS)
        whole = await raw.parse()
        assert await raw.read() == p.spy.outcomes[-1].body
        async with client.messages.stream(**ASKED, tools=TOOLS) as stream:
            streamed = await stream.get_final_message()
        blocks = [block.model_dump(exclude={"id"}) for block in whole.content]
        assert [block.model_dump(exclude={"id"}) for block in streamed.content] == blocks
        assert [block["type"] for block in blocks] == ["text", "tool_use", "tool_use"]
        assert blocks[1]["input"] == {"id": 4711, "note": "naïve"}
        assert (streamed.stop_reason, whole.stop_reason) == ("tool_use", "tool_use")
        assert streamed.usage.output_tokens == whole.usage.output_tokens == p.spy.outcomes[-1].usage.output > 0
        assert p.spy.outcomes[-1].metered
        granted = [body.get("max_tokens") for body in p.fake.requests]
        assert granted == [8_192, 8_192]  # what is reserved, not the 20,000 that were asked for


@pytest.mark.parametrize("kind", ["anthropic", "openai_compatible"])
async def test_tool_uses_and_the_end_leave_only_after_the_outcome_is_durable(kind: str) -> None:
    seen: list[str] = []
    spy = Spy()
    async with sdk(kind, spy) as (p, client):
        p.fake.reply = lambda body: TWO_CALLS

        async def commit() -> None:
            seen.append("commit")

        spy.before_return = commit
        async for event in await client.messages.create(**ASKED, tools=TOOLS, stream=True):
            late = event.type in {"message_delta", "message_stop"}
            late = late or (event.type == "content_block_start" and event.content_block.type == "tool_use")
            seen.append("late" if late else event.type)
        assert "content_block_delta" in seen[: seen.index("commit")]
        assert "late" not in seen[: seen.index("commit")]
        assert seen.count("late") == 4


async def test_a_conversation_with_thinking_and_results_goes_on() -> None:
    async with sdk() as (p, client):
        p.fake.reply = lambda body: {**TWO_CALLS, "thinking": "the customer wants to know"}
        asked = {**ASKED, "tools": TOOLS, "thinking": {"type": "enabled", "budget_tokens": 10_000}}
        async with client.messages.stream(**asked) as stream:
            first = await stream.get_final_message()
        assert first.content[0].thinking == "the customer wants to know"
        assert p.fake.requests[-1]["thinking"]["budget_tokens"] == 4_096  # the same share of what was granted
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": "{}"}
            for block in first.content
            if block.type == "tool_use"
        ]
        messages = [*USER, {"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
        p.fake.reply = lambda body: text("It is under way.")
        second = await client.messages.create(**{**asked, "messages": messages})
        assert second.content[0].text == "It is under way."
        assert not p.fake.refusals


async def test_structured_output() -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    schema["additionalProperties"] = False
    config = {"format": {"type": "json_schema", "schema": schema}}
    for kind in ("anthropic", "openai_compatible"):
        async with sdk(kind) as (p, client):
            p.fake.reply = lambda body: text(json.dumps({"ok": True}))
            answer = await client.messages.create(**ASKED, output_config=config)
            assert json.loads(answer.content[0].text) == {"ok": True}
            if kind == "anthropic":
                assert p.fake.requests[-1]["output_config"] == config
            else:
                assert p.fake.requests[-1]["response_format"]["json_schema"]["schema"] == schema


async def test_beta_features_go_upstream_by_name_and_others_are_denied() -> None:
    async with sdk() as (p, client):
        await client.beta.messages.create(**ASKED, betas=["interleaved-thinking-2025-05-14", "context-1m-2025-08-07"])
        assert p.fake.seen[-1].headers["anthropic-beta"] == "context-1m-2025-08-07,interleaved-thinking-2025-05-14"
        for beta in ("code-execution-2025-05-22", "mcp-client-2025-11-20", "files-api-2025-04-14"):
            with pytest.raises(anthropic.PermissionDeniedError, match="policy_denied"):
                await client.beta.messages.create(**ASKED, betas=[beta])


@pytest.mark.parametrize(
    "changed",
    [
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"tools": [{"type": "code_execution_20260521", "name": "code_execution"}]},
        {"extra_body": {"mcp_servers": [{"type": "url", "url": "https://x.invalid", "name": "x"}]}},
        {"extra_body": {"container": "container_1"}},
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}]},
    ],
)
async def test_what_runs_or_is_kept_at_the_provider_is_denied(changed: dict[str, Any]) -> None:
    async with sdk() as (p, client):
        with pytest.raises(anthropic.PermissionDeniedError) as caught:
            await client.messages.create(**{**ASKED, **changed})
        assert caught.value.body["error"]["code"] == "policy_denied"
        assert p.fake.calls == 0


@pytest.mark.parametrize(
    ("code", "error", "kind"),
    [
        (Code.BUDGET_EXHAUSTED, "PaymentRequiredError", "billing_error"),
        (Code.POLICY_DENIED, "PermissionDeniedError", "permission_error"),
        (Code.LIMIT_EXCEEDED, "ContentTooLargeError", "request_too_large"),
        (Code.UNAUTHENTICATED, "AuthenticationError", "authentication_error"),
        (Code.UNKNOWN_MODEL, "NotFoundError", "not_found_error"),
    ],
)
async def test_refusals_come_in_the_sdks_shape_and_are_not_retried(code: Code, error: str, kind: str) -> None:
    spy = Spy()

    async def refuse(call: Any, forward: Any) -> Any:
        spy.calls.append(call)
        raise AirsideError(code, "no")

    spy.pipeline = lambda terminal: lambda call: refuse(call, terminal)  # type: ignore[method-assign]  # a test's own
    async with pair("anthropic", spy) as p:
        async with anthropic.AsyncAnthropic(base_url=p.url, api_key=TOKEN, max_retries=2) as client:
            for stream in (False, True):
                with pytest.raises(getattr(anthropic, error, anthropic.APIStatusError)) as caught:
                    await client.messages.create(**ASKED, stream=stream)
                assert caught.value.body["error"]["type"] == kind
                assert caught.value.body["error"]["code"] == code
        assert len(spy.calls) == 2


async def test_an_error_in_the_middle_of_a_stream_ends_it() -> None:
    async with sdk() as (p, client):
        p.fake.faults.append(Fault(cut_after=5))
        heard = ""

        async def listen() -> None:
            nonlocal heard
            async with client.messages.stream(**ASKED) as stream:
                async for piece in stream.text_stream:
                    heard += piece

        with pytest.raises(anthropic.APIStatusError, match="upstream_failed"):
            await listen()
        assert heard
        assert "Hello from the fake".startswith(heard)
        assert isinstance(p.spy.errors[-1], AirsideError)


async def test_the_providers_refusal_keeps_its_words() -> None:
    async with sdk() as (p, client):
        p.fake.faults.append(
            Fault(status=400, raw=b'{"type":"error","error":{"type":"invalid_request_error","message":"odd"}}')
        )
        with pytest.raises(anthropic.BadRequestError) as caught:
            await client.messages.create(**ASKED)
        assert caught.value.body["error"]["upstream"] == {"type": "invalid_request_error", "message": "odd"}
        assert p.spy.outcomes[-1].state is CallState.ERROR
