"""Schemas of an OpenAPI document as JSON Schema: references become `$defs` of the tool's own, so cycles stay cycles.

3.0 has a dialect of its own (`nullable`, `exclusiveMinimum: true`), which is put into the words of 2020-12.
"""

from collections.abc import Mapping
from typing import Any, Final

from airside.gateways.tools.openapi.document import Document

DEFINITIONS_MAX: Final = 500
DEPTH_MAX: Final = 48
_DROPPED: Final = frozenset(
    {"discriminator", "xml", "externalDocs", "example", "examples", "deprecated", "readOnly", "writeOnly", "nullable"}
)
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SINGLE: Final = frozenset(
    {"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedProperties"}
)


class Schemas:
    """Reads the schemas of one operation, and remembers what they refer to."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._names: dict[str, str] = {}
        self._waiting: list[tuple[str, Any]] = []

    def read(self, node: Any, depth: int = 0) -> Any:
        """Return a schema of a request in JSON Schema; raises ValueError, saying why it is not usable."""
        if isinstance(node, bool):
            return node
        if not isinstance(node, Mapping):
            raise ValueError("a schema is no object")
        if depth > DEPTH_MAX:
            raise ValueError(f"a schema is nested deeper than {DEPTH_MAX} levels")
        if "$ref" in node:
            rest = {} if self._document.older else {key: value for key, value in node.items() if key != "$ref"}
            return {**self._keywords(rest, depth), "$ref": self._defined(node["$ref"])}
        return self._keywords(node, depth)

    def definitions(self) -> dict[str, Any]:
        """Return what the schemas read so far refer to, and what that refers to; raises ValueError like `read`."""
        found: dict[str, Any] = {}
        while self._waiting:
            name, target = self._waiting.pop()
            found[name] = self.read(target)
        return found

    def _defined(self, reference: Any) -> str:
        """Return the place that what is referred to will have among the definitions."""
        target = self._document.at(reference)
        name = self._names.get(reference)
        if name is None:
            if len(self._names) >= DEFINITIONS_MAX:
                raise ValueError(f"its schemas refer to more than {DEFINITIONS_MAX} others")
            last = "".join(char if char.isalnum() or char in "_-." else "_" for char in reference.rpartition("/")[2])
            name = last if last not in self._names.values() else f"{last}_{len(self._names)}"
            self._names[reference] = name
            self._waiting.append((name, target))
        return f"#/$defs/{name}"

    def _keywords(self, node: Mapping[str, Any], depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in node.items():
            if key in _DROPPED or not isinstance(key, str) or key.startswith("x-"):
                continue
            if key in _NAMED and isinstance(value, Mapping):
                kept = {n: s for n, s in value.items() if not (isinstance(s, Mapping) and s.get("readOnly") is True)}
                made[key] = {str(name): self.read(schema, depth + 1) for name, schema in kept.items()}
            elif key in _LISTS and isinstance(value, list):
                made[key] = [self.read(schema, depth + 1) for schema in value]
            elif key in _SINGLE:
                made[key] = self.read(value, depth + 1)
            else:
                made[key] = value
        _require_what_can_be_given(node, made)
        return _modern(node, made) if self._document.older else made


def _require_what_can_be_given(node: Mapping[str, Any], made: dict[str, Any]) -> None:
    properties = node.get("properties")
    if isinstance(made.get("required"), list) and isinstance(properties, Mapping):
        made["required"] = [name for name in made["required"] if name in made["properties"] or name not in properties]


def _modern(node: Mapping[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(made.get(exclusive), bool) and made.pop(exclusive) and bound in made:
            made[exclusive] = made.pop(bound)
    if node.get("nullable") is True:
        if isinstance(made.get("type"), str):
            made["type"] = [made["type"], "null"]
            if isinstance(made.get("enum"), list) and None not in made["enum"]:
                made["enum"] = [*made["enum"], None]
        elif made:
            return {"anyOf": [made, {"type": "null"}]}
    return made
