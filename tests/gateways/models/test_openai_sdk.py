"""The real openai SDK against the gateway: both modes, parallel tools, structured output, usage, errors."""

import json

import openai
import pytest
from pydantic import BaseModel

from tests.fake_providers import Fault, text, tool_calls
from tests.gateways.models.world import AT_US, MODEL, PRICE, Spy, world

TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("get_order", "get_customer")
]
USER = [{"role": "user", "content": "Where is order 4711? Grüße 🙂"}]
TWO_CALLS = tool_calls(
    ("get_order", {"id": 4711, "note": "naïve"}), ("get_customer", {"name": "Zoë"}), content="Let me see"
)


async def test_whole_answer_is_the_providers_bytes_and_metered() -> None:
    async with world() as w:
        w.fake.reply = lambda body: text("It is under way — 🙂.")
        raw = await w.openai.chat.completions.with_raw_response.create(model=MODEL, messages=USER)
        answer = raw.parse()
        assert answer.choices[0].message.content == "It is under way — 🙂."
        (outcome,) = w.spy.outcomes
        assert raw.content == outcome.body
        assert raw.headers["x-airside-replayed"] == "false"
        assert raw.headers["x-airside-call"].startswith("call_")
        assert (raw.headers["x-airside-run"], raw.headers["x-airside-clock"]) == ("run_1", str(AT_US))
        assert (outcome.usage.input, outcome.usage.output) == (
            answer.usage.prompt_tokens,
            answer.usage.completion_tokens,
        )
        expected = 1_000 * outcome.usage.input * int(PRICE.input) + 1_000 * outcome.usage.output * int(PRICE.output)
        assert (outcome.cost, outcome.metered, outcome.price) == (expected, True, "configured")


async def test_stream_with_parallel_tools_says_the_same_as_the_whole_answer() -> None:
    async with world() as w:
        w.fake.reply = lambda body: TWO_CALLS
        whole = await w.openai.chat.completions.create(model=MODEL, messages=USER, tools=TOOLS)
        async with w.openai.chat.completions.stream(
            model=MODEL, messages=USER, tools=TOOLS, stream_options={"include_usage": True}
        ) as stream:
            streamed = await stream.get_final_completion()
        assert [call.function.arguments for call in streamed.choices[0].message.tool_calls] == [
            call.function.arguments for call in whole.choices[0].message.tool_calls
        ]
        assert [call.id for call in streamed.choices[0].message.tool_calls] == [
            call["id"] for call in TWO_CALLS["tool_calls"]
        ]
        assert streamed.choices[0].message.content == "Let me see"
        assert streamed.choices[0].finish_reason == "tool_calls"
        assert streamed.usage.completion_tokens == whole.usage.completion_tokens
        whole_body, streamed_body = (json.loads(outcome.body) for outcome in w.spy.outcomes)
        assert streamed_body["choices"][0]["message"] == whole_body["choices"][0]["message"]
        assert streamed_body["usage"] == whole_body["usage"]


async def test_usage_is_metered_in_streams_and_told_only_if_asked() -> None:
    async with world() as w:
        stream = await w.openai.chat.completions.create(model=MODEL, messages=USER, stream=True)
        chunks = [chunk async for chunk in stream]
        assert w.fake.requests[-1]["stream_options"] == {"include_usage": True}
        assert all(chunk.choices and chunk.usage is None for chunk in chunks)
        assert w.spy.outcomes[-1].usage.output > 0
        asked = await w.openai.chat.completions.create(
            model=MODEL, messages=USER, stream=True, stream_options={"include_usage": True}
        )
        last = [chunk async for chunk in asked][-1]
        assert not last.choices
        assert last.usage.completion_tokens == w.spy.outcomes[-1].usage.output


