"""Server-sent events of Messages: taking a stream apart into one message.

What is journaled is the assembled message, so one answer serves both modes. While it arrives, text and thinking are
passed on as they came, but everything from the first tool use on, and the events that end the message, are withheld:
they leave after the outcome is durable, written anew from the message (`resume.rest`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jiter
import msgspec
from msgspec import Raw

from airside.gateways.models.formats.port import BrokenAnswer, Delta
from airside.gateways.models.formats.sse import Lines

SPOKEN = frozenset({"text", "thinking", "redacted_thinking"})
"""Blocks that may leave before the outcome is durable: they make nobody act."""

INPUTS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
"""Blocks whose `input` comes in pieces."""

_CUT = frozenset({"max_tokens", "model_context_window_exceeded", "refusal"})
_KNOWN_NAMES = """
    type index message content_block delta text thinking signature data id role content model stop_reason
    stop_sequence stop_details usage container"""
_KNOWN = frozenset(_KNOWN_NAMES.split())
_HOLDING = ("delta", "content_block", "message")
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.encode


class Block:
    """How much of one block a client has been sent: the length of each text field, and of its list of citations."""

    __slots__ = ("chars", "citations", "closed", "kind")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.chars: dict[str, int] = {}
        self.citations = 0
        self.closed = False

    def add(self, field: str, text: str) -> None:
        """Note that more of a text field has been sent."""
        self.chars[field] = self.chars.get(field, 0) + len(text)


class Delivered:
    """How much of an answer its client has been sent: the fields of its head, and its blocks.

    `name` is the id under which the client is to know the message, where that is not the upstream's.
    """

    __slots__ = ("blocks", "head", "name")

    def __init__(self) -> None:
        self.name = ""
        self.head: frozenset[str] | None = None
        self.blocks: list[Block] = []

    @property
    def anything(self) -> bool:
        """Whether the client has been sent any of it."""
        return self.head is not None

    def note(self, event: Mapping[str, Any]) -> None:
        """Note an event that leaves."""
        match event["type"]:
            case "message_start":
                self.head = frozenset(event["message"])
            case "content_block_start":
                block = event["content_block"]
                begun = Block(block["type"])
                for field, value in block.items():
                    if isinstance(value, str) and value:
                        begun.add(field, value)
                begun.citations = len(block.get("citations") or ())
                self.blocks.append(begun)
            case "content_block_delta":
                _note_delta(self.blocks[event["index"]], event["delta"])
            case "content_block_stop":
                self.blocks[event["index"]].closed = True


def _note_delta(block: Block, delta: Mapping[str, Any]) -> None:
    for field, value in delta.items():
        if field == "citation":
            block.citations += 1
        elif field != "type" and isinstance(value, str):
            block.add(field, value)


class Assembler:
    """Turns one upstream stream into the message it spells, and says what may be passed on meanwhile."""

    def __init__(self, delivered: Delivered | None) -> None:
        self._delivered = delivered or Delivered()
        self._lines = Lines()
        self._message: dict[str, Any] | None = None
        self._blocks: list[dict[str, Any]] = []
        self._texts: list[dict[str, list[str]]] = []
        self._open: set[int] = set()
        self._stopped = self._ended = False
        self._withholding = False
        self._silent: list[tuple[bytes, dict[str, Any]]] = []  # kept until text follows: a retry stays possible

    def feed(self, data: bytes) -> list[Delta]:
        """Take bytes from upstream and return what may go to the client now; raises BrokenAnswer."""
        return [delta for event in self._lines.feed(data) if (delta := self._event(event)) is not None]

    def finish(self) -> bytes:
        """Return the assembled message as JSON; raises BrokenAnswer if the stream was cut."""
        for event in self._lines.flush():
            self._event(event)
        if self._message is None or not self._stopped:
            raise BrokenAnswer("the stream ended in the middle of the answer")
        content = []
        for block, texts in zip(self._blocks, self._texts, strict=True):
            spelled = "".join(texts.pop("partial_json", ()))
            whole = {**block, **{field: "".join(pieces) for field, pieces in texts.items()}}
            if spelled:
                whole["input"] = self._input(spelled)
            content.append(whole)
        return _encode({**self._message, "content": content})

    def _input(self, spelled: str) -> Raw:
        """Return a tool's input as the model wrote it; what it wrote of it, where its answer was cut."""
        cut = self._message is not None and self._message.get("stop_reason") in _CUT
        try:
            return object_text(spelled, cut=cut)
        except ValueError:
            raise BrokenAnswer("the input of a tool use is not a JSON object") from None

    def _event(self, data: bytes) -> Delta | None:
        try:
            event = _decode(data)
            kind = event["type"]
            take = _TAKES.get(kind)
            if take is None:
                return self._other(kind, data)
            speaking = take(self, event)
        except (msgspec.MsgspecError, RecursionError, ValueError, LookupError, TypeError, AttributeError):
            raise BrokenAnswer("an event of the stream is malformed") from None
        if self._withholding:
            return None
        if kind == "message_start" and self._delivered.name:
            data = _encode({**event, "message": {**event["message"], "id": self._delivered.name}})
        frame = event_frame(kind, data)
        if not speaking and not self._delivered.anything:
            self._silent.append((frame, event))
            return None
        leaving, self._silent = [*self._silent, (frame, event)], []
        for _, left in leaving:
            self._delivered.note(left)
        return _said(b"".join([early for early, _ in leaving]), [left for _, left in leaving])

    def _other(self, kind: Any, data: bytes) -> Delta | None:
        """Pass pings on once the stream has begun; an error ends it; what else is not known yet is left out."""
        if kind == "error":
            raise BrokenAnswer("the provider reported an error in the middle of the stream")
        if kind == "ping" and self._delivered.anything:
            return Delta(event_frame("ping", data))
        return None

    def _start(self, event: dict[str, Any]) -> bool:
        if self._message is not None:
            raise BrokenAnswer("the stream begins twice")
        message = event["message"]
        if message.get("type") != "message" or message.get("content"):
            raise BrokenAnswer("the stream does not begin with an empty message")
        self._message = dict(message)
        return False

    def _block_start(self, event: dict[str, Any]) -> bool:
        index, block = event["index"], event["content_block"]
        if self._message is None or self._stopped or index != len(self._blocks):
            raise BrokenAnswer("a block of the stream is out of order")
        if not isinstance(block["type"], str):
            raise BrokenAnswer("a block of the stream has no type")
        self._blocks.append(dict(block))
        self._texts.append({})
        self._open.add(index)
        if block["type"] not in SPOKEN:
            self._withholding = True
        return bool(block.get("text") or block.get("thinking"))

    def _block_delta(self, event: dict[str, Any]) -> bool:
        index, delta = event["index"], event["delta"]
        if index not in self._open:
            raise BrokenAnswer("a piece of the stream belongs to no open block")
        block, texts = self._blocks[index], self._texts[index]
        for field, value in delta.items():
            if field == "type":
                continue
            if field == "citation":
                block["citations"] = [*(block.get("citations") or ()), value]
            elif field == "signature":
                block["signature"] = value
            elif isinstance(value, str):
                self._grow(block, texts, field, value)
            elif value is not None:
                block[field] = value
                self._withholding = True
        return bool(delta.get("text") or delta.get("thinking"))

    @staticmethod
    def _grow(block: dict[str, Any], texts: dict[str, list[str]], field: str, text: str) -> None:
        pieces = texts.get(field)
        if pieces is None:
            begun = block.get(field)
            pieces = texts[field] = [begun] if isinstance(begun, str) and begun else []
        pieces.append(text)

    def _block_stop(self, event: dict[str, Any]) -> bool:
        if event["index"] not in self._open:
            raise BrokenAnswer("a block of the stream ends that is not open")
        self._open.remove(event["index"])
        return False

    def _delta(self, event: dict[str, Any]) -> bool:
        if self._message is None or self._ended:
            raise BrokenAnswer("an event of the stream is out of order")
        self._withholding = True
        for field, value in event.items():
            if field == "usage" and isinstance(value, dict):
                self._merge_usage(value)
            elif field == "delta":
                self._message.update(value)
            elif field != "type":
                self._message[field] = value
        self._stopped = self._stopped or bool(self._message.get("stop_reason"))
        return False

    def _merge_usage(self, usage: dict[str, Any]) -> None:
        """Counts are totals so far: the last one holds, and one that is left out stays."""
        assert self._message is not None, "checked by the caller"
        known = self._message.get("usage")
        counted = {name: count for name, count in usage.items() if count is not None}
        self._message["usage"] = {**known, **counted} if isinstance(known, dict) else counted

    def _stop(self, event: dict[str, Any]) -> bool:  # noqa: ARG002 - one of a table of like methods
        if not self._stopped or self._ended:
            raise BrokenAnswer("the stream ends before its message does")
        self._withholding = self._ended = True
        return False


