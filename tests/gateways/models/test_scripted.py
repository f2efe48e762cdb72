"""The scripted model: a whole tool conversation by the openai SDK, both modes, always labelled."""

import json
from pathlib import Path
from typing import Any

import openai
import pytest

from airside.core.errors import AirsideError, Code
from airside.gateways.models.providers import script
from airside.gateways.models.providers.scripted import ScriptedModel
from tests.gateways.models.world import World, world

SCRIPT = r"""
name: shop
turns:
  - name: look up
    when: {user: {matches: 'refund order (?P<order>\d+) over (?P<amount>[\d.]+)'}, results: 0}
    say: Let me look at order {{order}}.
    call:
      - {tool: get_order, arguments: {order_id: "{{order:int}}", note: "for {{order}}"}}
      - {tool: get_customer, arguments: {}}
  - when: {result: {tool: get_customer, contains: vip}}
    call: [{tool: refund, arguments: {amount: "{{amount:float}}", to: "{{result.names.0}}", facts: "{{result}}"}}]
    usage: {input: 1000, output: 50}
  - when: {result: {tool: refund, equals: done}}
    say: "Refunded {{amount}} dollars."
  - when: {user: hello}
    say: Hello you too, this is a longer sentence.
    delay_ms: 20
"""


@pytest.fixture
def model(tmp_path: Path) -> ScriptedModel:
    file = tmp_path / "script.yaml"
    file.write_text(SCRIPT)
    return ScriptedModel("scripted", file)


async def talk(w: World, messages: list[Any], *, stream: bool) -> Any:
    if not stream:
        return await w.openai.chat.completions.create(model="any-name", messages=messages)
    async with w.openai.chat.completions.stream(model="any-name", messages=messages) as events:
        return await events.get_final_completion()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_with_tools(model: ScriptedModel, stream: bool) -> None:
    async with world(providers={"scripted": model}) as w:
        messages: list[Any] = [{"role": "user", "content": "Please refund order 4711 over 12.50"}]
        first = await talk(w, messages, stream=stream)
        assert (first.model, first.system_fingerprint) == ("scripted/shop", "scripted")
        message = first.choices[0].message
        assert message.content == "Let me look at order 4711."
        assert [json.loads(call.function.arguments) for call in message.tool_calls] == [
            {"order_id": 4711, "note": "for 4711"},
            {},
        ]
        again = await talk(w, messages, stream=not stream)
        assert [call.id for call in again.choices[0].message.tool_calls] == [call.id for call in message.tool_calls]
        messages.append(message.model_dump(include={"role", "content", "tool_calls"}))
        results = ["{}", '{"vip": true, "names": ["Zoë"]}']
        for call, result in zip(message.tool_calls, results, strict=True):
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
        second = await talk(w, messages, stream=stream)
        (refund,) = second.choices[0].message.tool_calls
        assert json.loads(refund.function.arguments) == {"amount": 12.5, "to": "Zoë", "facts": results[1]}
        assert w.spy.outcomes[-1].usage.output == 50
        assert w.spy.outcomes[-1].cost == 1_000 * 150 + 50 * 600
        messages.append(second.choices[0].message.model_dump(include={"role", "content", "tool_calls"}))
        messages.append({"role": "tool", "tool_call_id": refund.id, "content": "done"})
        third = await talk(w, messages, stream=stream)
        assert third.choices[0].message.content == "Refunded 12.50 dollars."
        assert third.choices[0].finish_reason == "stop"
        assert {outcome.upstream for outcome in w.spy.outcomes} == {"scripted"}
        assert {outcome.price for outcome in w.spy.outcomes} == {"scripted"}


async def test_it_streams_word_by_word(model: ScriptedModel) -> None:
    async with world(providers={"scripted": model}) as w:
        messages: list[Any] = [{"role": "user", "content": "Well, HELLO there"}]
        stream = await w.openai.chat.completions.create(model="x", messages=messages, stream=True)
        words = [chunk.choices[0].delta.content async for chunk in stream if chunk.choices[0].delta.content]
        assert words == ["Hello ", "you ", "too, ", "this ", "is ", "a ", "longer ", "sentence."]


async def test_a_request_that_no_turn_fits_is_told_so(model: ScriptedModel) -> None:
    async with world(providers={"scripted": model}) as w:
        with pytest.raises(openai.BadRequestError, match=r"scripted/shop has no turn.*'What\?', 0 tool results"):
            await talk(w, [{"role": "user", "content": "What?"}], stream=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "turns: []",
        "turns: [{}]",
        "turns: [{say: hi, when: {usr: x}}]",
        "turns: [{say: hi, when: {user: {matches: '('}}}]",
        "turns: [{say: hi}]\nspeed: 3",
        "turns: [",
    ],
)
def test_a_wrong_script_is_refused_when_it_is_read(tmp_path: Path, text: str) -> None:
    file = tmp_path / "script.yaml"
    file.write_text(text)
    with pytest.raises(AirsideError) as caught:
        script.load(file)
    assert caught.value.code is Code.MISCONFIGURED
    assert str(file) in caught.value.message


def test_a_placeholder_that_is_not_there_names_its_turn(tmp_path: Path) -> None:
    file = tmp_path / "script.yaml"
    file.write_text("turns: [{name: greet, say: 'Hi {{nobody}}'}]")
    with pytest.raises(AirsideError, match=r"'greet' uses \{\{nobody\}\}"):
        script.answer(script.load(file), script.Scene(user="x"))
