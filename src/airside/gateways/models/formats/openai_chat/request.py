"""The Chat Completions wire format: reading a client's request, naming it, and writing the one that goes upstream.

A request is cut into pieces, one per message and one for everything else, so that each message is stored and hashed
once however often a conversation repeats it. What cannot change the answer's meaning (headers, `stream`,
`stream_options`) is left out, and tool-call ids, which clients make up, are numbered in the order of their appearance.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from airside.core import canonical
from airside.core.errors import AirsideError, Code
from airside.gateways.models.formats.fields import flag, wrong
from airside.gateways.models.formats.port import Format, ModelRequest

MESSAGES_MAX = 10_000
TOOLS_MAX = 1_024
NAME_CHARS_MAX = 256
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_LIMIT_FIELDS = ("max_completion_tokens", "max_tokens")
_NOT_HASHED = frozenset({"messages", "stream", "stream_options"})
_TIERS = frozenset({"auto", "default", "flex"})
_AT_THE_PROVIDER = {
    **dict.fromkeys(("web_search_options", "search_parameters", "search_settings"), "would search at the provider"),
    **dict.fromkeys(("search_options", "enable_search", "data_sources"), "would search at the provider"),
    **dict.fromkeys(("plugins", "mcp_servers"), "would run at the provider"),
    **dict.fromkeys(("models", "route", "provider", "fallbacks"), "lets the upstream choose, at another price"),
    **dict.fromkeys(("extra_body", "api_base", "base_url"), "speaks to the upstream past the model gateway"),
}
"""Fields of upstreams that are compatible with Chat and do more than answer, and OpenAI's own."""

_SEARCHES = ("-search-preview", "-search-api")  # in the names of models that search at OpenAI, for a fee a call
_PLAIN = frozenset({str, bool, type(None)})
_INT_END = 2**63
_sorted = msgspec.json.Encoder(order="sorted").encode
_raw_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.encode


def parse(format_: Format, body: bytes, *, bytes_max: int) -> ModelRequest:
    """Read a request. Raises AirsideError `invalid_request`, `limit_exceeded`, or `policy_denied` for hosted tools."""
    value = canonical.parse(body, bytes_max=bytes_max)
    if not isinstance(value, dict):
        raise wrong("the body", "an object")
    model = value.get("model")
    if not isinstance(model, str) or not 0 < len(model) <= NAME_CHARS_MAX:
        raise wrong("model", f"text of 1 to {NAME_CHARS_MAX} characters")
    messages = _messages(value.get("messages"))
    stream = flag(value, "stream")
    options = value.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise wrong("stream_options", "an object")
    _check_tools(value.get("tools"))
    _check_hosted(value)
    _check_unmetered(value)
    return ModelRequest(
        format=format_,
        body=body,
        value=value,
        model=model,
        stream=stream,
        include_usage=stream and options is not None and flag(options, "include_usage"),
        output_tokens_max=_output_tokens_max(value),
        parts=_parts(value, messages),
    )


def upstream_body(request: ModelRequest, *, model: str, output_tokens: int, limit_field: str) -> bytes:
    """Return the request for a Chat Completions upstream: as it came, but for the model's name there, the granted
    maximum of output tokens and, in a stream, the wish to be told the usage. Untouched values keep their bytes.
    """
    fields = _raw_fields(request.body)
    if model != request.model:
        fields["model"] = Raw(_encode(model))
    granted = Raw(b"%d" % output_tokens)
    asked = [name for name in _LIMIT_FIELDS if request.value.get(name) is not None]
    for name in asked or [limit_field]:
        fields[name] = granted
    if request.stream and not request.include_usage:
        options = request.value.get("stream_options") or {}
        fields["stream_options"] = Raw(_encode({**options, "include_usage": True}))
    return _encode(fields)


def _messages(messages: Any) -> list[dict[str, Any]]:
    if not isinstance(messages, list) or not messages:
        raise wrong("messages", "a list with at least one message")
    if len(messages) > MESSAGES_MAX:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"{len(messages)} messages; at most {MESSAGES_MAX} are accepted")
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise wrong(f"messages[{index}]", "an object")
        role = message.get("role")
        if not isinstance(role, str) or role not in _ROLES:
            raise wrong(f"messages[{index}].role", f"one of {', '.join(sorted(_ROLES))}")
        content = message.get("content")
        if content is not None and not isinstance(content, str):
            _check_content(content, index)
        calls = message.get("tool_calls")
        if calls is not None and not (isinstance(calls, list) and all(isinstance(call, dict) for call in calls)):
            raise wrong(f"messages[{index}].tool_calls", "a list of objects")
    return messages


