"""What a tool of an MCP server returned, as the result of a call: JSON, with binaries kept apart. No I/O here.

Structured content is the result if there is any; else a single text is; else the list of contents is, in which each
binary is named by its content id.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final

from airside.core.errors import AirsideError, Code
from airside.gateways.tools.arguments import ArgumentSchema
from airside.gateways.tools.foreign import plain

ERROR_CHARS_MAX: Final = 2_000
CONTENTS_MAX: Final = 1_000

Keep = Callable[[bytes], str]
"""Takes a binary and returns its content id."""


def result_of(raw: Mapping[str, Any], returns: ArgumentSchema | None, keep: Keep) -> Any:
    """Return the result of a call as a JSON value.

    Raises AirsideError `tool_failed` for what the tool reports as an error, for what asks the caller something (which
    is refused), for what is no result, and for structured content that the tool's own schema forbids.
    """
    if raw.get("resultType", "complete") != "complete":
        raise AirsideError(Code.TOOL_FAILED, "the tool asks for input, which no tool may")
    contents = raw.get("content", [])
    if not isinstance(contents, list) or len(contents) > CONTENTS_MAX:
        raise AirsideError(Code.TOOL_FAILED, "the server sent what is no result")
    if raw.get("isError") is True:
        texts = [block.get("text") for block in contents if isinstance(block, dict)]
        said = "\n".join(text for text in texts if isinstance(text, str))
        raise AirsideError(Code.TOOL_FAILED, plain(said, ERROR_CHARS_MAX) or "the tool failed and did not say why")
    structured = raw.get("structuredContent")
    if returns is not None:
        _conforms(structured, returns)
    if structured is not None:
        return structured
    blocks = [_block(block, keep) for block in contents]
    if len(blocks) == 1 and blocks[0]["type"] == "text":
        return blocks[0]["text"]
    return {"content": blocks}


def _conforms(structured: Any, returns: ArgumentSchema) -> None:
    try:
        returns.check(structured)
    except AirsideError as error:
        why = error.message.replace("arguments", "the result")
        raise AirsideError(Code.TOOL_FAILED, f"the tool's result does not fit the schema it promises: {why}") from None


def _block(block: Any, keep: Keep) -> dict[str, Any]:
    """Return one content; what is binary becomes a name."""
    match block:
        case {"type": "text", "text": str(text)}:
            return {"type": "text", "text": text}
        case {"type": "image" | "audio" as kind, "data": str(data), **more}:
            return {"type": kind, "mime_type": str(more.get("mimeType", "")), **_kept(data, keep)}
        case {"type": "resource", "resource": {"blob": str(data), **more}}:
            named = {"type": "resource", "uri": str(more.get("uri", "")), "mime_type": str(more.get("mimeType", ""))}
            return {**named, **_kept(data, keep)}
        case {"type": "resource", "resource": {"text": str(text), **more}}:
            return {"type": "resource", "uri": str(more.get("uri", "")), "text": text}
        case {"type": "resource_link", "uri": str(uri), **more}:
            return {"type": "resource_link", "uri": uri, "name": str(more.get("name", ""))}
    raise AirsideError(Code.TOOL_FAILED, "the server sent a kind of content that does not exist")


def _kept(data: str, keep: Keep) -> dict[str, Any]:
    try:
        binary = base64.b64decode(data, validate=True)
    except binascii.Error:
        raise AirsideError(Code.TOOL_FAILED, "the server sent a binary that is not base64") from None
    return {"content_id": keep(binary), "bytes": len(binary)}
