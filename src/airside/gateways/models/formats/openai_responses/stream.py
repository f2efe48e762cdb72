"""Responses streams: taking one apart into one response, and writing one while the answer arrives in another format.

What is journaled is the whole response, so one answer serves both modes. While it arrives, reasoning and text are
passed on as they came, but everything from the first tool call on, and the events that end the stream, are withheld:
they leave after the outcome is durable, spelled out from the response (`rest`).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from airside.gateways.models.formats.openai_responses import events
from airside.gateways.models.formats.openai_responses.events import Delivered
from airside.gateways.models.formats.port import BrokenAnswer, Delta, RejectedAnswer
from airside.gateways.models.formats.sse import Lines

_ENDS = frozenset({"response.completed", "response.incomplete"})
_STARTS = frozenset({"response.created", "response.in_progress", "response.queued"})
_LIVE_ITEMS = frozenset({"message", "reasoning"})
_TEXT = "response.output_text.delta"
_THINKING = frozenset({"response.reasoning_summary_text.delta", "response.reasoning_text.delta"})
_LIVE = _THINKING | {_TEXT, "response.refusal.delta"}
_TELLING = (
    _LIVE
    | _STARTS
    | frozenset(
        {
            *("response.output_item.added", "response.output_item.done"),
            *("response.content_part.added", "response.content_part.done"),
            *("response.output_text.done", "response.refusal.done"),
            *("response.reasoning_summary_part.added", "response.reasoning_summary_part.done"),
            *("response.reasoning_summary_text.done", "response.reasoning_text.done"),
        }
    )
)
"""Events that say nothing beside the text which stands in deltas, but for what `_added` finds in them."""
_PLACES = frozenset({"type", "sequence_number", "item_id", "output_index", "content_index", "summary_index"})
_FIELDS = _PLACES | {"delta", "text", "refusal", "part", "item", "response", "logprobs", "obfuscation"}
_PIECES = frozenset(
    {"id", "type", "status", "role", "phase", "content", "summary", "text", "refusal", "logprobs", "encrypted_content"}
)
_TEXTS = frozenset({"text", "refusal"})  # what is done repeats its deltas; what begins might say more than they
_PASSING = frozenset({"server_error", "rate_limit_exceeded", "vector_store_timeout"})
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.encode


class Assembler:
    """Turns one upstream stream into the response it spells, and says what may be passed on meanwhile."""

    def __init__(self, delivered: Delivered | None) -> None:
        self._delivered = delivered or Delivered()
        self._lines = Lines()
        self._items: dict[int, dict[str, Any]] = {}
        self._final: dict[str, Any] | None = None
        self._last_number = -1
        self._withholding = False
        self._silent: list[tuple[dict[str, Any], bytes]] = []  # until something is said: a retry stays possible

    def feed(self, data: bytes) -> list[Delta]:
        """Take bytes from upstream and return what may go to the client now; raises BrokenAnswer."""
        return [delta for event in self._lines.feed(data) if (delta := self._event(event)) is not None]

    def finish(self) -> bytes:
        """Return the whole response as JSON; raises BrokenAnswer if the stream was cut or contradicts itself."""
        for event in self._lines.flush():
            self._event(event)
        response = self._final
        if response is None:
            raise BrokenAnswer("the stream ended in the middle of the answer")
        output = response.get("output")
        if not isinstance(output, list) or len(output) < len(self._items):
            response["output"] = [self._items[index] for index in sorted(self._items)]
        check(response)
        wrong = events.contradiction(response, self._delivered)
        if wrong:
            raise BrokenAnswer(wrong)
        return _encode(response)

    def _event(self, data: bytes) -> Delta | None:
        if not data or data == b"[DONE]":
            return None
        try:
            event = _decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise BrokenAnswer("an event of the stream is not a JSON object") from None
        kind, number = event.get("type"), event.get("sequence_number")
        if not isinstance(kind, str):
            raise BrokenAnswer("an event of the stream has no type")
        if type(number) is int:
            if number <= self._last_number:
                return None  # sent twice
            self._last_number = number
        if kind in {"error", "response.failed"}:
            raise _failure(event)
        if kind in _ENDS:
            self._end(event)
            return None
        data = self._kept(kind, event, data)
        return None if self._withholding else self._passed(kind, event, data)

    def _end(self, event: Mapping[str, Any]) -> None:
        response = event.get("response")
        if not isinstance(response, dict):
            raise BrokenAnswer("the end of the stream holds no response")
        self._final = response
        self._withholding = True

    def _kept(self, kind: str, event: dict[str, Any], data: bytes) -> bytes:
        """Keep what the response is put together from; return the event's JSON, or nothing if it was changed."""
        if kind in _STARTS:
            shown, response = self._delivered.shown, event.get("response")
            if shown is not None and isinstance(response, dict):
                event["response"] = shown.over(response)
                return b""
        elif kind in {"response.output_item.added", "response.output_item.done"}:
            item, index = event.get("item"), event.get("output_index")
            if not isinstance(item, dict) or type(index) is not int:
                raise BrokenAnswer("an item of the stream has no readable place")
            if item.get("type") not in _LIVE_ITEMS:
                self._withholding = True
            if kind.endswith("done"):
                self._items[index] = item
        return data

    def _passed(self, kind: str, event: dict[str, Any], data: bytes) -> Delta | None:
        text = event.get("delta") if kind in _LIVE else ""
        if not isinstance(text, str):
            raise BrokenAnswer("a delta of the stream is no text")
        if not text and not self._delivered.anything:
            self._silent.append((event, data))
            return None
        leaving, self._silent = [*self._silent, (event, data)], []
        frames = b"".join([self._sent(event, data) for event, data in leaving])
        part, also = str(events.place(event)), "".join([_added(event) for event, _ in leaving])
        if kind in _THINKING:
            return Delta(frames, "thinking", text, part, also=also)
        if kind == _TEXT:
            return Delta(frames, "text", text, part, also=also)
        return Delta(frames, also=f"{text}\n{also}" if text and also else text or also)

    def _sent(self, event: dict[str, Any], data: bytes) -> bytes:
        if type(event.get("sequence_number")) is not int:
            event["sequence_number"], data = self._delivered.number, b""
        self._delivered.note(event)
        return events.frame(event, data)


