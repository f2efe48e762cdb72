"""The Responses wire format: reading a client's request, naming it, and writing the one that goes upstream.

Upstream the request is always stateless: nothing is stored there and nothing there is referred to. What a client
refers to (`previous_response_id`, `item_reference`) is put into the request's input before it is named, by the step in
`gateways/models/histories.py`; a request that still refers to something cannot be sent.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from airside.core import canonical
from airside.core.errors import AirsideError, Code
from airside.gateways.models.formats.fields import flag, wrong
from airside.gateways.models.formats.openai_responses import items
from airside.gateways.models.formats.port import Format, ModelRequest

TOOLS_MAX = 1_024
NAME_CHARS_MAX = 256
ENCRYPTED = "reasoning.encrypted_content"
_NOT_HASHED = frozenset({"input", "stream", "stream_options", "previous_response_id", "background"})
_STATEFUL = ("previous_response_id", "conversation", "background", "prompt")
_TIERS = frozenset({"auto", "default", "flex"})
_REASONING_MODEL = re.compile(r"(o\d|gpt-(?:[5-9]|\d\d)(?!.*chat)|codex)")
_raw_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.encode


class References(Struct, frozen=True):
    """A `previous` response, single `items`, or nothing; and whether its own answer may be referred to (`store`)."""

    previous: str
    items: bool
    store: bool


def references(request: ModelRequest) -> References:
    """Return what a request refers to."""
    value = request.value
    return References(
        previous=value.get("previous_response_id") or "",
        items=any(items.kind_of(item) == items.REFERENCE for item in _given(value)),
        store=value.get("store") is not False,
    )


def parse(format_: Format, body: bytes, *, bytes_max: int) -> ModelRequest:
    """Read a request. Raises AirsideError `invalid_request`, `limit_exceeded`, or `policy_denied` for hosted tools."""
    value = canonical.parse(body, bytes_max=bytes_max)
    if not isinstance(value, dict):
        raise wrong("the body", "an object")
    model = value.get("model")
    if not isinstance(model, str) or not 0 < len(model) <= NAME_CHARS_MAX:
        raise wrong("model", f"text of 1 to {NAME_CHARS_MAX} characters")
    previous = value.get("previous_response_id")
    if previous is not None and (not isinstance(previous, str) or not 0 < len(previous) <= NAME_CHARS_MAX):
        raise wrong("previous_response_id", "the id of a response")
    given = items.checked(value["input"]) if value.get("input") is not None else []
    if not given and previous is None:
        raise wrong("input", "text or a list with at least one item")
    _check_kept_elsewhere(value)
    _check_tools(value.get("tools"))
    _check_unmetered(value)
    flag(value, "store")
    limit = value.get("max_output_tokens")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise wrong("max_output_tokens", "a whole number of at least 1")
    return ModelRequest(
        format=format_,
        body=body,
        value=value,
        model=model,
        stream=flag(value, "stream"),
        output_tokens_max=limit,
        parts=_parts(value, given),
    )


def expanded(request: ModelRequest, conversation: Sequence[Mapping[str, Any]]) -> ModelRequest:
    """Return the request with this whole conversation as its input, and nothing that it refers to."""
    value = {**request.value, "input": list(conversation)}
    value.pop("previous_response_id", None)
    fields = _raw_fields(request.body)
    fields.pop("previous_response_id", None)
    fields["input"] = Raw(_encode(value["input"]))
    return replace(request, body=_encode(fields), value=value, parts=_parts(value, value["input"]))


def changed(request: ModelRequest, conversation: Sequence[Mapping[str, Any]]) -> ModelRequest:
    """Return the request with another conversation; its `parts` stay those of the client's request."""
    return replace(expanded(request, conversation), parts=request.parts)


