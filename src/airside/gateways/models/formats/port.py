"""The port of a wire format, and what all formats share: a validated request, and how far its client has been served.

A format plays two parts. As a face it reads a client's request, names it, and writes answers, streams and errors. As a
language it writes the request that goes upstream and reads what comes back. Where both are the same format, bytes pass
unchanged; else they go through the message model (`gateways/models/message.py`).
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, Protocol

from msgspec import Struct

from airside.core.call import Usage
from airside.core.errors import AirsideError
from airside.gateways.models.media import input_tokens_bound
from airside.gateways.models.message import Answer, Edit, Prompt

ANSWER_BYTES_MAX = 33_554_432
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class BrokenAnswer(Exception):
    """What came from upstream is not an answer: not JSON, over a limit, cut short, or carrying an error."""


class RejectedAnswer(BrokenAnswer):
    """An answer that says in itself that the request was wrong: the same request would fail again."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message or kind)
        self.kind, self.message = kind, message


class Addressed(Struct, frozen=True):
    """What the request's path and headers say beside its body: Gemini names model and mode there."""

    model: str = ""
    stream: bool | None = None
    headers: Mapping[str, str] = _NO_HEADERS


class ModelRequest(Struct, frozen=True, kw_only=True):
    """A validated request: its bytes as they came, its values, and its canonical pieces.

    `parts` are the pieces by which it is hashed and stored: one per item of the conversation, then the parameters.
    `include_usage` is whether the client wants the usage at the end of a stream (other formats than Chat always do).
    `headers` go with it to an upstream of the same format. `long_cache` is whether it may ask for a prompt cache of an
    hour, which costs more to write. `rewriting` names what guards have replaced in it, and is empty if nothing: two
    requests of the same `parts` and another rewriting are not asked the same.
    """

    format: "Format"
    body: bytes
    value: Mapping[str, Any]
    model: str
    stream: bool
    parts: tuple[bytes, ...]
    output_tokens_max: int | None = None
    include_usage: bool = True
    headers: Mapping[str, str] = _NO_HEADERS
    long_cache: bool = False
    rewriting: bytes = b""

    @property
    def input_tokens_bound(self) -> int:
        """The most input tokens that the request can have; any excess is journaled and charged."""
        return input_tokens_bound(self.body, self.value, self.format.name, self.model)

    @property
    def prompt(self) -> Prompt:
        """The conversation in the message model."""
        return self.format.prompt(self)


class Delivered(Protocol):
    """How much of a streamed answer its client has been sent, in the terms of the client's format."""

    @property
    def anything(self) -> bool:
        """Whether the client has been sent any of it, after which no retry is possible."""
        ...


class Delta(Struct, frozen=True):
    """A piece of an upstream's stream that may leave before the outcome is durable.

    `frame` are its bytes as they came, for a client of the same format; `kind` and `text` are what it says. `part`
    names the text that it goes on with, which has ended when another begins; empty where a format has one text of a
    kind, to which it may come back. `also` is what else stands in the frame to be read: a refusal, a citation.
    """

    frame: bytes
    kind: Literal["text", "thinking", ""] = ""
    text: str = ""
    part: str = ""
    also: str = ""


class Reader(Protocol):
    """Takes one upstream stream apart. Tool calls and the stream's end are withheld: they leave after the record."""

    def feed(self, data: bytes) -> Sequence[Delta]:
        """Take bytes from upstream and return what may leave now; raises BrokenAnswer."""
        ...

    def finish(self) -> bytes:
        """Return the assembled answer, as the upstream would have given it whole; raises BrokenAnswer if it was cut."""
        ...


class Writer(Protocol):
    """Writes a stream in the client's format while the answer arrives in another."""

    def say(self, delta: Delta) -> bytes:
        """Return the frames for a piece of text or thinking; empty if the format does not show it."""
        ...


class Format(Protocol):
    """One wire format."""

    name: str

    def parse(self, body: bytes, addressed: Addressed, *, bytes_max: int) -> ModelRequest:
        """Read a client's request; raises `invalid_request`, `limit_exceeded`, `policy_denied` for hosted tools."""
        ...

    def prompt(self, request: ModelRequest) -> Prompt:
        """Return a request in the message model; raises `invalid_request` for what the model cannot hold."""
        ...

    def edited(self, request: ModelRequest, edit: Edit) -> ModelRequest:
        """Return the request with its conversation changed; `parts` stay those of the client's request."""
        ...

    def forward(self, request: ModelRequest, *, model: str, output_tokens: int) -> bytes:
        """Return a request of this format for an upstream of this format, unchanged but for model and maximum."""
        ...

    def request(self, prompt: Prompt, *, model: str, output_tokens: int, stream: bool) -> bytes:
        """Write a prompt for an upstream of this format; raises `invalid_request` (see `untranslatable`)."""
        ...

    def answer(self, body: bytes) -> Answer:
        """Read an upstream's whole answer; raises BrokenAnswer."""
        ...

    def usage(self, body: bytes) -> Usage | None:
        """Return the tokens that an upstream's whole answer reports, or None if missing, malformed or impossible.

        Raises BrokenAnswer if the body is no answer of this format.
        """
        ...

    def body(self, answer: Answer, request: ModelRequest) -> bytes:
        """Write an answer for a client of this format; raises `invalid_request` (see `untranslatable`)."""
        ...

    def delivered(self) -> Delivered:
        """Return the note of a stream of which nothing has been sent."""
        ...

    def reader(self, delivered: Delivered | None) -> Reader:
        """Return a reader of an upstream's stream. `delivered` is that of a client of the same format, else None."""
        ...

    def writer(self, request: ModelRequest, delivered: Delivered, begun: Answer) -> Writer:
        """Return a writer of a client's stream. `begun` is the answer as far as it is known: its name and its model."""
        ...

    def rest(self, body: bytes, delivered: Delivered, request: ModelRequest) -> bytes:
        """Return the frames that complete a stream of which `delivered` has been sent, from the whole answer."""
        ...

    def error(self, error: AirsideError, upstream: bytes = b"") -> bytes:
        """Return the body of an error response. `upstream` is a provider's own error body, put beside ours."""
        ...

    def error_event(self, error: AirsideError) -> bytes:
        """Return the frame that ends a stream in an error."""
        ...

    def provider_error(self, body: bytes) -> tuple[str, str]:
        """Return an upstream error body's machine-readable kind and its message; empty if it has none."""
        ...