_TAKES: Mapping[str, Any] = {
    "message_start": Assembler._start,
    "content_block_start": Assembler._block_start,
    "content_block_delta": Assembler._block_delta,
    "content_block_stop": Assembler._block_stop,
    "message_delta": Assembler._delta,
    "message_stop": Assembler._stop,
}


def object_text(text: str, *, cut: bool) -> Raw:
    """Return the text of a JSON object, checked; of one that was `cut` off, what there is of it. Raises ValueError."""
    try:
        if isinstance(msgspec.json.decode(text), dict):
            return Raw(text.encode())
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        if cut:
            begun = jiter.from_json(text.encode(), partial_mode=True)
            if isinstance(begun, dict):
                return Raw(_encode(begun))
    raise ValueError("not a JSON object")


def event_frame(kind: str, data: bytes) -> bytes:
    """Return one event as it goes over the wire."""
    if b"\n" in data:
        data = data.replace(b"\n", b"\ndata: ")
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


def _said(frame: bytes, events: Sequence[Mapping[str, Any]]) -> Delta:
    """Return what the last of some events says, and what all of them add. A block may begin with some of its text."""
    added = [more for event in events if (more := _added(event))]
    also = _encode(added).decode() if added else ""
    event = events[-1]
    spoken = event.get("delta") or event.get("content_block") or {}
    text, thinking, part = spoken.get("text"), spoken.get("thinking"), str(event.get("index", ""))
    if isinstance(text, str) and text:
        return Delta(frame, "text", text, part, also=also)
    if isinstance(thinking, str) and thinking:
        return Delta(frame, "thinking", thinking, part, also=also)
    return Delta(frame, also=also)


def _added(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an event says beside text: citations, and what is not known."""
    said = [event, *[inner for name in _HOLDING if isinstance(inner := event.get(name), dict)]]
    if all(one.keys() <= _KNOWN for one in said):
        return {}
    return {name: item for one in said for name, item in one.items() if name not in _KNOWN and item}
