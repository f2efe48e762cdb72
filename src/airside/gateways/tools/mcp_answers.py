"""What the MCP face answers: tools as clients of the protocol see them, results, and errors. Pure, no I/O.

A tool that promises a schema of its result keeps the promise also when a reviewer has edited the call: then the result
has a field of airside's own, which the promise mentions, so that whoever reads the structure reads the edit.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET

from airside.core.call import Effect, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.tool import Tool
from airside.gateways.tools.answer import edit_note, error_value, unpack

PAGE: Final = 200
EDITED: Final = "airside_edited"
_ROOT: Final = frozenset(
    {
        "type",
        "properties",
        "required",
        "additionalProperties",
        "title",
        "description",
        "$defs",
        "definitions",
        "$schema",
    }
)
_NOTE: Final = {"type": "object", "description": "Set if a reviewer changed the arguments of this call before it ran."}


def page(tools: Sequence[Tool], cursor: str | None) -> dict[str, Any]:
    """Return a page of tools, which are in the order of their names; a cursor is the last name of the page before."""
    rest = [tool for tool in tools if cursor is None or tool.name > cursor]
    found: dict[str, Any] = {"tools": [described(tool) for tool in rest[:PAGE]]}
    if len(rest) > PAGE:
        found["nextCursor"] = rest[PAGE - 1].name
    return found


def described(tool: Tool) -> dict[str, Any]:
    """Return a tool as MCP has it. What its manifest says stands in the annotations; undeclared is the worst."""
    answer: dict[str, Any] = {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": dict(tool.schema),
        "annotations": {
            "readOnlyHint": tool.effect is Effect.READ,
            "destructiveHint": tool.effect is not Effect.READ and not tool.reversible,
            "idempotentHint": tool.idempotent,
            "openWorldHint": bool(tool.hosts) or not tool.declared,
        },
    }
    if promised := promise(tool):
        answer["outputSchema"] = promised
    return answer


def promise(tool: Tool) -> dict[str, Any]:
    """Return the schema of a tool's structured content as it is promised to clients; empty for no promise."""
    if not tool.returns or tool.returns.get("type") != "object" or tool.returns.keys() - _ROOT:
        return {}
    return {**tool.returns, "properties": {**tool.returns.get("properties", {}), EDITED: _NOTE}}


def result(outcome: Outcome, tool: Tool | None) -> dict[str, Any]:
    """Return a tool's answer as MCP has it: text always, structured if it is an object.

    Without a promise an edited call has no structured content, because clients that use it would not read the note.
    `airside/text` says that the text is the result itself, a string, and not JSON to be parsed.
    """
    answer = unpack(outcome.body)
    value = msgspec.json.decode(answer.result)
    text = value if isinstance(value, str) else bytes(answer.result).decode()
    meta: dict[str, Any] = {"airside/text": True} if isinstance(value, str) else {}
    told: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": False}
    promised = tool is not None and bool(promise(tool))
    if answer.edited_arguments is not UNSET:
        arguments = msgspec.json.decode(answer.edited_arguments)
        told["content"].insert(0, {"type": "text", "text": edit_note(answer)})
        meta["airside/edited_arguments"] = arguments
        if promised and isinstance(value, dict):
            told["structuredContent"] = {**value, EDITED: {"note": edit_note(answer), "arguments": arguments}}
    elif isinstance(value, dict):
        told["structuredContent"] = value
    if meta:
        told["_meta"] = meta
    return told


def error_result(error: AirsideError) -> Mapping[str, Any]:
    """Return a failure that an agent can go on from, as the result of its call."""
    text = f"{error.code}: {error.message}"
    if error.code is not Code.TOOL_FAILED:
        text += f". {error.advice}"
    return {
        "content": [{"type": "text", "text": text}],
        "isError": True,
        "_meta": {"airside/error": error_value(error)},
    }