def _check_content(content: Any, index: int) -> None:
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise wrong(f"messages[{index}].content", "text or a list of objects")
    if any(part.get("type") == "input_audio" for part in content):
        raise AirsideError(Code.INVALID_REQUEST, f"messages[{index}] holds audio, which cannot be metered here yet")


def _check_tools(tools: Any) -> None:
    if tools is None:
        return
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise wrong("tools", "a list of objects")
    if len(tools) > TOOLS_MAX:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"{len(tools)} tools; at most {TOOLS_MAX} are accepted")
    for tool in tools:
        if tool.get("type") not in ("function", "custom"):
            raise AirsideError(
                Code.POLICY_DENIED,
                f"a tool of type {str(tool.get('type'))[:64]!r} would run at the provider, past the tool gateway",
                advice="Provider-hosted tools are denied; offer the tool through the tool gateway.",
            )


def _check_hosted(value: Mapping[str, Any]) -> None:
    """Refuse what would run, or be decided, beyond the gateways."""
    found = [f"{name} {why}" for name, why in _AT_THE_PROVIDER.items() if value.get(name) is not None]
    if any(mark in value["model"].lower() for mark in _SEARCHES):
        found.append(f"the model {value['model']} searches at the provider")
    if found:
        raise AirsideError(
            Code.POLICY_DENIED,
            f"{found[0]}, past the gateways",
            advice="Provider-hosted tools are denied; offer a search tool through the tool gateway.",
        )


def _check_unmetered(value: Mapping[str, Any]) -> None:
    """Refuse what would be billed in a way that no reservation here covers."""
    n = value.get("n")
    if n is not None and (type(n) is not int or n != 1):
        raise AirsideError(Code.INVALID_REQUEST, "n must be 1: airside answers each request with one choice")
    if value.get("modalities") not in (None, ["text"]) or value.get("audio") is not None:
        raise AirsideError(
            Code.INVALID_REQUEST, 'modalities must be ["text"]: audio answers cannot be metered here yet'
        )
    tier = value.get("service_tier")
    if tier is not None and (not isinstance(tier, str) or tier not in _TIERS):
        raise AirsideError(Code.INVALID_REQUEST, "service_tier must be auto, default or flex: others cost extra")
    for name in ("prediction", "moderation"):  # what of a prediction is not taken is paid as output beyond the maximum
        if value.get(name) is not None:
            raise AirsideError(Code.INVALID_REQUEST, f"{name} is billed apart from the answer: leave it out")


def _output_tokens_max(value: Mapping[str, Any]) -> int | None:
    limits = [value[name] for name in _LIMIT_FIELDS if value.get(name) is not None]
    for limit in limits:
        if type(limit) is not int or limit < 1:
            raise wrong(" or ".join(_LIMIT_FIELDS), "a whole number of at least 1")
    return min(limits, default=None)


def _parts(value: Mapping[str, Any], messages: list[dict[str, Any]]) -> tuple[bytes, ...]:
    ordinals: dict[str, str] = {}
    parts = [_piece(message, ordinals) for message in messages]
    parts.append(_parameters({name: item for name, item in value.items() if name not in _NOT_HASHED}))
    return tuple(parts)


def _parameters(values: dict[str, Any]) -> bytes:
    plain = all(
        type(item) in _PLAIN or (type(item) is int and -_INT_END <= item < _INT_END) for item in values.values()
    )
    return _sorted(values) if plain else canonical.encode(values)  # where both encoders agree, the fast one


def _piece(message: dict[str, Any], ordinals: dict[str, str]) -> bytes:
    if len(message) == 2 and type(message.get("content")) is str:
        return _sorted(message)  # only text: here the fast encoder and the canonical one agree byte for byte
    if message.get("tool_calls"):
        calls = [_numbered(call, "id", ordinals) for call in message["tool_calls"]]
        message = {**message, "tool_calls": calls}
    if "tool_call_id" in message:
        message = _numbered(message, "tool_call_id", ordinals)
    return canonical.encode(message)


def _numbered(item: dict[str, Any], key: str, ordinals: dict[str, str]) -> dict[str, Any]:
    name = item.get(key)
    if not isinstance(name, str):
        return item
    return {**item, key: ordinals.setdefault(name, f"call#{len(ordinals)}")}