def _added(event: Mapping[str, Any]) -> str:
    """Return, as JSON, what an event says beside the text of deltas: citations, and what is not known."""
    if event["type"] not in _TELLING:
        return _encode(event).decode()
    known = _PIECES if event["type"].endswith(".done") else _PIECES - _TEXTS
    more = [event[name] for name in event.keys() - _FIELDS]
    pieces = [event.get("item"), event.get("part")]
    while pieces:
        piece = pieces.pop()
        if isinstance(piece, dict):
            more += [piece[name] for name in piece.keys() - known if piece[name]]
            pieces += [inner for name in ("content", "summary") for inner in _list(piece.get(name))]
    return _encode(more).decode() if more else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def check(response: Mapping[str, Any]) -> None:
    """Raise BrokenAnswer unless this is a whole response; RejectedAnswer if it failed for what was asked."""
    if isinstance(response.get("error"), dict):
        raise _failure(response)
    output = response.get("output")
    if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
        raise BrokenAnswer("the answer is not a response")
    if response.get("status", "completed") not in {"completed", "incomplete"}:
        raise BrokenAnswer(f"the response is {str(response.get('status'))[:32]}, not complete")
    if not output and response.get("status") != "incomplete":
        raise BrokenAnswer("the response holds no output")


def _failure(event: Mapping[str, Any]) -> BrokenAnswer:
    """Return what a failure in the middle of a stream, or in place of an answer, means."""
    response = event.get("response")
    found = (response if isinstance(response, dict) else event).get("error")
    error = found if isinstance(found, dict) else event
    code, message = str(error.get("code") or ""), str(error.get("message") or "")
    if not code or code in _PASSING:
        return BrokenAnswer("the provider reported an error in the middle of the answer")
    return RejectedAnswer(code, message)


def rest(body: bytes, delivered: Delivered) -> bytes:
    """Return the frames that complete a stream of which `delivered` has been sent, from the whole response."""
    return b"".join([events.frame(event) for event in events.left(_decode(body), delivered)])


class ResponsesWriter:
    """Writes a client's stream while the answer arrives in another format.

    `head` is the response as far as it is known. Each change between reasoning and text begins an item of one text, as
    `writing.output` puts it together in the end. A reasoning item is not ended here: its proof may still come.
    """

    def __init__(self, head: Mapping[str, Any], delivered: Delivered, answer_id: str) -> None:
        self._head = head
        self._delivered = delivered
        self._answer_id = answer_id
        self._output: list[dict[str, Any]] = []
        self._kind = ""
        self._pieces: list[str] = []

    def say(self, delta: Delta) -> bytes:
        """Return the events for a piece of text or reasoning."""
        if not delta.text or not delta.kind:
            return b""
        self._pieces.append(delta.text)
        if delta.kind == self._kind:
            return self._sent({**self._delta_at(), "delta": delta.text})
        frames = self._next(delta)
        self._kind, self._pieces = delta.kind, [delta.text]
        return frames

    def _next(self, delta: Delta) -> bytes:
        """Return what ends the text before, if there is one, and begins an item."""
        if self._output:
            self._output[-1] = item_of(self._kind, "".join(self._pieces[:-1]), self._name())
        self._output.append(item_of(delta.kind, delta.text, f"{self._answer_id}_{len(self._output)}"))
        response = {**self._head, "output": self._output, "status": "completed"}
        if self._delivered.shown is not None:
            response = self._delivered.shown.over(response)
        leaving = [event for event in events.left(response, self._delivered) if self._now(event)]
        return b"".join([self._sent(event) for event in leaving])

    def _now(self, event: Mapping[str, Any]) -> bool:
        """Whether an event may leave: what ends the response, the last item or any reasoning may not."""
        kind: str = event["type"]
        at = event.get("output_index", -1)
        if kind == "response.output_item.done" and event["item"]["type"] == "reasoning":
            return False
        return kind != "response.completed" and not (kind.endswith(".done") and at == len(self._output) - 1)

    def _name(self) -> str:
        return f"{self._answer_id}_{len(self._output) - 1}"

    def _delta_at(self) -> dict[str, Any]:
        at: dict[str, Any] = {"item_id": self._output[-1]["id"], "output_index": len(self._output) - 1}
        if self._kind == "thinking":
            return {"type": "response.reasoning_summary_text.delta", **at, "summary_index": 0}
        return {"type": _TEXT, **at, "content_index": 0, "logprobs": []}

    def _sent(self, event: dict[str, Any]) -> bytes:
        event["sequence_number"] = self._delivered.number
        self._delivered.note(event)
        return events.frame(event)


def item_of(kind: str, text: str, name: str) -> dict[str, Any]:
    """Return an output item of one text: a message, or reasoning with a summary."""
    if kind == "thinking":
        summary = [{"type": "summary_text", "text": text}]
        return {"id": f"rs_{name}", "type": "reasoning", "summary": summary}
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    return {"id": f"msg_{name}", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
