"""Responses streams taken apart and written anew: however they are cut, both modes must say the same."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airside.core.call import Usage
from airside.core.errors import AirsideError
from airside.gateways.models.formats.openai_responses.events import Delivered, Shown, frame, spelled
from airside.gateways.models.formats.openai_responses.format import RESPONSES, shown
from airside.gateways.models.formats.openai_responses.stream import Assembler, rest
from airside.gateways.models.formats.port import Addressed, BrokenAnswer, Delta, RejectedAnswer
from airside.gateways.models.formats.sse import Lines
from airside.gateways.models.message import Answer, Refused, Text, Thinking, ToolCall

SHOWN = Shown("resp_ours", "resp_before", store=True)
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


def message_item(text: str, name: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [{"type": "url_citation", "url": "u"}], "logprobs": []}
    return {"id": f"msg_{name}", "type": "message", "status": "completed", "role": "assistant", "content": [part]}


def refusal_item(text: str, name: str) -> dict[str, Any]:
    item = message_item("", name)
    return item | {"content": [{"type": "refusal", "refusal": text}]}


def reasoning_item(text: str, name: str) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": text}, {"type": "summary_text", "text": text[::-1]}]
    return {"id": f"rs_{name}", "type": "reasoning", "summary": summary, "encrypted_content": "sealed"}


def thought_item(text: str, name: str) -> dict[str, Any]:
    content = [{"type": "reasoning_text", "text": text}]
    return {"id": f"rs_{name}", "type": "reasoning", "summary": [], "content": content}


def call_item(text: str, name: str) -> dict[str, Any]:
    call = {"call_id": f"call_{name}", "name": "find", "arguments": json.dumps({"text": text})}
    return {"id": f"fc_{name}", "type": "function_call", "status": "completed", **call}


def custom_item(text: str, name: str) -> dict[str, Any]:
    return {"id": f"ctc_{name}", "type": "custom_tool_call", "call_id": f"call_{name}", "name": "run", "input": text}


MAKERS = [message_item, refusal_item, reasoning_item, thought_item, call_item, custom_item]
OUTPUTS = st.lists(st.tuples(st.sampled_from(MAKERS), TEXTS), min_size=1, max_size=5).map(
    lambda made: [make(text, str(index)) for index, (make, text) in enumerate(made)]
)


def response_of(output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    return {"id": "resp_theirs", "object": "response", "status": "completed", "output": output, "usage": usage, **more}


def wire(response: dict[str, Any], *, size: int = 3, end: str = "\n") -> bytes:
    """Return a stream of this response as an upstream sends it, its texts cut into pieces."""
    frames, number = [f": hello{end}{end}"], 0
    for event in spelled(response):
        pieces = [event]
        if "delta" in event:
            text = event["delta"]
            pieces = [{**event, "delta": text[at : at + size]} for at in range(0, len(text), size)]
        for piece in pieces:
            numbered = {"type": piece["type"], "sequence_number": number, **piece}
            frames.append(f"event: {piece['type']}{end}data: {json.dumps(numbered)}{end}{end}")
            number += 1
    return "".join(frames).encode()


def read(frames: bytes) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """Return what a client reads from a stream: the last response, the text at every place, the order of the rest."""
    texts: dict[str, str] = {}
    others: list[str] = []
    final: dict[str, Any] = {}
    for index, data in enumerate(Lines().feed(frames)):
        event = json.loads(data)
        assert event["sequence_number"] == index
        at = "/".join(str(event.get(name)) for name in ("type", "output_index", "content_index", "summary_index"))
        if "delta" in event:
            texts[at] = texts.get(at, "") + event["delta"]
        else:
            others.append(at)
        final = event.get("response", final)
    return final, texts, others


@settings(deadline=None)
@given(OUTPUTS, st.lists(st.integers(1, 900), max_size=12), st.sampled_from(["\n", "\r\n"]), st.integers(1, 9))
def test_however_the_network_cuts_it(output: list[dict[str, Any]], cuts: list[int], end: str, size: int) -> None:
    response = response_of(output)
    data = wire(response, size=size, end=end)
    delivered = Delivered()
    delivered.shown = SHOWN
    assembler = Assembler(delivered)
    live, at = b"", 0
    for cut in [*cuts, len(data)]:
        live += b"".join(said.frame for said in assembler.feed(data[at : at + cut]))
        at += cut
    assert b"function_call_arguments" not in live
    assert b"custom_tool_call" not in live
    assert b'"response.completed"' not in live
    whole = assembler.finish()
    assert json.loads(whole) == response
    body = shown(whole, SHOWN)
    live += rest(body, delivered)
    final, texts, others = read(live)
    assert (final["id"], final["previous_response_id"]) == ("resp_ours", "resp_before")
    assert {"id": "resp_theirs"} | {name: final[name] for name in response if name != "id"} == response
    again, same_texts, same_others = read(rest(body, Delivered()))
    assert (again, same_texts) == (final, texts)
    assert sorted(same_others) == sorted(others)
    assert same_others == others or not any(item["type"] == "message" for item in output)


BLOCKS = st.lists(
    st.one_of(
        TEXTS.map(Text),
        st.tuples(TEXTS, st.text(max_size=4)).map(lambda made: Thinking(made[0], "anthropic", made[1])),
        st.just(Thinking("", "anthropic", sealed="closed")),
        st.tuples(TEXTS, st.integers(0, 9)).map(
            lambda made: ToolCall(f"c{made[1]}", "find", json.dumps({"text": made[0]}), "sig" * (made[1] % 2))
        ),
        TEXTS.map(Refused),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(BLOCKS, st.integers(1, 9))
def test_an_answer_of_another_format_is_the_same_in_both_modes(blocks: list[Any], size: int) -> None:
    request = RESPONSES.parse(b'{"model": "m", "input": "x"}', Addressed(), bytes_max=1_000)
    answer = Answer(blocks=tuple(blocks), stop="end", usage=Usage(1, 2, 3, 4), model="m", answer_id="call_1")
    body = RESPONSES.body(answer, request)
    delivered = RESPONSES.delivered()
    writer = RESPONSES.writer(
        request, delivered, Answer(blocks=(), stop="end", usage=None, model="m", answer_id="call_1")
    )
    live = b""
    for block in blocks:
        if isinstance(block, ToolCall | Refused):
            break  # what comes after may not leave
        kind = "text" if isinstance(block, Text) else "thinking"
        for at in range(0, len(block.text), size):
            live += writer.say(Delta(b"", kind, block.text[at : at + size]))
    live += RESPONSES.rest(body, delivered, request)
    final, texts, others = read(live)
    again, same_texts, same_others = read(RESPONSES.rest(body, RESPONSES.delivered(), request))
    assert (final, texts, sorted(others)) == (again, same_texts, sorted(same_others))
    assert final == json.loads(body)


@settings(deadline=None)
@given(BLOCKS)
def test_what_a_client_gives_back_is_what_was_said(blocks: list[Any]) -> None:
    request = RESPONSES.parse(b'{"model": "m", "input": "x"}', Addressed(), bytes_max=1_000)
    answer = Answer(blocks=tuple(blocks), stop="end", usage=None, model="m", answer_id="call_1")
    output = json.loads(RESPONSES.body(answer, request))["output"]
    given_back = json.dumps({"model": "m", "input": [{"role": "user", "content": "x"}, *output]}).encode()
    prompt = RESPONSES.prompt(RESPONSES.parse(given_back, Addressed(), bytes_max=100_000))
    got = prompt.messages[1].blocks if len(prompt.messages) > 1 else ()
    for kind in (Text, Refused):
        whole = "".join(block.text for block in blocks if isinstance(block, kind))
        assert "".join(block.text for block in got if isinstance(block, kind)) == whole
    assert [block for block in got if isinstance(block, ToolCall)] == [
        block for block in blocks if isinstance(block, ToolCall)
    ]
    thoughts = [block for block in blocks if isinstance(block, Thinking)]
    assert sorted(block.signature + block.text for block in got if isinstance(block, Thinking)) == sorted(
        block.signature + block.text for block in thoughts
    )


@pytest.mark.parametrize("sealed", ["", "!!!", "e30", "W10=", "eyJ0aG91Z2h0cyI6IDN9", "/w==", "é"])
def test_what_a_client_makes_of_carried_thoughts_is_not_our_failure(sealed: str) -> None:
    item = {"type": "reasoning", "summary": [], "encrypted_content": "airside1." + sealed}
    body = json.dumps({"model": "m", "input": [item]}).encode()
    with contextlib.suppress(AirsideError):
        RESPONSES.prompt(RESPONSES.parse(body, Addressed(), bytes_max=1_000))


def test_text_passes_on_unchanged_while_it_arrives() -> None:
    assembler = Assembler(Delivered())
    frames = wire(response_of([message_item("Guten Tag", "1")])).split(b"\n\n")
    live = b"".join(said.frame for said in assembler.feed(b"\n\n".join(frames[:6]) + b"\n\n"))
    assert live == b"\n\n".join(frames[1:6]) + b"\n\n"  # the comment is not passed on


def test_events_that_come_twice_say_it_once() -> None:
    delivered = Delivered()
    assembler = Assembler(delivered)
    response = response_of([message_item("Guten Tag", "1"), call_item("x", "2")])
    frames = [part + b"\n\n" for part in wire(response).split(b"\n\n") if part]
    live = b"".join(said.frame for item in frames for said in assembler.feed(item * 2))
    assert json.loads(assembler.finish()) == response
    assert read(live + rest(json.dumps(response).encode(), delivered))[0] == response


def test_an_end_without_its_items_is_filled_from_the_stream() -> None:
    response = response_of([message_item("Guten Tag", "1")])
    data = wire(response)
    bare = json.dumps(response_of([])).encode()
    events = data.split(b"event: response.completed")[0]
    assembler = Assembler(Delivered())
    assembler.feed(events + b'data: {"type": "response.completed", "response": ' + bare + b"}\n\n")
    assert json.loads(assembler.finish()) == response


def ended(event: dict[str, Any], *before: dict[str, Any]) -> bytes:
    return b"".join(frame(item) for item in [*before, event])


def assemble(data: bytes) -> bytes:
    assembler = Assembler(Delivered())
    assembler.feed(data)
    return assembler.finish()


DELTA = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": "msg_1", "delta": "x"}
DONE = {"type": "response.completed", "response": response_of([message_item("another", "1")])}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"data: [DONE]\n\n",
        b"data: []\n\n",
        b"data: {}\n\n",
        b'data: {"type": 3}\n\n',
        b'data: {"type": "response.output_text.delta", "delta": "\xff"}\n\n',
        b'data: {"type": "response.output_text.delta", "delta": 3}\n\n',
        b'data: {"type": "response.output_item.done", "item": 3}\n\n',
        b'data: {"type": "response.completed"}\n\n',
        b'data: {"type": "response.completed", "response": {}}\n\n',
        b'data: {"type": "response.completed", "response": {"output": [3]}}\n\n',
        ended({"type": "response.completed", "response": response_of([])}),
        ended({"type": "response.completed", "response": response_of([message_item("x", "1")], status="queued")}),
        ended({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "x"}}}),
        ended({"type": "error", "code": "rate_limit_exceeded", "message": "x"}),
        ended({"type": "error", "message": "x"}),
        ended(DONE, DELTA),
        ended(DELTA),
        b"data: {" + b"x" * 1_048_577,
        b"data: " + b"[" * 100_000 + b"\n\n",
    ],
)
def test_what_is_no_whole_stream_is_broken(data: bytes) -> None:
    with pytest.raises(BrokenAnswer) as caught:
        assemble(data)
    assert not isinstance(caught.value, RejectedAnswer)


def test_a_request_that_was_found_wrong_on_the_way_is_rejected() -> None:
    for event in (
        {"type": "response.failed", "response": {"error": {"code": "invalid_prompt", "message": "bad"}}},
        {"type": "error", "code": "invalid_image", "message": "bad"},
    ):
        with pytest.raises(RejectedAnswer, match="bad"):
            Assembler(Delivered()).feed(frame(event))


def test_huge_arguments_are_held_whole() -> None:
    response = response_of([call_item("x" * 900_000, "1")])
    assembler = Assembler(Delivered())
    assert not assembler.feed(wire(response, size=10_000))
    assert json.loads(assembler.finish()) == response
