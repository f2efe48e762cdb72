"""Server-sent events of Gemini: taking a stream apart into one response, and a response apart into a stream.

Every event is a response of its own, with some more parts. What is journaled is the one response that they spell, so
one answer serves both modes. Text and thoughts are passed on as they came; from the first event that holds anything
else (a call, the end) everything is withheld, and leaves at the end after the outcome is durable.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from airside.gateways.models.formats.port import BrokenAnswer, Delta
from airside.gateways.models.formats.sse import Lines

_SPOKEN = frozenset({"text", "thought", "thoughtSignature"})
_KNOWN_NAMES = """
    modelVersion responseId createTime usageMetadata index finishReason safetyRatings avgLogprobs tokenCount
    logprobsResult"""
_KNOWN = frozenset(_KNOWN_NAMES.split())
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.encode


class Delivered:
    """How much of an answer its client has been sent: characters of text and of thought, and signatures of texts."""

    __slots__ = ("chars", "signatures")

    def __init__(self) -> None:
        self.chars: dict[str, int] = {}
        self.signatures = 0

    @property
    def anything(self) -> bool:
        """Whether the client has been sent any of it."""
        return bool(self.chars)

    def note(self, part: Mapping[str, Any]) -> None:
        """Note a part of text that leaves."""
        kind = kind_of(part)
        self.chars[kind] = self.chars.get(kind, 0) + len(part.get("text") or "")
        self.signatures += bool(part.get("thoughtSignature"))


def kind_of(part: Mapping[str, Any]) -> Any:
    """Return what a part of text says: `text` or `thinking`."""
    return "thinking" if part.get("thought") else "text"


def is_spoken(part: Mapping[str, Any]) -> bool:
    """Whether a part is text and nothing else."""
    return isinstance(part.get("text"), str) and part.keys() <= _SPOKEN


class Assembler:
    """Turns one upstream stream into the response it spells, and says what may be passed on meanwhile."""

    def __init__(self, delivered: Delivered | None) -> None:
        self._delivered = delivered or Delivered()
        self._lines = Lines()
        self._response: dict[str, Any] = {}
        self._candidate: dict[str, Any] = {}
        self._parts: list[dict[str, Any]] = []
        self._pieces: list[str] = []  # of the last part's text
        self._at: list[str] = []  # which part of the response each part of the last event belongs to
        self._withholding = False
        self._added: dict[str, Any] = {}  # what came beside text, and nobody has been told of yet
        self._silent = b""  # frames without text, kept until text follows: a retry stays possible

    def feed(self, data: bytes) -> list[Delta]:
        """Take bytes from upstream and return what may go to the client now; raises BrokenAnswer."""
        return [delta for event in self._lines.feed(data) for delta in self._event(event)]

    def finish(self) -> bytes:
        """Return the assembled response as JSON; raises BrokenAnswer if the stream was cut."""
        for event in self._lines.flush():
            self._event(event)
        self._settle()
        blocked = (self._response.get("promptFeedback") or {}).get("blockReason")
        if not (self._candidate.get("finishReason") or blocked):
            raise BrokenAnswer("the stream ended in the middle of the answer")
        if not self._candidate:
            return _encode(self._response)
        content = {**(self._candidate.get("content") or {}), "parts": self._parts}
        return _encode({"candidates": [{**self._candidate, "content": content}], **self._response})

    def _event(self, data: bytes) -> list[Delta]:
        try:
            response = _decode(data)
            if response.get("error"):
                raise BrokenAnswer("the provider reported an error in the middle of the stream")
            parts = self._take(response)
        except BrokenAnswer:
            raise
        except (msgspec.MsgspecError, RecursionError, ValueError, LookupError, TypeError, AttributeError):
            raise BrokenAnswer("an event of the stream is malformed") from None
        frame = event_frame(data)
        if not all(is_spoken(part) for part in parts) or self._candidate.get("finishReason"):
            self._withholding = True
        if self._withholding:
            return []
        if not any(part["text"] for part in parts) and not self._delivered.anything:
            self._silent += frame
            return []
        frame, self._silent = self._silent + frame, b""
        return self._said(frame, parts)

    def _said(self, frame: bytes, parts: list[dict[str, Any]]) -> list[Delta]:
        """Return what an event says, part by part; its bytes go with the first."""
        also, self._added = _encode(self._added).decode() if self._added else "", {}
        said = []
        for part, at in zip(parts, self._at, strict=True):
            self._delivered.note(part)
            said.append(
                Delta(frame, kind_of(part), part["text"], at, also=also) if part["text"] else Delta(frame, also=also)
            )
            frame, also = b"", ""
        return said or [Delta(frame, also=also)]

    def _take(self, response: dict[str, Any]) -> list[dict[str, Any]]:
        """Merge an event and return its parts."""
        candidates = response.pop("candidates", None) or []
        self._at = []
        for name, item in response.items():
            known = self._response.get(name)
            self._add_beside(name, item, known)
            if name == "usageMetadata" and isinstance(known, dict) and isinstance(item, dict):
                self._response[name] = {**known, **item}
            else:
                self._response[name] = item
        if not candidates:
            return []
        candidate = candidates[0]
        if len(candidates) > 1 or candidate.get("index", 0) != 0:
            raise BrokenAnswer("the stream holds more than one candidate")
        if self._candidate.get("finishReason") and (candidate.get("content") or {}).get("parts"):
            raise BrokenAnswer("the stream goes on after its end")
        content = candidate.pop("content", None) or {}
        parts = content.pop("parts", None) or []
        for name, item in candidate.items():
            if item is not None:
                self._add_beside(name, item, self._candidate.get(name))
                self._candidate[name] = item
        self._candidate["content"] = {**self._candidate.get("content", {}), **content}
        for part in parts:
            self._add(part)
            self._at.append(str(len(self._parts)))
        return list(parts)

    def _add_beside(self, name: str, item: Any, known: Any) -> None:
        if name not in _KNOWN and item != known:
            self._added[name] = item

    def _add(self, part: dict[str, Any]) -> None:
        """Add a part; text goes on with the text before it, unless that was signed."""
        last = self._parts[-1] if self._parts else None
        joins = last is not None and is_spoken(last) and is_spoken(part) and kind_of(last) == kind_of(part)
        if last is not None and joins and not last.get("thoughtSignature"):
            self._pieces.append(part["text"])
            if part.get("thoughtSignature"):
                last["thoughtSignature"] = part["thoughtSignature"]
            return
        self._settle()
        self._parts.append(dict(part))
        self._pieces = [part["text"]] if is_spoken(part) else []

    def _settle(self) -> None:
        if self._pieces:
            self._parts[-1]["text"] = "".join(self._pieces)
            self._pieces = []


def rest(body: bytes, delivered: Delivered) -> bytes:
    """Return the events that complete a stream of which `delivered` has been sent, from the assembled response.

    What is said and what is called come in events of their own, as from Gemini: older clients lose one of the two
    where they stand together.
    """
    response = _decode(body)
    candidate: dict[str, Any] = next(iter(response.get("candidates") or ()), {})
    content = candidate.get("content") or {}
    parts: list[dict[str, Any]] = content.get("parts") or []
    left = _left(parts, delivered) if delivered.anything else parts
    calls = next((at for at, part in enumerate(left) if not is_spoken(part)), len(left))
    if left is parts and calls in {0, len(left)}:
        return event_frame(msgspec.json.format(body, indent=-1))
    said = b""
    if 0 < calls < len(left):
        spoken = {"content": {**content, "parts": left[:calls]}, "index": candidate.get("index", 0)}
        head = {name: response[name] for name in ("modelVersion", "responseId") if name in response}
        said, left = event_frame(_encode({"candidates": [spoken], **head})), left[calls:]
    if candidate:
        response["candidates"] = [{**candidate, "content": {**content, "parts": left}}]
    return said + event_frame(_encode(response))


def _left(parts: list[dict[str, Any]], delivered: Delivered) -> list[dict[str, Any]]:
    """Return the parts that are still to be sent: of each kind what follows the characters that have been."""
    sent, signed, left = dict(delivered.chars), delivered.signatures, []
    for part in parts:
        if not is_spoken(part):
            left.append(part)
            continue
        kind, text = kind_of(part), part["text"]
        remaining = text[sent.get(kind, 0) :]
        sent[kind] = max(0, sent.get(kind, 0) - len(text))
        known = bool(part.get("thoughtSignature")) and signed > 0
        signed -= known
        shown = {name: item for name, item in part.items() if name != "thoughtSignature"} if known else part
        if remaining or shown.get("thoughtSignature"):
            left.append({**shown, "text": remaining})
    return left


class GeminiWriter:
    """Writes a client's stream while the answer arrives in another format."""

    def __init__(self, head: Mapping[str, Any], delivered: Delivered) -> None:
        self._head = head
        self._delivered = delivered

    def say(self, delta: Delta) -> bytes:
        """Return the event for a piece of text or thinking."""
        if not delta.text or not delta.kind:
            return b""
        part = {"text": delta.text} | ({"thought": True} if delta.kind == "thinking" else {})
        self._delivered.note(part)
        candidate = {"content": {"parts": [part], "role": "model"}, "index": 0}
        return event_frame(_encode({"candidates": [candidate], **self._head}))


def event_frame(data: bytes) -> bytes:
    """Return one event as it goes over the wire."""
    if b"\n" in data:
        data = data.replace(b"\n", b"\r\ndata: ")
    return b"data: " + data + b"\r\n\r\n"
