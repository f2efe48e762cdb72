"""Responses as a wire format: both its parts, put together."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from airside.core.call import Usage
from airside.core.errors import AirsideError
from airside.gateways.models.formats.openai_chat import error
from airside.gateways.models.formats.openai_responses import events, items, reading, request, stream, usage, writing
from airside.gateways.models.formats.openai_responses.events import Delivered, Shown
from airside.gateways.models.formats.port import Addressed, ModelRequest, Reader, Writer
from airside.gateways.models.message import Answer, Edit, Prompt, untranslatable


class OpenAIResponses:
    """`Format` for `/v1/responses`. Upstream it is always spoken without state: see `request.upstream_body`."""

    name = reading.NAME

    def parse(self, body: bytes, addressed: Addressed, *, bytes_max: int) -> ModelRequest:  # noqa: ARG002 - all is in the body
        """Read a client's request."""
        return request.parse(self, body, bytes_max=bytes_max)

    def prompt(self, asked: ModelRequest) -> Prompt:
        """Return a request in the message model."""
        return reading.prompt(asked)

    def edited(self, asked: ModelRequest, edit: Edit) -> ModelRequest:
        """Return the request with its conversation changed."""
        return request.changed(asked, _edited(items.checked(asked.value.get("input") or ""), edit))

    def forward(self, asked: ModelRequest, *, model: str, output_tokens: int) -> bytes:
        """Return the client's request for an upstream of this format."""
        for item in asked.value["input"] if isinstance(asked.value.get("input"), list) else ():
            if str(item.get("encrypted_content") or "").startswith(reading.CARRIED):
                raise untranslatable("a thinking block", "another upstream's", self.name)
        return request.upstream_body(asked, model=model, output_tokens=output_tokens)

    def request(self, prompt: Prompt, *, model: str, output_tokens: int, stream: bool) -> bytes:
        """Write a prompt for an upstream."""
        return writing.request(prompt, model=model, output_tokens=output_tokens, stream=stream)

    def answer(self, body: bytes) -> Answer:
        """Read an upstream's whole answer."""
        return reading.answer(body)

    def usage(self, body: bytes) -> Usage | None:
        """Return the tokens that an upstream's answer reports."""
        return usage.read(reading.response(body).get("usage"))

    def body(self, answer: Answer, asked: ModelRequest) -> bytes:
        """Write an answer for a client."""
        return writing.body(answer, asked)

    def delivered(self) -> Delivered:
        """Return the note of a stream of which nothing has been sent."""
        return Delivered()

    def reader(self, delivered: Any) -> Reader:
        """Return a reader of an upstream's stream."""
        return stream.Assembler(delivered)

    def writer(self, asked: ModelRequest, delivered: Any, begun: Answer) -> Writer:
        """Return a writer of a client's stream."""
        return stream.ResponsesWriter(writing.head(begun, asked), delivered, begun.answer_id)

    def rest(self, body: bytes, delivered: Any, asked: ModelRequest) -> bytes:  # noqa: ARG002 - the body says all
        """Return the frames that complete a stream."""
        return stream.rest(body, delivered)

    def error(self, failure: AirsideError, upstream: bytes = b"") -> bytes:
        """Return the body of an error response."""
        return error.render(failure, upstream)

    def error_event(self, failure: AirsideError) -> bytes:
        """Return the frame that ends a stream in an error; `error` is how SDKs find it, the rest is the format's."""
        found = msgspec.json.decode(error.render(failure))["error"]
        plain = {"code": found["code"], "message": found["message"], "param": None}
        return events.frame({"type": "error", **plain, "sequence_number": 0, "error": found})

    def provider_error(self, body: bytes) -> tuple[str, str]:
        """Return an upstream error body's kind and message."""
        return error.read(body)


def shown(body: bytes, as_shown: Shown) -> bytes:
    """Return a whole response as its client is to see it. Untouched values keep their bytes."""
    fields = msgspec.json.decode(body, type=dict[str, Raw])
    return msgspec.json.encode(fields | as_shown.over({}))


def _edited(conversation: Sequence[Mapping[str, Any]], edit: Edit) -> list[Mapping[str, Any]]:
    """Change a conversation. A turn that goes takes all its items with it: `drop` names the first."""
    kept: list[Mapping[str, Any]] = []
    summarised, dropping = not edit.summary, False
    for index, item in enumerate(conversation):
        begins = not (_spoken(item) and index > 0 and _spoken(conversation[index - 1]))
        dropping = index in edit.drop if begins else dropping
        if dropping:
            if not summarised:
                kept.append({"role": "user", "content": edit.summary})
                summarised = True
            continue
        text = edit.results.get(str(item.get("call_id"))) if items.kind_of(item) in items.RESULTS else None
        kept.append(item if text is None else {**item, "output": text})
    return kept


def _spoken(item: Mapping[str, Any]) -> bool:
    return items.kind_of(item) in items.CALLS | {"reasoning"} or item.get("role") == "assistant"


RESPONSES = OpenAIResponses()
