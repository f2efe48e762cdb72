"""Gemini as a wire format: both its parts, put together."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from airside.core.call import Usage
from airside.core.errors import AirsideError
from airside.gateways.models.formats.gemini import error, reading, request, stream, usage, writing
from airside.gateways.models.formats.gemini.names import camel
from airside.gateways.models.formats.port import Addressed, BrokenAnswer, ModelRequest, Reader, Writer
from airside.gateways.models.message import Answer, Edit, Prompt, ToolResult

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Gemini:
    """`Format` for `generateContent` and `streamGenerateContent`."""

    name = reading.NAME

    def parse(self, body: bytes, addressed: Addressed, *, bytes_max: int) -> ModelRequest:
        """Read a client's request."""
        return request.parse(self, body, addressed, bytes_max=bytes_max)

    def prompt(self, asked: ModelRequest) -> Prompt:
        """Return a request in the message model."""
        return reading.prompt(asked)

    def edited(self, asked: ModelRequest, edit: Edit) -> ModelRequest:
        """Return the request with its conversation changed."""
        value = {**asked.value, "contents": _edited(asked, edit)}
        fields = msgspec.json.decode(asked.body, type=dict[str, Raw])
        name = next(name for name in fields if camel(name) == "contents")
        fields[name] = Raw(msgspec.json.encode(value["contents"]))
        return replace(asked, body=msgspec.json.encode(fields), value=value)

    def forward(self, asked: ModelRequest, *, model: str, output_tokens: int) -> bytes:  # noqa: ARG002 - it stands in the path
        """Return the client's request for an upstream of this format."""
        return request.upstream_body(asked, output_tokens=output_tokens)

    def request(self, prompt: Prompt, *, model: str, output_tokens: int, stream: bool) -> bytes:  # noqa: ARG002 - in the path
        """Write a prompt for an upstream."""
        return writing.request(prompt, model=model, output_tokens=output_tokens)

    def answer(self, body: bytes) -> Answer:
        """Read an upstream's whole answer."""
        return reading.answer(body)

    def usage(self, body: bytes) -> Usage | None:
        """Return the tokens that an upstream's answer reports."""
        try:
            response = _decode(body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise BrokenAnswer("the answer is not a JSON object") from None
        if not isinstance(response.get("candidates") or response.get("promptFeedback"), list | dict):
            raise BrokenAnswer("the answer holds no candidate")
        return usage.read(response.get("usageMetadata"))

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
        return stream.GeminiWriter(writing.head(begun), delivered)

    def rest(self, body: bytes, delivered: Any, asked: ModelRequest) -> bytes:  # noqa: ARG002 - as `body`
        """Return the event that completes a stream."""
        return stream.rest(body, delivered)

    def error(self, failure: AirsideError, upstream: bytes = b"") -> bytes:
        """Return the body of an error response."""
        return error.render(failure, upstream)

    def error_event(self, failure: AirsideError) -> bytes:
        """Return the event that ends a stream in an error."""
        return stream.event_frame(error.render(failure))

    def provider_error(self, body: bytes) -> tuple[str, str]:
        """Return an upstream error body's kind and message."""
        return error.read(body)


def _edited(asked: ModelRequest, edit: Edit) -> list[Mapping[str, Any]]:
    """Return the contents that stay. A function response is known by the id that it has in the message model."""
    contents: list[Mapping[str, Any]] = asked.value["contents"]
    messages = {message.at: message for message in reading.messages(contents)} if edit.results else {}
    kept: list[Mapping[str, Any]] = []
    summarised = not edit.summary
    for index, content in enumerate(contents):
        if index in edit.drop:
            if not summarised:
                kept.append({"role": "user", "parts": [{"text": edit.summary}]})
                summarised = True
            continue
        if not edit.results:
            kept.append(content)
            continue
        ids = iter([block.call_id for block in messages[index].blocks if isinstance(block, ToolResult)])
        parts = content.get("parts") or []
        kept.append({**content, "parts": [_with_result(part, ids, edit.results) for part in parts]})
    return kept


def _with_result(part: Mapping[str, Any], ids: Any, results: Mapping[str, str]) -> Mapping[str, Any]:
    response = part.get("functionResponse")
    if response is None:
        return part
    text = results.get(next(ids))
    return part if text is None else {**part, "functionResponse": {**response, "response": {"output": text}}}


GEMINI = Gemini()
