"""Writing a Messages stream: the rest of one that has begun, or all of it, from the assembled message.

The rest completes exactly what was begun: blocks that are open are filled and closed, the others follow whole, then the
stop reason with the usage. A stream that arrives in another format is written block by block as it is said.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from airside.gateways.models.formats.anthropic import usage
from airside.gateways.models.formats.anthropic.stream import INPUTS, Block, Delivered, event_frame
from airside.gateways.models.formats.port import Delta

_encode = msgspec.json.encode
_FIELDS = {"text": ("text",), "thinking": ("thinking", "signature")}
_DELTAS = {"text": "text_delta", "thinking": "thinking_delta", "signature": "signature_delta"}
_AT_THE_END = ("stop_reason", "stop_sequence", "stop_details", "container")


class _Whole(Struct):
    content: list[dict[str, Raw]]
    usage: Any = None


_whole = msgspec.json.Decoder(_Whole).decode
_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_value = msgspec.json.decode


def rest(body: bytes, delivered: Delivered) -> bytes:
    """Return the events that complete a stream of which `delivered` has been sent, from the assembled message."""
    message, fields = _whole(body), _fields(body)
    del fields["content"]
    events = [] if delivered.head is not None else [_head(fields, message.usage)]
    at_head = delivered.head if delivered.head is not None else frozenset(fields)
    blocks = message.content
    if not _continues(blocks, delivered.blocks):
        blocks = _left_over(blocks, delivered)
    for index, block in enumerate(blocks):
        begun = delivered.blocks[index] if index < len(delivered.blocks) else None
        events += _block(index, block, begun)
    events.append(_end(fields, message.usage, at_head))
    return b"".join([event_frame(event["type"], _encode(event)) for event in [*events, {"type": "message_stop"}]])


def _head(fields: Mapping[str, Raw], used: Any) -> dict[str, Any]:
    counted = used if isinstance(used, dict) else usage.write(None)
    started = {name: value for name, value in counted.items() if name != "output_tokens_details"}
    empty: dict[str, Any] = {
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**started, "output_tokens": 0},
    }
    return {"type": "message_start", "message": {**fields, **empty}}


def _end(fields: Mapping[str, Raw], used: Any, at_head: frozenset[str]) -> dict[str, Any]:
    """Return the event with the stop reason, the usage, and what else became known after the head had left."""
    counted = used if isinstance(used, dict) else usage.write(None)
    delta: dict[str, Any] = {"stop_reason": None, "stop_sequence": None}
    delta |= {name: fields[name] for name in _AT_THE_END if name in fields}
    late = {name: value for name, value in fields.items() if name not in at_head and name not in delta}
    late.pop("usage", None)
    return {**late, "type": "message_delta", "delta": delta, "usage": counted}


def _block(index: int, block: Mapping[str, Raw], begun: Block | None) -> Iterator[dict[str, Any]]:
    """Yield the events of a block that are still to be sent."""
    kind = _value(block["type"])
    texts = {field: _value(block[field]) for field in _FIELDS.get(kind, ()) if field in block}
    citations = _value(block["citations"]) if kind == "text" and "citations" in block else None
    if begun is None:
        begun = Block(kind)
        start: dict[str, Any] = {**block, **dict.fromkeys(texts, "")}
        if citations:
            start["citations"] = []
        if kind in INPUTS:
            start["input"] = {}
        yield {"type": "content_block_start", "index": index, "content_block": start}
        if kind in INPUTS and bytes(block.get("input", b"{}")).strip() != b"{}":
            spelled = bytes(block["input"]).decode()
            yield _delta(index, {"type": "input_json_delta", "partial_json": spelled})
    for citation in (citations or [])[begun.citations :]:
        yield _delta(index, {"type": "citations_delta", "citation": citation})
    for field, text in texts.items():
        left = text[begun.chars.get(field, 0) :] if isinstance(text, str) else ""
        if left:
            yield _delta(index, {"type": _DELTAS[field], field: left})
    if not begun.closed:
        yield {"type": "content_block_stop", "index": index}


def _delta(index: int, delta: dict[str, Any]) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def _continues(blocks: list[dict[str, Raw]], begun: list[Block]) -> bool:
    """Whether the blocks that were sent are the first of the message."""
    if len(begun) > len(blocks):
        return False
    for block, sent in zip(blocks, begun, strict=False):
        kind = _value(block["type"])
        if kind != sent.kind:
            return False
        for field in _FIELDS.get(kind, ()):
            text = _value(block[field]) if field in block else ""
            if not isinstance(text, str) or len(text) < sent.chars.get(field, 0):
                return False
    return True


def _left_over(blocks: list[dict[str, Raw]], delivered: Delivered) -> list[dict[str, Raw]]:
    """Return the blocks of a message whose text came in another order than it stands there: those that were sent, as
    they were, then what is left of each kind, then the others. (Some upstreams mix reasoning into their text.)
    """
    left: list[dict[str, Raw]] = [{"type": Raw(_encode(sent.kind))} for sent in delivered.blocks]
    sent_chars = {kind: sum(sent.chars.get(kind, 0) for sent in delivered.blocks) for kind in _FIELDS}
    for block in blocks:
        kind = _value(block["type"])
        if kind not in sent_chars:
            left.append(block)
            continue
        text = _value(block[kind])
        remaining = text[sent_chars[kind] :]
        sent_chars[kind] = max(0, sent_chars[kind] - len(text))
        if remaining:
            left.append({**block, kind: Raw(_encode(remaining))})
    return left


class MessagesWriter:
    """Writes a client's stream while the answer arrives in another format."""

    def __init__(self, head: Mapping[str, Any], delivered: Delivered) -> None:
        self._head = head
        self._delivered = delivered

    def say(self, delta: Delta) -> bytes:
        """Return the events for a piece of text or thinking; a piece of another kind than the last opens a block.

        A block of thinking stays open to the end: its signature comes with the whole answer.
        """
        if not delta.text or delta.kind not in _FIELDS:
            return b""
        blocks = self._delivered.blocks
        events: list[dict[str, Any]] = []
        if self._delivered.head is None:
            named = {"id": self._delivered.name} if self._delivered.name else {}
            events.append({"type": "message_start", "message": {**self._head, **named, "content": []}})
        if not blocks or blocks[-1].kind != delta.kind:
            if blocks and blocks[-1].kind == "text":
                events.append({"type": "content_block_stop", "index": len(blocks) - 1})
            empty = {"type": delta.kind, **dict.fromkeys(_FIELDS[delta.kind], "")}
            events.append({"type": "content_block_start", "index": len(blocks), "content_block": empty})
        index = len(blocks) - 1 if blocks and blocks[-1].kind == delta.kind else len(blocks)
        events.append(_delta(index, {"type": _DELTAS[delta.kind], delta.kind: delta.text}))
        for event in events:
            self._delivered.note(event)
        return b"".join([event_frame(event["type"], _encode(event)) for event in events])
