"""Streams of Messages taken apart and written anew: the network may cut anywhere, and both modes must say the same."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airside.gateways.models.formats.anthropic.format import MESSAGES
from airside.gateways.models.formats.anthropic.resume import rest
from airside.gateways.models.formats.anthropic.stream import Assembler, Delivered
from airside.gateways.models.formats.port import BrokenAnswer
from airside.gateways.models.formats.sse import Lines
from tests.fake_providers.anthropic import events_of

TEXTS = st.text(max_size=40)
INPUTS = st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=20), st.integers(), st.none()), max_size=3)
BLOCKS = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, TEXTS),
    st.builds(lambda text: {"type": "text", "text": text, "citations": [{"type": "x", "n": 1}]}, TEXTS),
    st.builds(lambda text: {"type": "thinking", "thinking": text, "signature": "sig" + text}, TEXTS),
    st.builds(lambda text: {"type": "redacted_thinking", "data": text}, TEXTS),
    st.builds(lambda given: {"type": "tool_use", "id": "toolu_1", "name": "find", "input": given}, INPUTS),
    st.builds(lambda text: {"type": "news", "content": text, "extra": [1, {"a": None}]}, TEXTS),
)


def message(blocks: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Return a whole message."""
    stop = "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"
    usage = {"input_tokens": 3, "cache_read_input_tokens": 1, "cache_creation_input_tokens": 0, "output_tokens": 7}
    ended = {"stop_reason": stop, "stop_sequence": None, "usage": usage}
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": blocks, **ended, **more}


MESSAGE = st.builds(message, st.lists(BLOCKS, max_size=5))


def wire(whole: dict[str, Any], *, end: str = "\n") -> bytes:
    """Return a message as Anthropic streams it."""
    return b"".join(
        f"event: {event['type']}{end}data: {json.dumps(event)}{end}{end}".encode() for event in _events(whole)
    )


def _events(whole: dict[str, Any]) -> list[dict[str, Any]]:
    events = []
    for event in events_of(whole):
        events.append(event)
        started = event.get("content_block") or {}
        for citation in started.pop("citations", ()):
            delta = {"type": "citations_delta", "citation": citation}
            events.append({"type": "content_block_delta", "index": event["index"], "delta": delta})
    return events


def heard(frames: bytes) -> dict[str, Any]:
    """Return the message that a client puts together, as the SDK does; fails on what the SDK would stumble over."""
    whole: dict[str, Any] = {}
    spelled: dict[int, str] = {}
    open_blocks: set[int] = set()
    for data in Lines().feed(frames):
        event = json.loads(data)
        match event["type"]:
            case "message_start":
                assert not whole
                whole = event["message"]
            case "content_block_start":
                assert event["index"] == len(whole["content"])
                whole["content"].append(event["content_block"])
                open_blocks.add(event["index"])
            case "content_block_delta":
                block, delta = whole["content"][event["index"]], event["delta"]
                _grow(block, delta, spelled, event["index"])
            case "content_block_stop":
                open_blocks.remove(event["index"])
            case "message_delta":
                assert not open_blocks
                whole |= event["delta"]
                whole["usage"] |= event["usage"]
            case "message_stop":
                whole["ended"] = True
    for index, text in spelled.items():
        whole["content"][index]["input"] = json.loads(text) if text else {}
    return whole


def _grow(block: dict[str, Any], delta: dict[str, Any], spelled: dict[int, str], index: int) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
        case "input_json_delta":
            spelled[index] = spelled.get(index, "") + delta["partial_json"]


