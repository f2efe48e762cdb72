"""Streams of Gemini taken apart and written anew: the network may cut anywhere, and both modes must say the same."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airside.gateways.models.formats.gemini.format import GEMINI
from airside.gateways.models.formats.gemini.stream import Assembler, Delivered, rest
from airside.gateways.models.formats.port import BrokenAnswer
from airside.gateways.models.formats.sse import Lines

TEXTS = st.text(min_size=1, max_size=20)
ARGS = st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=20), st.integers(), st.none()), max_size=3)
PARTS = st.one_of(
    st.builds(lambda text: {"text": text}, TEXTS),
    st.builds(lambda text: {"text": text, "thoughtSignature": "c2ln"}, TEXTS),
    st.builds(lambda text: {"text": text, "thought": True}, TEXTS),
    st.builds(lambda args: {"functionCall": {"name": "find", "args": args}, "thoughtSignature": "c2ln"}, ARGS),
    st.builds(lambda text: {"news": {"inner_thing": text}}, TEXTS),
)
CHUNKS = st.lists(st.lists(PARTS, max_size=3), min_size=1, max_size=6)
USAGE = {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7}


def responses(chunks: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the responses of a stream that says these parts."""
    made: list[dict[str, Any]] = [
        {
            "candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}],
            "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3},
            "modelVersion": "m",
            "responseId": "r1",
        }
        for parts in chunks
    ]
    made[-1]["candidates"][0]["finishReason"] = "STOP"
    made[-1]["usageMetadata"] = USAGE
    return made


def wire(events: list[dict[str, Any]], end: str = "\r\n") -> bytes:
    return b"".join(f"data: {json.dumps(event)}{end}{end}".encode() for event in events)


def heard(frames: bytes) -> tuple[str, str, list[Any], list[str], Any]:
    """Return what a client reads: text, thoughts, other parts with signatures, reasons to end, usage."""
    text = thoughts = ""
    others: list[Any] = []
    ends: list[str] = []
    used = None
    for data in Lines().feed(frames):
        response = json.loads(data)
        used = response.get("usageMetadata", used)
        for candidate in response.get("candidates") or ():
            for part in (candidate.get("content") or {}).get("parts") or ():
                if "text" not in part:
                    others.append(part)
                elif part.get("thought"):
                    thoughts += part["text"]
                else:
                    text += part["text"]
                if "text" in part and part.get("thoughtSignature"):
                    others.append(part["thoughtSignature"])
            if candidate.get("finishReason"):
                ends.append(candidate["finishReason"])
    return text, thoughts, others, ends, used


@settings(deadline=None)
@given(CHUNKS, st.lists(st.integers(1, 400), max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_however_the_network_cuts_it(chunks: list[list[dict[str, Any]]], cuts: list[int], end: str) -> None:
    data = wire(responses(chunks), end)
    delivered = Delivered()
    assembler = Assembler(delivered)
    live, at = b"", 0
    for cut in [*cuts, len(data)]:
        live += b"".join(said.frame for said in assembler.feed(data[at : at + cut]))
        at += cut
    assert b"functionCall" not in live  # no call and no end before the outcome is durable
    assert b"finishReason" not in live
    body = assembler.finish()
    assert GEMINI.usage(body) is not None
    assert GEMINI.usage(body).output == 4
    once = heard(wire(responses(chunks), end))
    assert heard(rest(body, Delivered())) == once
    assert heard(live + rest(body, delivered)) == once


def test_cut_at_every_byte_it_says_the_same() -> None:
    chunks = [
        [{"text": "hm, näh 🙂", "thought": True}],
        [{"text": "Grüße "}],
        [{"text": "🙂", "thoughtSignature": "c2ln"}],
        [{"functionCall": {"name": "f", "args": {"a": "é"}}}],
    ]
    data = wire(responses(chunks))
    bodies = set()
    for cut in range(0, len(data), 3):
        delivered = Delivered()
        assembler = Assembler(delivered)
        live = b"".join(said.frame for piece in (data[:cut], data[cut:]) for said in assembler.feed(piece))
        body = assembler.finish()
        bodies.add(body)
        assert heard(live + rest(body, delivered)) == heard(data)
    (only,) = bodies
    assert json.loads(only)["candidates"][0]["content"]["parts"] == [
        {"text": "hm, näh 🙂", "thought": True},
        {"text": "Grüße 🙂", "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "f", "args": {"a": "é"}}},
    ]


def test_text_passes_on_unchanged_while_it_arrives() -> None:
    assembler = Assembler(Delivered())
    empty = b'data: {"candidates": [{"content": {"parts": [{"text":   ""}]}}]}\r\n\r\n'
    word = b'data: {"candidates": [{"content": {"parts": [{"text":   "He\\u006clo"}]}}]}\r\n\r\n'
    assert not assembler.feed(empty)  # nothing said yet: a failure may still be tried again
    (said,) = assembler.feed(word)
    assert (said.frame, said.kind, said.text) == (empty + word, "text", "Hello")
    (again,) = assembler.feed(word)
    assert again.frame == word


def test_a_pretty_printed_answer_is_one_event() -> None:
    body = json.dumps(responses([[{"text": "two\nlines"}]])[0], indent=2).encode()
    assert heard(rest(body, Delivered())) == heard(wire([json.loads(body)]))
    assert rest(body, Delivered()).count(b"\r\n\r\n") == 1


def test_a_prompt_that_was_blocked_is_an_answer() -> None:
    assembler = Assembler(Delivered())
    assembler.feed(wire([{"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}}]))
    body = assembler.finish()
    assert GEMINI.answer(body).stop == "content_filter"
    assert b"blockReason" in rest(body, Delivered())


def chunk(**candidate: Any) -> bytes:
    return wire([{"candidates": [candidate]}])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        chunk(content={"parts": [{"text": "half"}]}),
        chunk(content={"parts": "x"}),
        chunk(content={"parts": [3]}),
        chunk(content="x"),
        chunk(index=1, finishReason="STOP"),
        chunk(finishReason="STOP") + chunk(content={"parts": [{"text": "more"}]}),
        wire([{"candidates": [{"finishReason": "STOP"}, {"index": 1}]}]),
        wire([{"candidates": "x"}]),
        wire([{"error": {"code": 503, "message": "overloaded"}}]),
        wire([{"usageMetadata": {"promptTokenCount": 3}}]),
        b"data: []\n\n",
        b'data: {"candidates": [{"finishReason": "STOP", "content": {"parts": [{"text": "\xff"}]}}]}\n\n',
        b"data: {" + b"x" * 1_048_577,
        b'data: {"candidates": ' + b"[" * 5_000 + b"]" * 5_000 + b"}\n\n",
    ],
)
def test_what_is_no_whole_stream_is_broken(data: bytes) -> None:
    assembler = Assembler(Delivered())
    with pytest.raises(BrokenAnswer):  # noqa: PT012 - either may find it
        assembler.feed(data)
        assembler.finish()


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_garbage_never_raises_anything_else(data: bytes) -> None:
    assembler = Assembler(Delivered())
    with contextlib.suppress(BrokenAnswer):
        assembler.feed(data)
        assembler.finish()
