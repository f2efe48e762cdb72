"""Gemini's streams from a recorded answer: what is said and what is called come apart, and nothing is said twice."""

import json
from typing import Any

from airside.gateways.models.formats.gemini.stream import Delivered, rest

CALL = {"functionCall": {"name": "get_order", "args": {"id": 4711}}}
BODY = json.dumps(
    {
        "candidates": [
            {
                "content": {"parts": [{"text": "I look it up."}, CALL], "role": "model"},
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {"totalTokenCount": 9},
        "modelVersion": "gemini-2.5-pro",
        "responseId": "r1",
    }
).encode()


def events(frames: bytes) -> list[dict[str, Any]]:
    return [
        json.loads(line.removeprefix("data: ")) for line in frames.decode().splitlines() if line.startswith("data: ")
    ]


def test_a_replayed_stream_keeps_text_and_calls_apart() -> None:
    said, called = events(rest(BODY, Delivered()))
    assert said["candidates"] == [{"content": {"parts": [{"text": "I look it up."}], "role": "model"}, "index": 0}]
    assert called["candidates"][0]["content"]["parts"] == [CALL]
    assert called["candidates"][0]["finishReason"] == "STOP"
    assert (called["usageMetadata"], "usageMetadata" in said) == ({"totalTokenCount": 9}, False)


def test_what_has_been_said_is_not_said_again() -> None:
    delivered = Delivered()
    delivered.note({"text": "I look it up."})
    (called,) = events(rest(BODY, delivered))
    assert called["candidates"][0]["content"]["parts"] == [CALL]


def test_an_answer_of_one_kind_leaves_as_it_is() -> None:
    whole = json.dumps({"candidates": [{"content": {"parts": [CALL], "role": "model"}}]}).encode()
    assert events(rest(whole, Delivered())) == [json.loads(whole)]