@settings(deadline=None)
@given(MESSAGE, st.lists(st.integers(1, 400), max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_however_the_network_cuts_it(whole: dict[str, Any], cuts: list[int], end: str) -> None:
    data = wire(whole, end=end)
    delivered = Delivered()
    assembler = Assembler(delivered)
    live, at = b"", 0
    for cut in [*cuts, len(data)]:
        live += b"".join(said.frame for said in assembler.feed(data[at : at + cut]))
        at += cut
    assert b"tool_use" not in live  # no tool use and no end before the outcome is durable
    assert b"message_delta" not in live
    body = assembler.finish()
    assert json.loads(body) == whole
    assert MESSAGES.usage(body) is not None
    replayed = rest(body, Delivered())
    live += rest(body, delivered)
    assert heard(live) == heard(replayed) == {**whole, "ended": True}


def test_cut_at_every_byte_it_says_the_same() -> None:
    thinking = {"type": "thinking", "thinking": "hm, näh 🙂", "signature": "s"}
    use = {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"a": "é", "n": 12345678901234567890}}
    whole = message([thinking, {"type": "text", "text": "Grüße 🙂"}, use])
    data = wire(whole)
    for cut in range(0, len(data), 3):
        delivered = Delivered()
        assembler = Assembler(delivered)
        live = b"".join(said.frame for piece in (data[:cut], data[cut:]) for said in assembler.feed(piece))
        body = assembler.finish()
        assert json.loads(body) == whole
        assert heard(live + rest(body, delivered)) == {**whole, "ended": True}


def test_text_passes_on_unchanged_while_it_arrives() -> None:
    assembler = Assembler(Delivered())
    start = b'event: message_start\ndata: {"type": "message_start",  "message": {"type": "message", "id": "1"}}\n\n'
    block = b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    block += b'"content_block":{"type":"text","text":""}}\n\n'
    word = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    word += b'"delta":{"type": "text_delta", "text":"He\\u006clo"}}\n\n'
    ping = b'event: ping\ndata: {"type": "ping"}\n\n'
    assert not assembler.feed(start + ping + block)  # nothing said yet: a failure may still be tried again
    assert not assembler.feed(word[:50])
    (said,) = assembler.feed(word[50:])
    assert (said.frame, said.kind, said.text) == (start + block + word, "text", "Hello")
    assert [said.frame for said in assembler.feed(word + ping)] == [word, ping]


def test_the_input_of_a_tool_keeps_its_spelling_in_both_modes() -> None:
    spelled = '{"n": 1.50, "big": 123456789012345678901234567890, "e": "\\u00e9"}'
    body = json.dumps(message([{"type": "tool_use", "id": "t", "name": "f", "input": "HERE"}]))
    streamed = rest(body.replace('"HERE"', spelled).encode(), Delivered())
    assert json.dumps(spelled) in streamed.decode()


def events(*items: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(item).encode() + b"\n\n" for item in items)


START = {"type": "message_start", "message": {"type": "message", "id": "1", "content": []}}
TEXT = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
TOOL = {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "f"}}
WORD = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "half"}}
CLOSE = {"type": "content_block_stop", "index": 0}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}
STOP = {"type": "message_stop"}


def spelling(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": text}}


def assemble(data: bytes) -> dict[str, Any]:
    assembler = Assembler(Delivered())
    assembler.feed(data)
    return json.loads(assembler.finish())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        events(START),
        events(START, TEXT, WORD),
        events(START, TEXT, WORD, CLOSE),
        events(START, START, TEXT, WORD, CLOSE, END, STOP),
        events(START, TEXT, TEXT, WORD, CLOSE, END, STOP),
        events(START, TEXT, WORD, CLOSE, CLOSE, END, STOP),
        events(START, TEXT, CLOSE, WORD, END, STOP),
        events(START, WORD, END, STOP),
        events(TEXT, WORD, CLOSE, END, STOP),
        events(START, STOP),
        events(START, END, STOP, STOP),
        events(START, END, STOP, TEXT),
        events(START, TOOL, spelling("[1]"), CLOSE, END, STOP),
        events(START, TOOL, spelling('{"a": 1'), CLOSE, END, STOP),
        events(START, {"type": "content_block_start", "index": 0, "content_block": {"type": 3}}),
        events(START, {"type": "content_block_delta", "index": 0}),
        events({"type": "message_start", "message": {"type": "message", "content": [{"type": "text"}]}}),
        events(START, {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}),
        b"data: []\n\n",
        b'data: {"type": "message_start", "message": {"type": "message", "id": "\xff"}}\n\n',
        b"data: {" + b"x" * 1_048_577,
        b'data: {"type": ' + b"[" * 5_000 + b"]" * 5_000 + b"}\n\n",
    ],
)
def test_what_is_no_whole_stream_is_broken(data: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        assemble(data)


def test_a_tool_use_that_was_cut_by_the_limit_holds_what_there_is() -> None:
    cut = {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 1}}
    made = assemble(events(START, TOOL, spelling('{"a": 1, "b": "tex'), CLOSE, cut, STOP))
    assert made["content"] == [{"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}]


def test_what_comes_late_reaches_a_client_that_has_the_head() -> None:
    late = {**END, "context_management": {"applied_edits": []}, "delta": {"stop_reason": "end_turn", "stop_details": 1}}
    delivered = Delivered()
    assembler = Assembler(delivered)
    live = b"".join(said.frame for said in assembler.feed(events(START, TEXT, WORD, CLOSE, late, STOP)))
    body = assembler.finish()
    assert json.loads(body)["context_management"] == {"applied_edits": []}
    ending = [json.loads(data) for data in Lines().feed(rest(body, delivered))][-2]
    assert ending["context_management"] == {"applied_edits": []}
    assert ending["delta"]["stop_details"] == 1
    assert b"half" in live


@settings(deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300), st.lists(st.sampled_from([START, TEXT, TOOL, WORD, END])).map(lambda e: events(*e))
    )
)
def test_garbage_never_raises_anything_else(data: bytes) -> None:
    with contextlib.suppress(BrokenAnswer):
        assemble(data)