def upstream_body(request: ModelRequest, *, model: str, output_tokens: int) -> bytes:
    """Return the request for a Responses upstream: as it came, but for the model's name there, the granted maximum of
    output tokens, and everything that would make it keep state. Untouched values keep their bytes.
    """
    refuse_references(request)
    fields = _raw_fields(request.body)
    for name in _STATEFUL:
        fields.pop(name, None)
    if model != request.model:
        fields["model"] = Raw(_encode(model))
    fields["store"] = Raw(b"false")
    fields["max_output_tokens"] = Raw(b"%d" % output_tokens)
    include = request.value.get("include") or []
    if ENCRYPTED not in include and (reasons(request.value, model) or reasons(request.value, request.model)):
        fields["include"] = Raw(_encode([*include, ENCRYPTED]))
    return _encode(fields)


def refuse_references(request: ModelRequest) -> None:
    """Raise `not_found` for a request that refers to what was not put into it."""
    asked = references(request)
    if asked.previous or asked.items:
        raise AirsideError(Code.NOT_FOUND, "the request refers to an earlier response that cannot be looked up here")


def reasons(value: Mapping[str, Any], model: str) -> bool:
    """Whether reasoning can come of this request, which must be carried by the client then: nothing is stored.

    Providers refuse the wish for encrypted reasoning with models that do not reason, so it is not always added.
    """
    if isinstance(value.get("reasoning"), dict) and value["reasoning"].get("effort") != "none":
        return True
    if any(items.kind_of(item) == "reasoning" for item in _given(value)):
        return True
    return _REASONING_MODEL.match(model.rpartition("/")[2]) is not None


def _given(value: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    given = value.get("input")
    return given if isinstance(given, list) else ()


def _check_kept_elsewhere(value: Mapping[str, Any]) -> None:
    """Refuse what would be looked up in, or kept by, the provider's account, which tenants share."""
    if value.get("conversation") is not None:
        raise AirsideError(
            Code.INVALID_REQUEST,
            "conversation names an object that is kept at the provider; airside keeps conversations itself",
            advice="Use previous_response_id, or send the whole conversation as input.",
        )
    if flag(value, "background"):
        raise AirsideError(
            Code.INVALID_REQUEST,
            "background answers are not made here: a call ends with its answer",
            advice="Leave background out; submit the work as a run to have it done in the background.",
        )
    if value.get("prompt") is not None:
        raise AirsideError(
            Code.INVALID_REQUEST,
            "prompt names a template that is kept at the provider, so what it says cannot be recorded",
            advice="Send the template's text as instructions and input.",
        )


def _check_tools(tools: Any) -> None:
    if tools is None:
        return
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise wrong("tools", "a list of objects")
    if len(tools) > TOOLS_MAX:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"{len(tools)} tools; at most {TOOLS_MAX} are accepted")
    for tool in tools:
        if tool.get("type") == "namespace":
            _check_tools(tool.get("tools"))
        elif tool.get("type") not in ("function", "custom"):
            raise AirsideError(
                Code.POLICY_DENIED,
                f"a tool of type {str(tool.get('type'))[:64]!r} would run at the provider, past the tool gateway",
                advice="Provider-hosted tools are denied; offer the tool through the tool gateway.",
            )


def _check_unmetered(value: Mapping[str, Any]) -> None:
    """Refuse what would be billed in a way that no reservation here covers."""
    tier = value.get("service_tier")
    if tier is not None and (not isinstance(tier, str) or tier not in _TIERS):
        raise AirsideError(Code.INVALID_REQUEST, "service_tier must be auto, default or flex: others cost extra")
    if value.get("moderation") is not None:
        raise AirsideError(Code.INVALID_REQUEST, "moderation by the provider cannot be metered here yet")
    include = value.get("include")
    if include is not None and not (isinstance(include, list) and all(isinstance(name, str) for name in include)):
        raise wrong("include", "a list of text")
    options = value.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise wrong("stream_options", "an object")


def _parts(value: Mapping[str, Any], given: Sequence[Mapping[str, Any]]) -> tuple[bytes, ...]:
    parts = items.pieces(given, {})
    parts.append(canonical.encode({name: item for name, item in value.items() if name not in _NOT_HASHED}))
    return tuple(parts)
