"""Embeddings as a wire format: metered, reserved and journaled like any model call, but nothing is said in them.

There is no conversation, so no other format can express a request or an answer of this one, and there are no streams.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec
from msgspec import Raw, Struct

from airside.core import canonical
from airside.core.call import Usage
from airside.core.errors import AirsideError
from airside.gateways.models.formats.fields import wrong
from airside.gateways.models.formats.openai_chat.format import CHAT
from airside.gateways.models.formats.port import Addressed, BrokenAnswer, Delivered, ModelRequest, Reader, Writer
from airside.gateways.models.message import Answer, Edit, Message, Prompt, Text, untranslatable

NAME = "openai_embeddings"
INPUTS_MAX = 2_048
TOKEN_MAX = 10_000_000
_raw_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_NO_STREAM = "embeddings are not streamed"


class _Listed(Struct):
    data: list[Raw]
    model: str = ""
    usage: Any = None


_listed = msgspec.json.Decoder(_Listed).decode


class _Nothing:
    """How much of a stream has been sent: there is none."""

    anything = False


class OpenAIEmbeddings:
    """`Format` for `/v1/embeddings`."""

    name = NAME

    def parse(self, body: bytes, addressed: Addressed, *, bytes_max: int) -> ModelRequest:  # noqa: ARG002 - all is in the body
        """Read a client's request: texts or token lists, at most 2,048 of them."""
        value = canonical.parse(body, bytes_max=bytes_max)
        if not isinstance(value, dict):
            raise wrong("the body", "an object")
        model = value.get("model")
        if not isinstance(model, str) or not 0 < len(model) <= 256:
            raise wrong("model", "text of 1 to 256 characters")
        inputs = _inputs(value.get("input"))
        parameters = {name: item for name, item in value.items() if name != "input"}
        return ModelRequest(
            format=self,
            body=body,
            value=value,
            model=model,
            stream=False,
            parts=(*(canonical.encode({"input": item}) for item in inputs), canonical.encode(parameters)),
            output_tokens_max=1,  # none is made, and a reservation has at least one
        )

    def prompt(self, request: ModelRequest) -> Prompt:
        """Return the texts as messages of the user, for steps that look at what is asked; no upstream is sent this."""
        texts = [item for item in _inputs(request.value["input"]) if isinstance(item, str)]
        return Prompt(messages=tuple(Message("user", (Text(text),)) for text in texts), output_tokens_max=1)

    def edited(self, request: ModelRequest, edit: Edit) -> ModelRequest:  # noqa: ARG002 - there is no conversation
        """Return the request as it is: there is no conversation to shorten."""
        return request

    def forward(self, request: ModelRequest, *, model: str, output_tokens: int) -> bytes:  # noqa: ARG002 - no output tokens
        """Return the client's request, with the model's name at the upstream."""
        if model == request.model:
            return request.body
        fields = _raw_fields(request.body)
        fields["model"] = Raw(msgspec.json.encode(model))
        return msgspec.json.encode(fields)

    def request(self, prompt: Prompt, *, model: str, output_tokens: int, stream: bool) -> bytes:  # noqa: ARG002 - refused
        """Raise `invalid_request`: no conversation is a request for embeddings."""
        raise untranslatable("a conversation", "client's", NAME)

    def answer(self, body: bytes) -> Answer:
        """Return what the message model can hold of an answer: nothing but its usage."""
        listed = _read(body)
        return Answer(blocks=(), stop="end", usage=_usage(listed), model=listed.model)

    def usage(self, body: bytes) -> Usage | None:
        """Return the tokens that an answer reports, all of them input."""
        return _usage(_read(body))

    def body(self, answer: Answer, request: ModelRequest) -> bytes:  # noqa: ARG002 - refused
        """Raise `invalid_request`: what a conversation says is no embedding."""
        raise untranslatable("a conversation's answer", "upstream's", NAME)

    def delivered(self) -> Delivered:
        """Return the note of a stream of which nothing has been sent."""
        return _Nothing()

    def reader(self, delivered: Delivered | None) -> Reader:  # noqa: ARG002 - refused
        """Raise BrokenAnswer: nobody asked for a stream."""
        raise BrokenAnswer(_NO_STREAM)

    def writer(self, request: ModelRequest, delivered: Delivered, begun: Answer) -> Writer:  # noqa: ARG002 - refused
        """Raise BrokenAnswer: nobody asked for a stream."""
        raise BrokenAnswer(_NO_STREAM)

    def rest(self, body: bytes, delivered: Delivered, request: ModelRequest) -> bytes:  # noqa: ARG002 - whole
        """Return the whole answer."""
        return body

    def error(self, error: AirsideError, upstream: bytes = b"") -> bytes:
        """Return the body of an error response, as Chat Completions words it."""
        return CHAT.error(error, upstream)

    def error_event(self, error: AirsideError) -> bytes:
        """Return the error as Chat Completions does."""
        return CHAT.error_event(error)

    def provider_error(self, body: bytes) -> tuple[str, str]:
        """Return an upstream error body's kind and message."""
        return CHAT.provider_error(body)


def refuse_to_translate(target: str) -> NoReturn:
    """Raise `invalid_request` for an upstream that makes no embeddings."""
    raise untranslatable("a request for embeddings", NAME, target)


def _inputs(given: Any) -> list[Any]:
    """Return the inputs one by one: texts, or lists of token numbers."""
    if isinstance(given, str) or (isinstance(given, list) and given and all(type(item) is int for item in given)):
        given = [given]
    if not isinstance(given, list) or not 0 < len(given) <= INPUTS_MAX:
        raise wrong("input", f"text, token numbers, or a list of 1 to {INPUTS_MAX} of them")
    for index, item in enumerate(given):
        text = isinstance(item, str) and item
        tokens = isinstance(item, list) and item and all(type(n) is int and 0 <= n < TOKEN_MAX for n in item)
        if not text and not tokens:
            raise wrong(f"input[{index}]", "text or token numbers, not empty")
    return given


def _read(body: bytes) -> _Listed:
    try:
        listed = _listed(body)
    except (msgspec.MsgspecError, RecursionError):
        raise BrokenAnswer("the answer is no list of embeddings") from None
    if not listed.data:
        raise BrokenAnswer("the answer holds no embedding")
    return listed


def _usage(listed: _Listed) -> Usage | None:
    usage: Mapping[str, Any] = listed.usage if isinstance(listed.usage, dict) else {}
    tokens = usage.get("prompt_tokens")
    return Usage(input=tokens) if type(tokens) is int and 0 < tokens < 2**53 else None


EMBEDDINGS = OpenAIEmbeddings()
