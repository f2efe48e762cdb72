"""An operation of an OpenAPI document as a tool: which arguments it has, and where each of them goes. Pure, no I/O."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from msgspec import Struct

from airside.gateways.tools.foreign import plain, plain_schema
from airside.gateways.tools.openapi.document import Document, Found
from airside.gateways.tools.openapi.schemas import Schemas

BODY: Final = "body"
PLACES: Final = ("path", "query", "header", "cookie")
STYLES: Final = {"path": "simple", "query": "form", "header": "simple", "cookie": "form"}
_KNOWN_STYLES: Final = {
    "path": {"simple", "label", "matrix"},
    "query": {"form", "spaceDelimited", "pipeDelimited", "deepObject"},
    "header": {"simple"},
    "cookie": {"form"},
}
_NOT_PARAMETERS: Final = frozenset({"accept", "content-type", "authorization"})
_FORM: Final = "application/x-www-form-urlencoded"


class Parameter(Struct, frozen=True):
    """Where an argument goes: `place`, under `name`, written in a `style`; `as_json` if it is JSON within."""

    argument: str
    name: str
    place: str
    style: str
    explode: bool
    required: bool
    as_json: bool = False


class Operation(Struct, frozen=True, kw_only=True):
    """What can be asked of the API. `media` is the media type of the body, empty if it takes none."""

    native: str
    method: str
    path: str
    description: str
    schema: Mapping[str, Any]
    parameters: tuple[Parameter, ...]
    media: str = ""


def operation(document: Document, found: Found, given: Collection[str]) -> Operation:
    """Return an operation with the JSON Schema of its arguments.

    `given` are names of headers and query parameters that the settings fill, in lower case; agents cannot. Raises
    ValueError, saying why, for what cannot be a tool.
    """
    schemas = Schemas(document)
    properties: dict[str, Any] = {}
    required: list[str] = []
    parameters = []
    for node in _parameters(document, found):
        name, place = node["name"], node["in"]
        if name.lower() in given and place in {"header", "query"}:
            continue
        if place == "header" and name.lower() in _NOT_PARAMETERS:
            continue
        argument = name if name not in properties and name != BODY else f"{place}_{name}"
        parameter, schema = _parameter(argument, node)
        properties[argument] = _described(schemas.read(document_schema(node, schema)), node.get("description"))
        required += [argument] if parameter.required else []
        parameters.append(parameter)
    media = ""
    if "requestBody" in found.operation:
        body = document.resolved(found.operation["requestBody"])
        media, schema = _body(document, body)
        properties[BODY] = _described(schemas.read(schema), body.get("description"))
        required += [BODY] if body.get("required") is True else []
    _refuse_unfilled(found.path, parameters)
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    if definitions := schemas.definitions():
        schema["$defs"] = definitions
    texts = [found.operation.get("summary"), found.operation.get("description")]
    said = "\n\n".join(dict.fromkeys(text.strip() for text in texts if isinstance(text, str) and text.strip()))
    return Operation(
        native=found.native,
        method=found.method.upper(),
        path=found.path,
        description=plain(said or f"{found.method.upper()} {found.path}"),
        schema=plain_schema(schema),
        parameters=tuple(parameters),
        media=media,
    )


def document_schema(node: Mapping[str, Any], schema: Any) -> Any:
    """Return the schema of a parameter; one without says nothing of its value."""
    return schema if schema is not None else {"type": "string"} if node.get("in") == "path" else {}


def _parameters(document: Document, found: Found) -> list[Mapping[str, Any]]:
    """Return the parameters of the path item and the operation, which beats it."""
    merged: dict[tuple[str, str], Mapping[str, Any]] = {}
    for nodes in (found.item.get("parameters"), found.operation.get("parameters")):
        for entry in nodes if isinstance(nodes, list) else []:
            node = document.resolved(entry)
            name, place = node.get("name"), node.get("in")
            if not isinstance(name, str) or not name or place not in PLACES:
                raise ValueError("a parameter has no name, or a place that does not exist")
            merged[name, place] = node
    return list(merged.values())


def _parameter(argument: str, node: Mapping[str, Any]) -> tuple[Parameter, Any]:
    place = node["in"]
    style = node.get("style", STYLES[place])
    if style not in _KNOWN_STYLES[place]:
        raise ValueError(f"parameter {node['name']!r} has a style that does not exist there")
    content = node.get("content")
    schema, as_json = node.get("schema"), False
    if isinstance(content, Mapping) and content:
        media, entry = next(iter(content.items()))
        if not _is_json(media) or not isinstance(entry, Mapping):
            raise ValueError(f"parameter {node['name']!r} is of a kind that is not supported: {media}")
        schema, as_json = entry.get("schema", {}), True
    parameter = Parameter(
        argument=argument,
        name=node["name"],
        place=place,
        style=style,
        explode=node.get("explode", style == "form") is True,
        required=place == "path" or node.get("required") is True,
        as_json=as_json,
    )
    return parameter, schema


def _body(document: Document, body: Mapping[str, Any]) -> tuple[str, Any]:
    content = body.get("content")
    entries = content if isinstance(content, Mapping) else {}
    json_first = sorted(entries, key=lambda media: (not _is_json(media), media != _FORM))
    for media in json_first:
        entry = document.resolved(entries[media])
        if _is_json(media) or media.startswith((_FORM, "text/plain")):
            default = {"type": "string"} if media.startswith("text/plain") else {}
            return media, entry.get("schema", default)
    raise ValueError(f"its body is of a kind that is not supported: {', '.join(map(str, entries))[:100] or 'none'}")


def _refuse_unfilled(path: str, parameters: list[Parameter]) -> None:
    filled = {parameter.name for parameter in parameters if parameter.place == "path"}
    wanted = {part.partition("}")[0] for part in path.split("{")[1:]}
    if wanted - filled:
        raise ValueError(f"its path has {{{sorted(wanted - filled)[0]}}}, which no parameter fills")
    if not path.startswith("/") or any(char in path for char in "?#\\") or "//" in path:
        raise ValueError("its path is not acceptable")


def _described(schema: Any, description: Any) -> Any:
    if isinstance(schema, dict) and isinstance(description, str) and "description" not in schema:
        return {**schema, "description": description}
    return schema


def _is_json(media: str) -> bool:
    kind = media.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")
