"""Google's own subset of OpenAPI schemas as JSON Schema, which every other format takes."""

from collections.abc import Mapping
from typing import Any

_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_ORDER_ONLY = "propertyOrdering"


def json_schema(schema: Any) -> Any:
    """Return a schema as JSON Schema: types in lower case, counts as numbers, `nullable` as a type."""
    if not isinstance(schema, Mapping):
        return schema
    made: dict[str, Any] = {}
    for name, value in schema.items():
        if name == "type" and isinstance(value, str):
            made["type"] = value.lower()
        elif name in {"items", "additionalProperties"}:
            made[name] = json_schema(value)
        elif name == "properties" and isinstance(value, Mapping):
            made[name] = {inner: json_schema(item) for inner, item in value.items()}
        elif name == "anyOf" and isinstance(value, list):
            made[name] = [json_schema(item) for item in value]
        elif name in _COUNTS and isinstance(value, str) and value.isdigit():
            made[name] = int(value)
        elif name not in {"nullable", _ORDER_ONLY}:
            made[name] = value
    if schema.get("nullable") is True:
        return _or_null(made)
    return made


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}
