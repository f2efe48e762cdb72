"""Server-sent events of Chat Completions: taking a stream apart into one message, and a message apart into a stream.

What is journaled is the assembled message, so one answer serves both modes. While it arrives, text is passed on as it
came, but everything from the first tool-call delta on, and the frames that end the stream, are withheld: they leave
after the outcome is durable, written anew from the message (`rest`).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from airside.gateways.models.formats.port import BrokenAnswer, Delta
from airside.gateways.models.formats.sse import Lines

DONE = b"data: [DONE]\n\n"
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.encode
_CHUNK = "chat.completion.chunk"
_KNOWN = frozenset({"role", "content", "reasoning_content", "reasoning"})
_KNOWN_OF_CHUNK = frozenset(
    {"id", "object", "created", "model", "usage", "system_fingerprint", "service_tier", "obfuscation"}
)
_KNOWN_OF_CHOICE = frozenset({"index", "delta", "logprobs", "finish_reason"})


class Delivered:
    """How much of an answer its client has been sent: the head, and the length of each text field of the message."""

    __slots__ = ("chars", "logprobs", "role")

    def __init__(self) -> None:
        self.role = False
        self.chars: dict[str, int] = {}
        self.logprobs: dict[str, int] = {}

    @property
    def anything(self) -> bool:
        """Whether the client has been sent any of it."""
        return self.role or bool(self.chars)


class Assembler:
    """Turns one upstream stream into the message it spells, and says what may be passed on meanwhile."""

    def __init__(self, delivered: Delivered | None) -> None:
        self._delivered = delivered or Delivered()
        self._lines = Lines()
        self._head: dict[str, Any] = {}
        self._text: dict[str, list[str]] = {}
        self._message: dict[str, Any] = {}
        self._tool_calls: dict[int, dict[str, Any]] = {}
        self._logprobs: dict[str, Any] = {}
        self._finish: str | None = None
        self._withholding = False
        self._silent = b""  # frames without text, kept until text follows: a retry stays possible
        self._added: dict[str, Any] = {}  # what a provider adds beside the text, and nobody has been told of yet
        self._done = False

    def feed(self, data: bytes) -> list[Delta]:
        """Take bytes from upstream and return what may go to the client now; raises BrokenAnswer."""
        return [delta for event in self._lines.feed(data) if (delta := self._event(event)) is not None]

    def finish(self) -> bytes:
        """Return the assembled answer as JSON; raises BrokenAnswer if the stream was cut."""
        for event in self._lines.flush():
            self._event(event)
        if not (self._finish or (self._done and (self._text or self._tool_calls or self._message))):
            raise BrokenAnswer("the stream ended in the middle of the answer")
        message: dict[str, Any] = {"role": "assistant", "content": None, **self._message}
        message.update({name: "".join(pieces) for name, pieces in self._text.items()})
        if self._tool_calls:
            message["tool_calls"] = [self._tool_calls[index] for index in sorted(self._tool_calls)]
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": self._finish or "stop"}
        if self._logprobs:
            choice["logprobs"] = self._logprobs
        usage = self._head.pop("usage", None)
        answer = {**self._head, "object": "chat.completion", "choices": [choice]}
        if usage is not None:
            answer["usage"] = usage
        return _encode(answer)

    def _event(self, event: bytes) -> Delta | None:
        if event == b"[DONE]":
            self._done = True
            return None
        choice = self._choice(event) if event else None
        if choice is None:
            return None
        delta = choice.get("delta") or {}
        frame = b"data: " + event + b"\n\n"
        if not self._plain_text(delta, choice):
            self._merge(delta, choice)
            if self._withholding:
                return None
            if not self._spoke(delta, choice):
                self._silent += frame
                return None
        if self._silent:
            frame, self._silent = self._silent + frame, b""
        text, thought = delta.get("content"), _thought(delta)
        if len(delta) == 1 and text and not self._added:
            return Delta(frame, "text", text)
        also = "".join([_said(item) for name, item in delta.items() if name not in _KNOWN and item])
        if self._added:
            also, self._added = _said([self._added, also]), {}
        if text:
            return Delta(frame, "text", text, also=also + thought)
        return Delta(frame, "thinking", thought, also=also)

    def _choice(self, event: bytes) -> dict[str, Any] | None:
        """Return the choice of a chunk, if it has one, and keep what else it says; raises BrokenAnswer."""
        try:
            chunk = _decode(event)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise BrokenAnswer("an event of the stream is not a JSON object") from None
        if chunk.get("error"):
            raise BrokenAnswer("the provider reported an error in the middle of the stream")
        choices = chunk.pop("choices", None)
        for name, item in chunk.items():
            if item is not None:
                if name not in _KNOWN_OF_CHUNK and item != self._head.get(name):
                    self._added[name] = item
                self._head[name] = item
        if not choices:
            return None
        choice = choices[0] if isinstance(choices, list) else None
        if not isinstance(choice, dict) or not isinstance(choice.get("delta"), dict | None):
            raise BrokenAnswer("a chunk of the stream has no readable choice")
        if not choice.keys() <= _KNOWN_OF_CHOICE:
            self._added.update({name: choice[name] for name in choice.keys() - _KNOWN_OF_CHOICE})
        return choice

    def _plain_text(self, delta: dict[str, Any], choice: dict[str, Any]) -> bool:
        """Merge and note a chunk as nearly all are, some more text and nothing else; False if it is another."""
        if len(delta) != 1 or self._withholding:
            return False
        text = delta.get("content")
        if type(text) is not str or not text or choice.get("logprobs") or choice.get("finish_reason"):
            return False
        self._text.setdefault("content", []).append(text)
        delivered = self._delivered
        delivered.chars["content"] = delivered.chars.get("content", 0) + len(text)
        delivered.role = True
        return True

    def _merge(self, delta: dict[str, Any], choice: dict[str, Any]) -> None:
        for name, item in delta.items():
            if name == "tool_calls" and item:
                self._withholding = True
                self._merge_tool_calls(item)
            elif name == "role" or item is None:
                continue
            elif isinstance(item, str):
                self._text.setdefault(name, []).append(item)
            elif isinstance(item, list):
                self._message.setdefault(name, []).extend(item)
                self._withholding = True
            else:
                _grow(self._message, name, item)
                self._withholding = True
        logprobs = choice.get("logprobs")
        if isinstance(logprobs, dict):
            for name, item in logprobs.items():
                if isinstance(item, list):
                    self._logprobs.setdefault(name, []).extend(item)
        if choice.get("finish_reason"):
            self._finish = str(choice["finish_reason"])
            self._withholding = True

    def _merge_tool_calls(self, deltas: Any) -> None:
        if not isinstance(deltas, list):
            raise BrokenAnswer("the tool calls of a chunk are no list")
        for delta in deltas:
            index = delta.get("index", 0) if isinstance(delta, dict) else None
            if not isinstance(index, int):
                raise BrokenAnswer("a tool call of the stream has no index")
            call = self._tool_calls.setdefault(index, {})
            for name, item in delta.items():
                if name != "index" and item is not None:
                    _grow(call, name, item)

    def _spoke(self, delta: dict[str, Any], choice: dict[str, Any]) -> bool:
        """Note what a frame that can go to the client adds to what it has; False if that is no text."""
        chars = self._delivered.chars
        for name, item in delta.items():
            if isinstance(item, str) and item and name != "role":
                chars[name] = chars.get(name, 0) + len(item)
        if not chars:
            return False
        self._delivered.role = True
        if choice.get("logprobs"):
            self._delivered.logprobs = {name: len(items) for name, items in self._logprobs.items()}
        return True


def _thought(delta: Mapping[str, Any]) -> str:
    """Return the reasoning of a delta, which servers of open models spell in either of two ways."""
    text = delta.get("reasoning_content") or delta.get("reasoning")
    return text if isinstance(text, str) else ""


def _said(item: Any) -> str:
    """Return what a field says that no other format has."""
    return item if isinstance(item, str) else _encode(item).decode()


def _grow(target: dict[str, Any], name: str, item: Any) -> None:
    """Add a delta to a growing object: `arguments` and `input` are spelled in pieces, other text comes whole."""
    known = target.get(name)
    if isinstance(item, dict):
        inner = target.setdefault(name, {})
        for key, value in item.items():
            if isinstance(inner, dict) and value is not None:
                _grow(inner, key, value)
    elif name in {"arguments", "input"} and isinstance(known, str) and isinstance(item, str):
        target[name] = known + item
    elif not known:
        target[name] = item


def rest(body: bytes, delivered: Delivered, *, include_usage: bool) -> bytes:
    """Return the frames that complete a stream of which `delivered` has been sent, from the assembled message."""
    answer = _decode(body)
    choices, usage = answer.pop("choices"), answer.pop("usage", None)
    choice = choices[0]
    head = {**answer, "object": _CHUNK}
    message: dict[str, Any] = choice["message"]
    frames = []
    delta = _delta_left(message, delivered)
    logprobs = _logprobs_left(choice.get("logprobs"), delivered)
    if delta or logprobs:
        frames.append(_frame(head, delta, logprobs=logprobs))
    for index, call in enumerate(message.get("tool_calls") or ()):
        frames.append(_frame(head, {"tool_calls": [{"index": index, **call}]}))
    frames.append(_frame(head, {}, finish=choice.get("finish_reason") or "stop"))
    if include_usage:
        frames.append(b"data: " + _encode({**head, "choices": [], "usage": usage}) + b"\n\n")
    frames.append(DONE)
    return b"".join(frames)


def frame(head: Mapping[str, Any], delta: Mapping[str, Any]) -> bytes:
    """Return one chunk of a stream."""
    return _frame({**head, "object": _CHUNK}, dict(delta))


class ChatWriter:
    """Writes a client's stream while the answer arrives in another format."""

    def __init__(self, head: Mapping[str, Any], delivered: Delivered) -> None:
        self._head = head
        self._delivered = delivered

    def say(self, delta: Delta) -> bytes:
        """Return the chunk for a piece of text or reasoning."""
        if not delta.text:
            return b""
        name = "content" if delta.kind == "text" else "reasoning_content"
        fields = {name: delta.text} if self._delivered.role else {"role": "assistant", name: delta.text}
        self._delivered.role = True
        self._delivered.chars[name] = self._delivered.chars.get(name, 0) + len(delta.text)
        return frame(self._head, fields)


def _delta_left(message: Mapping[str, Any], delivered: Delivered) -> dict[str, Any]:
    delta: dict[str, Any] = {} if delivered.role else {"role": "assistant"}
    for name, item in message.items():
        if name in {"role", "tool_calls"}:
            continue
        if isinstance(item, str):
            left = item[delivered.chars.get(name, 0) :]
            if left:
                delta[name] = left
        elif item is not None:
            delta[name] = item
    return delta


def _logprobs_left(logprobs: Any, delivered: Delivered) -> dict[str, Any] | None:
    if not isinstance(logprobs, dict):
        return None
    left = {
        name: items[delivered.logprobs.get(name, 0) :] for name, items in logprobs.items() if isinstance(items, list)
    }
    return left if any(left.values()) else None


def _frame(head: Mapping[str, Any], delta: dict[str, Any], *, finish: str | None = None, logprobs: Any = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    return b"data: " + _encode({**head, "choices": [choice]}) + b"\n\n"
