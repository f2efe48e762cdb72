"""The Gemini wire format: reading a client's request, naming it, and writing the one that goes upstream.

A request is cut into pieces: the system instruction, one per content, and one for everything else. The model stands in
the path and is named with the parameters. Ids of function calls, which clients may make up, are numbered in the order
of their appearance. Both spellings of a field are one request.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from airside.core import canonical
from airside.core.errors import AirsideError, Code
from airside.gateways.models.formats.fields import wrong
from airside.gateways.models.formats.gemini import hosted
from airside.gateways.models.formats.gemini.names import camel, camelled
from airside.gateways.models.formats.port import Addressed, Format, ModelRequest

CONTENTS_MAX = 10_000
TOOLS_MAX = 1_024
NAME_CHARS_MAX = 256
_ROLES = frozenset({"user", "model", "function"})
_NOT_HASHED = frozenset({"contents", "systemInstruction", "model"})
_raw_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.encode


def parse(format_: Format, body: bytes, addressed: Addressed, *, bytes_max: int) -> ModelRequest:
    """Read a request. Raises AirsideError `invalid_request`, `limit_exceeded`, or `policy_denied` for hosted tools."""
    value = camelled(canonical.parse(body, bytes_max=bytes_max))
    if not isinstance(value, dict):
        raise wrong("the body", "an object")
    model = addressed.model
    if not 0 < len(model) <= NAME_CHARS_MAX:
        raise wrong("the model in the path", f"text of 1 to {NAME_CHARS_MAX} characters")
    if addressed.stream and addressed.headers.get("alt") != "sse":
        raise AirsideError(
            Code.INVALID_REQUEST,
            "streams are server-sent events here, not a JSON array",
            advice="Call streamGenerateContent with ?alt=sse, as Google's SDKs do.",
        )
    config = value.get("generationConfig")
    config = {} if config is None else config
    if not isinstance(config, dict):
        raise wrong("generationConfig", "an object")
    _check_contents(value.get("contents"))
    _check_shapes(value)
    hosted.check(value, config)
    limit = config.get("maxOutputTokens")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise wrong("maxOutputTokens", "a whole number of at least 1")
    return ModelRequest(
        format=format_,
        body=body,
        value=value,
        model=model,
        stream=bool(addressed.stream),
        output_tokens_max=limit,
        parts=_parts(value, model),
    )


def upstream_body(request: ModelRequest, *, output_tokens: int) -> bytes:
    """Return the request for an upstream of this format: as it came, but for the granted maximum of output tokens.

    Untouched values keep their bytes, and fields their spelling. The model stands in the path.
    """
    fields = _raw_fields(request.body)
    fields.pop("model", None)
    name = next((name for name in fields if camel(name) == "generationConfig"), "generationConfig")
    spelled = fields.get(name)
    config = _raw_fields(spelled) if spelled is not None and bytes(spelled) != b"null" else {}
    inner = next((name for name in config if camel(name) == "maxOutputTokens"), "maxOutputTokens")
    config[inner] = Raw(b"%d" % output_tokens)
    fields[name] = Raw(_encode(config))
    return _encode(fields)


def _check_contents(contents: Any) -> None:
    if not isinstance(contents, list) or not contents:
        raise wrong("contents", "a list with at least one content")
    if len(contents) > CONTENTS_MAX:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"{len(contents)} contents; at most {CONTENTS_MAX} are accepted")
    for index, content in enumerate(contents):
        if not isinstance(content, dict):
            raise wrong(f"contents[{index}]", "an object")
        role = content.get("role")
        if role is not None and (not isinstance(role, str) or role not in _ROLES):
            raise wrong(f"contents[{index}].role", f"one of {', '.join(sorted(_ROLES))}")
        _check_parts(content.get("parts"), f"contents[{index}].parts")


def _check_parts(parts: Any, where: str) -> None:
    if parts is None:
        return
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise wrong(where, "a list of objects")
    for part in parts:
        hosted.check_part(part, where)
        for name in ("functionCall", "functionResponse"):
            if part.get(name) is not None and not isinstance(part[name], dict):
                raise wrong(f"{where}[].{name}", "an object")
        _check_parts((part.get("functionResponse") or {}).get("parts"), f"{where}[].functionResponse.parts")


def _check_shapes(value: Mapping[str, Any]) -> None:
    system, tools = value.get("systemInstruction"), value.get("tools")
    if system is not None:
        if not isinstance(system, dict):
            raise wrong("systemInstruction", "an object")
        _check_parts(system.get("parts"), "systemInstruction.parts")
    if value.get("toolConfig") is not None and not isinstance(value["toolConfig"], dict):
        raise wrong("toolConfig", "an object")
    if tools is None:
        return
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise wrong("tools", "a list of objects")
    declared = 0
    for tool in tools:
        declarations = tool.get("functionDeclarations") or []
        if not isinstance(declarations, list) or not all(isinstance(item, dict) for item in declarations):
            raise wrong("tools[].functionDeclarations", "a list of objects")
        declared += len(declarations)
    if max(declared, len(tools)) > TOOLS_MAX:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"{declared} tools; at most {TOOLS_MAX} are accepted")


def _parts(value: Mapping[str, Any], model: str) -> tuple[bytes, ...]:
    ordinals: dict[str, str] = {}
    parts = []
    if value.get("systemInstruction"):
        parts.append(canonical.encode({"systemInstruction": value["systemInstruction"]}))
    parts += [canonical.encode(_numbered(content, ordinals)) for content in value["contents"]]
    parameters = {name: item for name, item in value.items() if name not in _NOT_HASHED}
    parts.append(canonical.encode({**parameters, "model": model}))
    return tuple(parts)


def _numbered(content: dict[str, Any], ordinals: dict[str, str]) -> dict[str, Any]:
    parts = content.get("parts") or []
    if not any("functionCall" in part or "functionResponse" in part for part in parts):
        return content
    return {**content, "parts": [_numbered_part(part, ordinals) for part in parts]}


def _numbered_part(part: dict[str, Any], ordinals: dict[str, str]) -> dict[str, Any]:
    for name in ("functionCall", "functionResponse"):
        called = part.get(name)
        if called is not None and isinstance(called.get("id"), str):
            ordinal = ordinals.setdefault(called["id"], f"call#{len(ordinals)}")
            return {**part, name: {**called, "id": ordinal}}
    return part
