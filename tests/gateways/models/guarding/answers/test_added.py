"""What providers add to answers beside what the model said is checked too: sources, results of searches, extensions."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fake_providers import Fault
from tests.gateways.models.guarding.answers.guarded import MODEL, SECRET, USER, guarded

HEAD = {"id": "c1", "created": 1, "model": "sonar"}
ADDED: list[dict[str, Any]] = [
    {"citations": [f"https://known.example/?key={SECRET}"]},
    {"search_results": [{"title": f"the key {SECRET}", "url": "https://known.example"}]},
    {"output": f"beside {SECRET}"},
    {"made_up": {"deep": [[f"{SECRET}"]]}},
]


@pytest.mark.parametrize("added", ADDED)
async def test_fields_beside_the_answer_are_checked(tmp_path: Path, added: dict[str, Any]) -> None:
    message = {"role": "assistant", "content": "See there."}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    async with guarded(tmp_path) as g:
        raw = json.dumps({**HEAD, "object": "chat.completion", "choices": choices, **added})
        g.pair.fake.faults.append(Fault(status=200, raw=raw.encode()))
        answer = await g.pair.post("/v1/chat/completions", {"model": MODEL, "messages": USER})
        assert answer.status_code == 200
        assert answer.json()["choices"][0]["message"]["content"] == "See there."
        assert answer.json().keys() >= added.keys()
        assert SECRET not in answer.text
        assert SECRET.encode() not in g.delivered


def _frames(added: dict[str, Any], where: str, at: int) -> bytes:
    chunks: list[dict[str, Any]] = []
    for number, delta in enumerate([{"role": "assistant", "content": ""}, {"content": "See "}, {"content": "there."}]):
        choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": None}
        chunk = {**HEAD, "object": "chat.completion.chunk", "choices": [choice]}
        if number == at:
            (choice if where == "choice" else chunk).update(added)
        chunks.append(chunk)
    chunks.append({**chunks[-1], "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return b"".join([b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]) + b"data: [DONE]\n\n"


@pytest.mark.parametrize("added", ADDED)
@pytest.mark.parametrize("where", ["chunk", "choice"])
@pytest.mark.parametrize("at", [0, 1, 2])
async def test_fields_beside_a_streams_text_are_checked(
    tmp_path: Path, added: dict[str, Any], where: str, at: int
) -> None:
    async with guarded(tmp_path) as g:
        raw = _frames(added, where, at)
        g.pair.fake.faults.append(Fault(status=200, raw=raw, content_type="text/event-stream"))
        answer = await g.pair.post("/v1/chat/completions", {"model": MODEL, "messages": USER, "stream": True})
        assert answer.status_code == 200
        told = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
        said = [choice["delta"].get("content") or "" for chunk in told for choice in chunk["choices"]]
        assert "".join(said) == "See there."
        assert SECRET not in answer.text
        assert SECRET.encode() not in g.delivered


async def test_harmless_fields_leave_as_they_came(tmp_path: Path) -> None:
    added = {"citations": ["https://known.example/a"], "search_results": [{"title": "A", "url": "https://a.example"}]}
    async with guarded(tmp_path) as g:
        g.pair.fake.faults.append(Fault(status=200, raw=_frames(added, "chunk", 0), content_type="text/event-stream"))
        answer = await g.pair.post("/v1/chat/completions", {"model": MODEL, "messages": USER, "stream": True})
        first = json.loads(answer.text.split("\n\n")[0].removeprefix("data: "))
        assert first["citations"] == added["citations"]


@pytest.mark.parametrize("where", ["response", "candidate"])
@pytest.mark.parametrize("at", [0, 1])
async def test_fields_beside_the_text_of_a_gemini_stream_are_checked(tmp_path: Path, where: str, at: int) -> None:
    events: list[dict[str, Any]] = []
    for number, text in enumerate(["See ", "there."]):
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
        event = {"candidates": [candidate], "modelVersion": "m"}
        if number == at:
            (event if where == "response" else candidate)["groundingMetadata"] = {"queries": [f"key {SECRET}"]}
        events.append(event)
    events.append({"candidates": [{"content": {"role": "model", "parts": []}, "finishReason": "STOP", "index": 0}]})
    raw = b"".join([b"data: " + json.dumps(event).encode() + b"\r\n\r\n" for event in events])
    async with guarded(tmp_path, "gemini") as g:
        g.pair.fake.faults.append(Fault(status=200, raw=raw, content_type="text/event-stream"))
        path = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
        answer = await g.pair.post(path, {"contents": [{"role": "user", "parts": [{"text": "Tell me."}]}]})
        assert answer.status_code == 200
        assert "there." in answer.text
        assert SECRET not in answer.text
        assert SECRET.encode() not in g.delivered


@pytest.mark.parametrize("where", ["message_start", "content_block_start", "content_block_delta", "inner"])
async def test_fields_beside_the_text_of_a_stream_of_messages_are_checked(tmp_path: Path, where: str) -> None:
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "m1", "type": "message", "role": "assistant", "model": MODEL, "content": [], "usage": usage}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "See there."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    for event in events:
        if event["type"] == where:
            event["made_up"] = [f"key {SECRET}"]
    if where == "inner":
        events[0]["message"]["made_up"] = f"key {SECRET}"
        events[1]["content_block"]["also"] = f"key {SECRET}"
    lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
    async with guarded(tmp_path, "anthropic") as g:
        g.pair.fake.faults.append(Fault(status=200, raw="".join(lines).encode(), content_type="text/event-stream"))
        asked = {"model": MODEL, "messages": USER, "max_tokens": 50, "stream": True}
        answer = await g.pair.post("/v1/messages", asked)
        assert answer.status_code == 200
        assert "See there." in answer.text
        assert SECRET not in answer.text
        assert SECRET.encode() not in g.delivered


def _responses(added: dict[str, Any] | None = None, at: str = "", odd: dict[str, Any] | None = None) -> bytes:
    """Return a stream of one message; `added` stands in the event (or the part of the item) `at`, `odd` is an event."""
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    item = {"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
    head = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": MODEL,
        "status": "in_progress",
        "output": [],
    }
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    said = part | {"text": "See there."}
    done = item | {"status": "completed", "content": [said]}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": head},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        {"type": "response.output_text.delta", **place, "delta": "See ", "logprobs": []},
        {"type": "response.output_text.delta", **place, "delta": "there.", "logprobs": []},
        {"type": "response.output_text.done", **place, "text": "See there.", "logprobs": []},
        {"type": "response.content_part.done", **place, "part": said},
        {"type": "response.output_item.done", "output_index": 0, "item": done},
    ]
    for number, event in enumerate(events):
        if event["type"] == at:
            events[number] = (
                event | {"part": event["part"] | (added or {})} if "part" in event else event | (added or {})
            )
    if odd:
        events.insert(4, odd)
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    events.append(
        {"type": "response.completed", "response": head | {"status": "completed", "output": [done], "usage": usage}}
    )
    told = [json.dumps(event | {"sequence_number": number}) for number, event in enumerate(events)]
    return b"".join([f"event: {json.loads(one)['type']}\ndata: {one}\n\n".encode() for one in told])


@pytest.mark.parametrize(
    "spoilt",
    [
        {"odd": {"type": "response.search.found", "results": [{"title": f"the key {SECRET}"}]}},
        {"at": "response.output_text.delta", "added": {"sources": [f"https://known.example/?key={SECRET}"]}},
        {"at": "response.content_part.done", "added": {"annotations": [{"type": "note", "text": SECRET}]}},
        {"at": "response.content_part.added", "added": {"text": f"the key {SECRET}"}},
    ],
)
async def test_what_a_responses_stream_says_beside_its_text_is_checked(tmp_path: Path, spoilt: dict[str, Any]) -> None:
    async with guarded(tmp_path, kind="openai") as g:
        raw = _responses(**spoilt)
        g.pair.fake.faults.append(Fault(status=200, raw=raw, content_type="text/event-stream"))
        answer = await g.pair.post("/v1/responses", {"model": MODEL, "input": "Where?", "stream": True})
        assert answer.status_code == 200
        assert "response.completed" in answer.text
        assert "See there." in answer.text
        assert SECRET not in answer.text


async def test_a_harmless_responses_stream_passes_as_it_came(tmp_path: Path) -> None:
    async with guarded(tmp_path, kind="openai") as g:
        raw = _responses(at="response.content_part.done", added={"annotations": [{"type": "note", "text": "fine"}]})
        g.pair.fake.faults.append(Fault(status=200, raw=raw, content_type="text/event-stream"))
        answer = await g.pair.post("/v1/responses", {"model": MODEL, "input": "Where?", "stream": True})
        assert '"text": "fine"' in answer.text
