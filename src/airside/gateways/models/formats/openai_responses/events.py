"""The events of a Responses stream: a whole response spelled out, and the note of what its client has been sent.

Every event has a place in its response, by its type and its indices, at most once. So what is left to send of a stream
is what its response spells out, less the places that have been served: `left`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

Event = dict[str, Any]
Place = tuple[str, int, int, int]
_encode = msgspec.json.encode
_INDICES = ("output_index", "content_index", "summary_index", "annotation_index")


class Shown(Struct, frozen=True):
    """What a client is shown of a response in place of what upstream calls it: our id, and what was asked for."""

    response_id: str
    previous: str
    store: bool

    def over(self, response: Mapping[str, Any]) -> dict[str, Any]:
        """Return a response, or a part of it, as the client is to see it."""
        return {
            **response,
            "id": self.response_id,
            "previous_response_id": self.previous or None,
            "store": self.store,
        }


class Delivered:
    """How much of a response its client has been sent: which events, and the text within the places that spell it.

    `shown` is set once the call's run is known. `number` is the next event's.
    """

    __slots__ = ("ids", "logprobs", "number", "places", "shown", "text")

    def __init__(self) -> None:
        self.shown: Shown | None = None
        self.number = 0
        self.places: set[Place] = set()
        self.text: dict[Place, list[str]] = {}
        self.logprobs: dict[Place, int] = {}
        self.ids: dict[int, str] = {}

    @property
    def anything(self) -> bool:
        """Whether the client has been sent any of it."""
        return bool(self.places)

    def note(self, event: Mapping[str, Any]) -> None:
        """Note an event that is sent."""
        at = place(event)
        self.places.add(at)
        self.number = event["sequence_number"] + 1
        delta = event.get("delta")
        if isinstance(delta, str):
            self.text.setdefault(at, []).append(delta)
            self.logprobs[at] = self.logprobs.get(at, 0) + len(event.get("logprobs") or ())
        if isinstance(event.get("item_id"), str):
            self.ids[at[1]] = event["item_id"]


def place(event: Mapping[str, Any]) -> Place:
    """Return where an event stands in its response."""
    indices = [event.get(name) for name in _INDICES]
    output, content, summary, annotation = [index if type(index) is int else -1 for index in indices]
    return (str(event.get("type")), output, max(content, summary), annotation)


def frame(event: Mapping[str, Any], data: bytes = b"") -> bytes:
    """Return an event as it goes over the wire. `data` is its JSON, if that is known."""
    return b"event: " + str(event["type"]).encode() + b"\ndata: " + (data or _encode(event)) + b"\n\n"


def left(response: Mapping[str, Any], delivered: Delivered) -> Iterator[Event]:
    """Yield the events that complete a stream, numbered on from what has been sent."""
    number = delivered.number
    for event in spelled(response):
        at = place(event)
        if "delta" in event:
            sent = len("".join(delivered.text.get(at, ())))
            event["delta"] = event["delta"][sent:]
            if event.get("logprobs"):
                event["logprobs"] = event["logprobs"][delivered.logprobs.get(at, 0) :]
            if not event["delta"]:
                continue
        elif at in delivered.places:
            continue
        yield {"type": event.pop("type"), "sequence_number": number, **event}
        number += 1


def contradiction(response: Mapping[str, Any], delivered: Delivered) -> str:
    """Return why a response cannot be what its client was sent the beginning of; empty if it can."""
    whole = {place(event): event["delta"] for event in spelled(response) if "delta" in event}
    for at, sent in delivered.text.items():
        if not whole.get(at, "").startswith("".join(sent)):
            return "the whole text is not the one that was streamed"
    output = response["output"]
    for index, name in delivered.ids.items():
        if index >= len(output) or output[index].get("id") != name:
            return "an item of the stream is not in the whole answer"
    return ""


def begun(response: Mapping[str, Any]) -> dict[str, Any]:
    """Return a response as it is before anything has been said."""
    start = {**response, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    start.pop("completed_at", None)
    return start


def spelled(response: Mapping[str, Any]) -> Iterator[Event]:
    """Yield all events of a response, each text in one delta."""
    start = begun(response)
    yield {"type": "response.created", "response": start}
    yield {"type": "response.in_progress", "response": start}
    for index, item in enumerate(response["output"]):
        yield from _item(index, item)
    yield {"type": f"response.{response.get('status') or 'completed'}", "response": response}


def _item(index: int, item: Mapping[str, Any]) -> Iterator[Event]:
    at = {"item_id": item.get("id"), "output_index": index}
    kind = item.get("type")
    empty: dict[str, Any] = {"status": "in_progress"} if "status" in item else {}
    inner: Iterator[Event] = iter(())
    if kind == "message":
        empty["content"] = []
        inner = _content(at, item.get("content") or ())
    elif kind == "reasoning":
        empty |= {"summary": []} | ({"content": []} if item.get("content") else {})
        inner = _reasoning(at, item)
    elif kind == "function_call":
        empty["arguments"] = ""
        inner = _spelled_out("response.function_call_arguments", at, "arguments", item)
    elif kind == "custom_tool_call":
        empty["input"] = ""
        inner = _spelled_out("response.custom_tool_call_input", at, "input", item)
    yield {"type": "response.output_item.added", "output_index": index, "item": {**item, **empty}}
    yield from inner
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _spelled_out(kind: str, at: Mapping[str, Any], field: str, item: Mapping[str, Any]) -> Iterator[Event]:
    text = item.get(field) or ""
    yield {"type": f"{kind}.delta", **at, "delta": text}
    named = {"name": item.get("name")} if field == "arguments" else {}
    yield {"type": f"{kind}.done", **at, field: text, **named}


def _content(item_at: Mapping[str, Any], parts: Any) -> Iterator[Event]:
    for number, part in enumerate(parts):
        at = {**item_at, "content_index": number}
        field = "refusal" if part.get("type") == "refusal" else "text"
        yield {"type": "response.content_part.added", **at, "part": {**part, field: "", **_bare(part)}}
        yield from _said(at, part, field)
        yield {"type": "response.content_part.done", **at, "part": part}


def _bare(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: [] for name in ("annotations", "logprobs") if part.get(name) is not None}


def _said(at: Mapping[str, Any], part: Mapping[str, Any], field: str) -> Iterator[Event]:
    text = part.get(field) or ""
    match part.get("type"):
        case "output_text":
            logprobs = {"logprobs": part.get("logprobs") or []}
            yield {"type": "response.output_text.delta", **at, "delta": text, **logprobs}
            for number, annotation in enumerate(part.get("annotations") or ()):
                event = {"type": "response.output_text.annotation.added", **at}
                yield {**event, "annotation_index": number, "annotation": annotation}
            yield {"type": "response.output_text.done", **at, "text": text, **logprobs}
        case "refusal":
            yield {"type": "response.refusal.delta", **at, "delta": text}
            yield {"type": "response.refusal.done", **at, "refusal": text}
        case "reasoning_text":
            yield {"type": "response.reasoning_text.delta", **at, "delta": text}
            yield {"type": "response.reasoning_text.done", **at, "text": text}


def _reasoning(item_at: Mapping[str, Any], item: Mapping[str, Any]) -> Iterator[Event]:
    yield from _content(item_at, item.get("content") or ())
    for number, part in enumerate(item.get("summary") or ()):
        at = {**item_at, "summary_index": number}
        text = part.get("text") or ""
        yield {"type": "response.reasoning_summary_part.added", **at, "part": {**part, "text": ""}}
        yield {"type": "response.reasoning_summary_text.delta", **at, "delta": text}
        yield {"type": "response.reasoning_summary_text.done", **at, "text": text}
        yield {"type": "response.reasoning_summary_part.done", **at, "part": part}