async def test_a_stream_names_its_run_first_and_its_instant_last() -> None:
    async with world() as w:
        response = await w.ask(stream=True)
        assert (response.headers["x-airside-run"], "x-airside-clock" in response.headers) == ("run_1", False)
        assert f": x-airside-clock: {AT_US}\n\n" in response.text
        w.fake.reply = lambda body: TWO_CALLS | {"content": None}
        silent = await w.ask(stream=True)  # nothing left before the outcome, so the headers could wait for it
        assert silent.headers["x-airside-clock"] == str(AT_US)


async def test_tool_calls_and_the_end_leave_only_after_the_outcome_is_durable() -> None:
    seen: list[str] = []
    spy = Spy()
    async with world(spy) as w:
        w.fake.reply = lambda body: TWO_CALLS

        async def commit() -> None:
            seen.append("commit")

        spy.before_return = commit
        stream = await w.openai.chat.completions.create(model=MODEL, messages=USER, tools=TOOLS, stream=True)
        async for chunk in stream:
            choice = chunk.choices[0]
            if choice.delta.tool_calls or choice.finish_reason:
                seen.append("late" if "commit" in seen else "early")
        assert "early" not in seen
        assert seen.count("late") == 3


class Verdict(BaseModel):
    approve: bool
    why: str


async def test_structured_output_passes_both_ways() -> None:
    async with world() as w:
        w.fake.reply = lambda body: text(json.dumps({"approve": True, "why": "paid"}))
        parsed = await w.openai.chat.completions.parse(model=MODEL, messages=USER, response_format=Verdict)
        assert parsed.choices[0].message.parsed == Verdict(approve=True, why="paid")
        assert w.fake.requests[-1]["response_format"]["json_schema"]["name"] == "Verdict"
        async with w.openai.chat.completions.stream(model=MODEL, messages=USER, response_format=Verdict) as stream:
            final = await stream.get_final_completion()
        assert final.choices[0].message.parsed == Verdict(approve=True, why="paid")


async def test_conversation_with_tool_results_reaches_the_provider_unchanged() -> None:
    messages = [
        *USER,
        TWO_CALLS,
        {"role": "tool", "tool_call_id": "call_0_get_order", "content": "{}"},
        {"role": "tool", "tool_call_id": "call_1_get_customer", "content": "Zoë"},
    ]
    async with world() as w:
        await w.openai.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS, max_tokens=77)
        sent = w.fake.requests[-1]
        assert sent["messages"] == messages
        assert (sent["max_tokens"], sent["tools"]) == (77, TOOLS)
        assert "max_completion_tokens" not in sent
        assert w.spy.calls[-1].need.output_tokens == 77


async def test_provider_refusal_is_a_bad_request_with_its_words_and_without_our_key() -> None:
    async with world() as w:
        orphan = [{"role": "tool", "tool_call_id": "nobody", "content": "x"}]
        with pytest.raises(openai.BadRequestError, match="preceeding message") as caught:
            await w.openai.chat.completions.create(model=MODEL, messages=orphan)
        assert caught.value.code == "upstream_rejected"
        assert caught.value.body["upstream"]["type"] == "invalid_request_error"
        for spelling in (b"sk-fake-provider-key-0123456789", b"\\u0073k-fake-provider-key-\\u0030123456789"):
            w.fake.faults.append(Fault(status=422, raw=b'{"error": {"message": "bad key ' + spelling + b'"}}'))
            with pytest.raises(openai.BadRequestError) as leaked:
                await w.openai.chat.completions.create(model=MODEL, messages=USER)
            assert "provider-key" not in str(leaked.value.body)
            assert "[redacted]" in leaked.value.message


async def test_models_are_listed_for_valid_tokens_only() -> None:
    async with world() as w:
        assert [model.id async for model in w.openai.models.list()] == [MODEL]
        with pytest.raises(openai.AuthenticationError):
            await w.openai.with_options(api_key="rt_wrong").models.list()
        with pytest.raises(openai.AuthenticationError):
            await w.openai.with_options(api_key="rt_wrong").chat.completions.create(model=MODEL, messages=USER)
