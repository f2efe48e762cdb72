"""Streams taken apart and written anew: the network may cut anywhere, and both modes must say the same."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airside.gateways.models.formats.openai_chat.stream import DONE, Assembler, Delivered, rest
from airside.gateways.models.formats.port import BrokenAnswer
from airside.gateways.models.formats.sse import Lines
from tests.fake_providers import text, tool_calls
from tests.fake_providers.openai_chat import chunks_of

MESSAGES = st.one_of(
    st.text(min_size=1, max_size=60).map(text),
    st.tuples(st.text(max_size=20), st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3)).map(
        lambda made: tool_calls(("find", made[1]), ("send", {"text": made[0]}), content=made[0] or None)
    ),
)


def wire(message: dict[str, Any], *, end: str = "\n") -> bytes:
    completion = {
        "id": "chatcmpl-1",
        "created": 1,
        "model": "m",
        "system_fingerprint": "fp",
        "choices": [{"message": message, "finish_reason": "tool_calls" if message.get("tool_calls") else "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }
    lines = [f"data: {json.dumps(chunk)}{end}{end}" for chunk in chunks_of(completion, include_usage=True)]
    return f": a comment{end}{end}".encode() + "".join([*lines, f"data: [DONE]{end}{end}"]).encode()


def fed(assembler: Assembler, data: bytes) -> bytes:
    """Return the frames that may leave once `data` has come."""
    return b"".join(piece.frame for piece in assembler.feed(data))


def said(frames: bytes) -> tuple[str, dict[int, str], list[str]]:
    """Return what a client reads from a stream: its text, its tool arguments, its finish reasons."""
    content, arguments, finishes = "", {}, []
    for event in Lines().feed(frames):
        if event == b"[DONE]":
            continue
        for choice in json.loads(event)["choices"]:
            delta = choice["delta"]
            content += delta.get("content") or ""
            for call in delta.get("tool_calls") or ():
                arguments[call["index"]] = arguments.get(call["index"], "") + call["function"]["arguments"]
            if choice.get("finish_reason"):
                finishes.append(choice["finish_reason"])
    return content, arguments, finishes


@settings(deadline=None)
@given(MESSAGES, st.lists(st.integers(1, 400), max_size=12), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_however_the_network_cuts_it(message: dict[str, Any], cuts: list[int], end: str, ask: bool) -> None:
    data = wire(message, end=end)
    delivered = Delivered()
    assembler = Assembler(delivered)
    live, at = b"", 0
    for cut in [*cuts, len(data)]:
        live += fed(assembler, data[at : at + cut])
        at += cut
    live += fed(assembler, data[at:])
    early = said(live)
    assert early[1:] == ({}, [])  # no tool call and no end before the outcome is durable
    body = assembler.finish()
    assert json.loads(body)["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert json.loads(body)["choices"][0]["message"] == message
    replayed = rest(body, Delivered(), include_usage=ask)
    live += rest(body, delivered, include_usage=ask)
    assert said(live) == said(replayed)
    assert said(live)[0] == (message["content"] or "")
    assert said(live)[1] == {
        index: call["function"]["arguments"] for index, call in enumerate(message.get("tool_calls") or ())
    }
    assert live.endswith(DONE)
    assert (b'"prompt_tokens"' in live) == ask
    assert live.count(b'"role":"assistant"') + live.count(b'"role": "assistant"') == 1


def test_text_passes_on_unchanged_while_it_arrives() -> None:
    assembler = Assembler(Delivered())
    role = b'data: {"id": "1",  "choices": [{"index":0, "delta": {"role":"assistant", "content":""}}]}\n\n'
    word = b'data: {"id": "1",  "choices": [{"index":0, "delta": {"content":"He\\u006clo"}}]}\n\n'
    assert fed(assembler, role) == b""  # nothing said yet: a failure may still be tried again
    assert fed(assembler, word[:30]) == b""
    assert fed(assembler, word[30:]) == role + word
    assert fed(assembler, word) == word


def test_reasoning_and_logprobs_survive() -> None:
    chunk: dict[str, Any] = {"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]}
    chunks = [chunk, {"choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [{"token": "a"}]}}]}]
    chunks += [{"choices": [{"index": 0, "delta": {"content": "b"}, "logprobs": {"content": [{"token": "b"}]}}]}]
    ending = {"choices": [{"index": 0, "delta": {"content": "c"}, "logprobs": {"content": [{"token": "c"}]}}]}
    ending["choices"][0]["finish_reason"] = "stop"
    delivered = Delivered()
    assembler = Assembler(delivered)
    for item in [*chunks, ending]:
        assembler.feed(b"data: " + json.dumps(item).encode() + b"\n\n")
    body = assembler.finish()
    choice = json.loads(body)["choices"][0]
    assert choice["message"] == {"role": "assistant", "content": "abc", "reasoning_content": "hm"}
    assert [item["token"] for item in choice["logprobs"]["content"]] == ["a", "b", "c"]
    assert "usage" not in json.loads(body)
    first = json.loads(Lines().feed(rest(body, delivered, include_usage=False))[0])
    assert first["choices"][0]["delta"] == {"content": "c"}
    assert first["choices"][0]["logprobs"] == {"content": [{"token": "c"}]}


def assemble(data: bytes) -> None:
    assembler = Assembler(Delivered())
    assembler.feed(data)
    assembler.finish()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"data: [DONE]\n\n",
        b'data: {"choices": [{"delta": {"content": "half"}}]}\n\n',
        b'data: {"choices": "x"}\n\n',
        b'data: {"choices": [{"delta": []}]}\n\n',
        b'data: {"choices": [{"delta": {"tool_calls": {}}}]}\n\n',
        b'data: {"choices": [{"delta": {"tool_calls": [{"index": "x"}]}}]}\n\n',
        b"data: []\n\n",
        b'data: {"choices": [{"delta": {"content": "\xff"}}]}\n\n',
        b'data: {"error": {"message": "overloaded"}}\n\n',
        b"data: {" + b"x" * 1_048_577,
    ],
)
def test_what_is_no_whole_stream_is_broken(data: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        assemble(data)


def test_nesting_without_end_is_a_broken_stream() -> None:
    with pytest.raises(BrokenAnswer):
        assemble(b'data: {"choices": ' + b"[" * 5_000 + b"]" * 5_000 + b"}\n\n")


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_garbage_never_raises_anything_else(data: bytes) -> None:
    with contextlib.suppress(BrokenAnswer):
        assemble(b"data: " + data + b"\n\n")
