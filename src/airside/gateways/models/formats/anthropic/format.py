"""Messages as a wire format: both its parts, put together."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from airside.core.call import Usage
from airside.core.errors import AirsideError
from airside.gateways.models.formats.anthropic import error, reading, request, resume, stream, usage, writing
from airside.gateways.models.formats.port import Addressed, BrokenAnswer, ModelRequest, Reader, Writer
from airside.gateways.models.message import Answer, Edit, Prompt


class _Message(Struct, tag_field="type", tag="message"):
    content: list[dict[str, Raw]]
    usage: Any = None


_message = msgspec.json.Decoder(_Message).decode


class Anthropic:
    """`Format` for `/v1/messages`. Upstreams other than Anthropic's own want `betas_in_body`."""

    name = reading.NAME

    def __init__(self, *, betas_in_body: bool = False) -> None:
        self._betas_in_body = betas_in_body

    def parse(self, body: bytes, addressed: Addressed, *, bytes_max: int) -> ModelRequest:
        """Read a client's request."""
        return request.parse(self, body, addressed, bytes_max=bytes_max)

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
        return request.upstream_body(asked, model=model, output_tokens=output_tokens, betas_in_body=self._betas_in_body)

    def request(self, prompt: Prompt, *, model: str, output_tokens: int, stream: bool) -> bytes:
        """Write a prompt for an upstream."""
        return msgspec.json.encode(writing.request(prompt, model=model, output_tokens=output_tokens, stream=stream))

    def answer(self, body: bytes) -> Answer:
        """Read an upstream's whole answer."""
        return reading.answer(body)

    def usage(self, body: bytes) -> Usage | None:
        """Return the tokens that an upstream's answer reports."""
        try:
            str(body, "utf-8")  # what is not looked into may hold bytes that are no text
            return usage.read(_message(body).usage)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise BrokenAnswer("the answer is not a message") from None

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
        return resume.MessagesWriter(writing.head(begun), delivered)

    def rest(self, body: bytes, delivered: Any, asked: ModelRequest) -> bytes:  # noqa: ARG002 - as `body`
        """Return the events that complete a stream."""
        return resume.rest(body, delivered)

    def error(self, failure: AirsideError, upstream: bytes = b"") -> bytes:
        """Return the body of an error response."""
        return error.render(failure, upstream)

    def error_event(self, failure: AirsideError) -> bytes:
        """Return the event that ends a stream in an error."""
        return stream.event_frame("error", error.render(failure))

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
        content = message["content"]
        if edit.results and isinstance(content, list):
            content = [_with_result(block, edit.results) for block in content]
        kept.append(message if content is message["content"] else {**message, "content": content})
    return kept


def _with_result(block: Mapping[str, Any], results: Mapping[str, str]) -> Mapping[str, Any]:
    text = results.get(str(block.get("tool_use_id"))) if block["type"] == "tool_result" else None
    return block if text is None else {**block, "content": text}


MESSAGES = Anthropic()
