"""The Messages wire format: reading a client's request, naming it, and writing the one that goes upstream.

A request is cut into pieces: the system text, one per message, and one for everything else. What cannot change the
answer's meaning (`stream`, `cache_control`, how a conversation is held) is left out, and tool-use ids, which clients
may make up, are numbered in the order of their appearance.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from airside.core import canonical
from airside.core.errors import AirsideError, Code
from airside.gateways.models.formats.anthropic import hosted
from airside.gateways.models.formats.fields import wrong
from airside.gateways.models.formats.port import Addressed, Format, ModelRequest

MESSAGES_MAX = 10_000
TOOLS_MAX = 1_024
NAME_CHARS_MAX = 256
THINKING_TOKENS_MIN = 1_024
BETA_HEADER = "anthropic-beta"
_ROLES = frozenset({"user", "assistant", "system"})
_NOT_HASHED = frozenset({"messages", "system", "stream", "cache_control", "thread"})
_HOUR = (b'"1h"', b"\\u0031", b"\\u0068")  # as it is, or with either character as an escape
_CALL_IDS = {"tool_use": "id", "tool_result": "tool_use_id"}
_sorted = msgspec.json.Encoder(order="sorted").encode
_raw_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.encode


def parse(format_: Format, body: bytes, addressed: Addressed, *, bytes_max: int) -> ModelRequest:
    """Read a request. Raises AirsideError `invalid_request`, `limit_exceeded`, or `policy_denied` for hosted tools."""
    value = canonical.parse(body, bytes_max=bytes_max)
    if not isinstance(value, dict):
        raise wrong("the body", "an object")
    model = value.get("model")
    if not isinstance(model, str) or not 0 < len(model) <= NAME_CHARS_MAX:
        raise wrong("model", f"text of 1 to {NAME_CHARS_MAX} characters")
    limit = value.get("max_tokens")
    if type(limit) is not int or limit < 1:
        raise wrong("max_tokens", "a whole number of at least 1")
    stream = value.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise wrong("stream", "true or false")
    betas = hosted.betas(addressed.headers.get(BETA_HEADER, ""))
    _check_shapes(value)
    hosted.check(value)
    return ModelRequest(
        format=format_,
        body=body,
        value=value,
        model=model,
        stream=bool(stream),
        output_tokens_max=limit,
        parts=_parts(value, betas),
        headers={BETA_HEADER: ",".join(betas)} if betas else {},
        long_cache=any(mark in body for mark in _HOUR),
    )


def upstream_body(request: ModelRequest, *, model: str, output_tokens: int, betas_in_body: bool) -> bytes:
    """Return the request for an upstream of this format: as it came, but for the model's name there, the granted
    maximum of output tokens and a budget of thinking tokens that fits into it. Untouched values keep their bytes.
    """
    insist_complete(request)
    fields = _raw_fields(request.body)
    fields.pop("thread", None)
    if model != request.model:
        fields["model"] = Raw(_encode(model))
    fields["max_tokens"] = Raw(b"%d" % output_tokens)
    thinking = request.value.get("thinking")
    if isinstance(thinking, dict) and type(thinking.get("budget_tokens")) is int:
        asked, wanted = request.output_tokens_max or output_tokens, thinking["budget_tokens"]
        fitting = fitting_budget(wanted, asked=asked, granted=output_tokens)
        if fitting != wanted:
            fields["thinking"] = Raw(_encode({**thinking, "budget_tokens": fitting}))
    if betas_in_body and BETA_HEADER in request.headers:
        fields["anthropic_beta"] = Raw(_encode(request.headers[BETA_HEADER].split(",")))
    return _encode(fields)


def thread(request: ModelRequest) -> Mapping[str, Any]:
    """Return how the conversation is to be held; empty if the client holds it itself."""
    return request.value.get("thread") or {}


def insist_complete(request: ModelRequest) -> None:
    """Raise `internal` for a request that continues a thread and lacks what was said before."""
    if thread(request).get("previous_message_id"):
        raise AirsideError(Code.INTERNAL, "a thread was not completed before it left")


def continued(request: ModelRequest, kept: Mapping[str, Any]) -> ModelRequest:
    """Return the request with the whole conversation of its thread: `system`, `tools` and `messages` of before."""
    messages = [*kept["messages"], *request.value["messages"]]
    value = {**request.value, "thread": None, "messages": messages}
    value |= {name: kept[name] for name in ("system", "tools") if kept[name]}
    del value["thread"]
    fields = _raw_fields(request.body)
    del fields["thread"]
    fields |= {name: Raw(_encode(value[name])) for name in ("system", "tools", "messages") if name in value}
    betas = tuple(request.headers[BETA_HEADER].split(",")) if BETA_HEADER in request.headers else ()
    return replace(request, body=_encode(fields), value=value, parts=_parts(value, betas))


def restored(piece: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message from its piece: its ordinals become ids that Anthropic takes."""
    if isinstance(piece["content"], str):
        return dict(piece)
    return {**piece, "content": [_restored(block) for block in piece["content"]]}


def _restored(block: Mapping[str, Any]) -> dict[str, Any]:
    name = _CALL_IDS.get(block["type"])
    if name is None or name not in block:
        return dict(block)
    return {**block, name: block[name].replace("call#", "toolu_kept_")}


