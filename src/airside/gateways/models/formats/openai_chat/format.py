"""Chat Completions as a wire format: both its parts, put together."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from airside.core.call import Usage
from airside.core.errors import AirsideError
from airside.gateways.models.formats.openai_chat import error, reading, request, stream, usage, writing
from airside.gateways.models.formats.port import Addressed, BrokenAnswer, ModelRequest, Reader, Writer
from airside.gateways.models.message import Answer, Edit, Prompt


class _Choice(Struct):
    message: dict[str, Raw]


class _Completion(Struct):
    choices: list[_Choice]
    usage: Any = None


_completion = msgspec.json.Decoder(_Completion).decode


class OpenAIChat:
    """`Format` for `/v1/chat/completions`. `limit_field` is how an upstream calls the maximum of output tokens."""

    name = reading.NAME

    def __init__(self, limit_field: str = "max_tokens") -> None:
        self._limit_field = limit_field

    def parse(self, body: bytes, addressed: Addressed, *, bytes_max: int) -> ModelRequest:  # noqa: ARG002 - all is in the body
        """Read a client's request."""
        return request.parse(self, body, bytes_max=bytes_max)

    def prompt(self, asked: ModelRequest) -> Prompt:
        """Return a request in the message model."""
        return reading.prompt(asked)

    def edited(self, asked: ModelRequest, edit: Edit) -> ModelRequest:
        """Return the request with its conversation changed."""
        value = {**asked.value, "messages": _edited(asked.value["messages"], edit)}
        fields = msgspec.json.decode(asked.body, type=dict[str, Raw])
        fields["messages"] = Raw(msgspec.json.encode(value["messages"]))
        return replace(asked, body=msgspec.json.encode(fields), value=value)

    def forward(self, asked: ModelRequest, *, model: str, output_tokens: int) -> bytes:
        """Return the client's request for an upstream of this format."""
        return request.upstream_body(asked, model=model, output_tokens=output_tokens, limit_field=self._limit_field)

    def request(self, prompt: Prompt, *, model: str, output_tokens: int, stream: bool) -> bytes:
        """Write a prompt for an upstream."""
        return writing.request(
            prompt, model=model, output_tokens=output_tokens, stream=stream, limit_field=self._limit_field
        )

    def answer(self, body: bytes) -> Answer:
        """Read an upstream's whole answer."""
        return reading.answer(body)

    def usage(self, body: bytes) -> Usage | None:
        """Return the tokens that an upstream's answer reports."""
        try:
            str(body, "utf-8")  # what is not looked into may hold bytes that are no text
            completion = _completion(body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise BrokenAnswer("the answer is not a chat completion") from None
        if not completion.choices:
            raise BrokenAnswer("the answer holds no choice")
        return usage.read(completion.usage)

    def body(self, answer: Answer, asked: ModelRequest) -> bytes:  # noqa: ARG002 - it answers every request alike
        """Write an answer for a client."""
        return writing.body(answer)

    def delivered(self) -> stream.Delivered:
        """Return the note of a stream of which nothing has been sent."""
        return stream.Delivered()

    def reader(self, delivered: Any) -> Reader:
        """Return a reader of an upstream's stream."""
        return stream.Assembler(delivered)

    def writer(self, asked: ModelRequest, delivered: Any, begun: Answer) -> Writer:  # noqa: ARG002 - as `body`
        """Return a writer of a client's stream."""
        return stream.ChatWriter(writing.head(begun), delivered)

    def rest(self, body: bytes, delivered: Any, asked: ModelRequest) -> bytes:
        """Return the frames that complete a stream."""
        return stream.rest(body, delivered, include_usage=asked.include_usage)

    def error(self, failure: AirsideError, upstream: bytes = b"") -> bytes:
        """Return the body of an error response."""
        return error.render(failure, upstream)

    def error_event(self, failure: AirsideError) -> bytes:
        """Return the frame that ends a stream in an error."""
        return b"data: " + error.render(failure) + b"\n\n"

    def provider_error(self, body: bytes) -> tuple[str, str]:
        """Return an upstream error body's kind and message."""
        return error.read(body)


def _edited(messages: list[Mapping[str, Any]], edit: Edit) -> list[Mapping[str, Any]]:
    kept: list[Mapping[str, Any]] = []
    summarised = not edit.summary
    for index, message in enumerate(messages):
        if index in edit.drop:
            if not summarised:
                kept.append({"role": "user", "content": edit.summary})
                summarised = True
            continue
        text = edit.results.get(str(message.get("tool_call_id"))) if message["role"] == "tool" else None
        kept.append(message if text is None else {**message, "content": text})
    return kept


CHAT = OpenAIChat()