def renamed(body: bytes, name: str) -> bytes:
    """Return a message with another id."""
    fields = _raw_fields(body)
    fields["id"] = Raw(_encode(name))
    return _encode(fields)


def fitting_budget(wanted: int, *, asked: int, granted: int) -> int:
    """Return the budget of thinking tokens under the granted maximum: the same share of it, where it must shrink.

    Raises `limit_exceeded` where no permitted budget fits.
    """
    if wanted < granted:
        return wanted
    if granted <= THINKING_TOKENS_MIN:
        raise AirsideError(
            Code.LIMIT_EXCEEDED,
            f"only {granted} output tokens can be granted, and thinking needs more than {THINKING_TOKENS_MIN}",
            advice="Ask without thinking, or raise the budget or reserve_output_tokens.",
        )
    share = wanted * granted // asked if asked > wanted else granted // 2
    return min(max(share, THINKING_TOKENS_MIN), granted - 1)


def _check_shapes(value: Mapping[str, Any]) -> None:
    _check_thread(value)
    _check_messages(value.get("messages"), empty=bool((value.get("thread") or {}).get("previous_message_id")))
    tools, system = value.get("tools"), value.get("system")
    if system is not None and not isinstance(system, str):
        _check_blocks(system, "system")
    if tools is not None:
        if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
            raise wrong("tools", "a list of objects")
        if len(tools) > TOOLS_MAX:
            raise AirsideError(Code.LIMIT_EXCEEDED, f"{len(tools)} tools; at most {TOOLS_MAX} are accepted")
    for name in ("thinking", "tool_choice", "output_config", "metadata"):
        if value.get(name) is not None and not isinstance(value[name], dict):
            raise wrong(name, "an object")


def _check_thread(value: Mapping[str, Any]) -> None:
    held = value.get("thread")
    if held is None:
        return
    if not isinstance(held, dict) or held.get("type") not in ("create", "continue"):
        raise wrong("thread", "of the type create or continue")
    if held["type"] == "create":
        held.pop("previous_message_id", None)
    elif not isinstance(held.get("previous_message_id"), str):
        raise wrong("thread.previous_message_id", "text")
    elif value.get("system") or value.get("tools"):
        raise AirsideError(Code.INVALID_REQUEST, "system and tools belong to the thread: leave them out to continue it")


def _check_messages(messages: Any, *, empty: bool) -> None:
    if not isinstance(messages, list) or not (messages or empty):
        raise wrong("messages", "a list with at least one message")
    if len(messages) > MESSAGES_MAX:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"{len(messages)} messages; at most {MESSAGES_MAX} are accepted")
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise wrong(f"messages[{index}]", "an object")
        role, content = message.get("role"), message.get("content")
        if not isinstance(role, str) or role not in _ROLES:
            raise wrong(f"messages[{index}].role", f"one of {', '.join(sorted(_ROLES))}")
        if not isinstance(content, str):
            _check_blocks(content, f"messages[{index}].content")


def _check_blocks(content: Any, where: str) -> None:
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise wrong(where, "text or a list of objects")
    for block in content:
        if not isinstance(block.get("type"), str):
            raise wrong(f"{where}[].type", "text")
        inner = block.get("content")
        if block["type"] == "tool_result" and inner is not None and not isinstance(inner, str):
            _check_blocks(inner, f"{where}[].content")
    hosted.check_blocks(content, where)


def _parts(value: Mapping[str, Any], betas: tuple[str, ...]) -> tuple[bytes, ...]:
    ordinals: dict[str, str] = {}
    parts = []
    if value.get("system"):
        parts.append(canonical.encode({"system": _blocks(value["system"], ordinals)}))
    parts += [_piece(message, ordinals) for message in value["messages"]]
    parameters = {name: item for name, item in value.items() if name not in _NOT_HASHED}
    if value.get("tools"):
        parameters["tools"] = [_uncached(tool) for tool in value["tools"]]
    if betas:
        parameters[BETA_HEADER] = list(betas)
    parts.append(canonical.encode(parameters))
    return tuple(parts)


def _piece(message: dict[str, Any], ordinals: dict[str, str]) -> bytes:
    if type(message["content"]) is str and len(message) == 2:
        return _sorted(message)  # only text: here the fast encoder and the canonical one agree byte for byte
    return canonical.encode({**message, "content": _blocks(message["content"], ordinals)})


def _blocks(content: Any, ordinals: dict[str, str]) -> Any:
    return content if isinstance(content, str) else [_block(block, ordinals) for block in content]


def _block(block: dict[str, Any], ordinals: dict[str, str]) -> dict[str, Any]:
    """Return a block without its cache mark, and with its id numbered."""
    block = _uncached(block)
    name = _CALL_IDS.get(block["type"])
    if name is not None and isinstance(block.get(name), str):
        block = {**block, name: ordinals.setdefault(block[name], f"call#{len(ordinals)}")}
    if block["type"] == "tool_result" and isinstance(block.get("content"), list):
        block = {**block, "content": [_uncached(item) for item in block["content"]]}
    return block


def _uncached(item: dict[str, Any]) -> dict[str, Any]:
    if "cache_control" not in item:
        return item
    return {name: value for name, value in item.items() if name != "cache_control"}
