"""How much work a JSON Schema can make of arguments: servers and agents send schemas, and the gateway is everybody's.

Counted is how often one value may be looked at, at each depth of nesting: references that double, or variants that
refer back to the whole, multiply with every level. Pure, and bounded itself.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from msgspec import Struct

from airside.core.errors import AirsideError, Code

LOOKS_MAX: Final = 10_000
"""How often one value may be looked at."""

LOOKS_FEW: Final = 64
"""Schemas that look at a value no more often than this are not worth measuring arguments for."""

WORK_MAX: Final = 30_000_000
"""Looks at all values together, in which 64 characters count as a value: about half a second."""

SQUARES_MAX: Final = 100_000_000
"""Looks at the squares of lengths, where patterns look ahead or back: those may take as long as that."""

DEPTH_MAX: Final = 64
_DEPTHS: Final = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, DEPTH_MAX)
_CHARS_A_VALUE: Final = 64
_HERE_LISTS: Final = ("allOf", "anyOf", "oneOf")
_HERE: Final = ("not", "if", "then", "else")
_OF_ITEMS: Final = ("items", "additionalItems", "contains", "unevaluatedItems")
_OF_PROPERTIES: Final = ("additionalProperties", "unevaluatedProperties", "propertyNames")


class Size(Struct):
    """What arguments are: how many values, how deep, and how long their texts, also squared."""

    values: int = 0
    depth: int = 0
    chars: int = 0
    squares: int = 0


class Effort:
    """The work of one schema. Raises `limit_exceeded` or `invalid_request` if it is too much for any arguments."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._counted: dict[tuple[int, int], tuple[int, int] | None] = {}
        self._looks: list[tuple[int, int]] = []
        try:
            for depth in _DEPTHS:
                looks = max(self._at(schema, depth))
                if looks > LOOKS_MAX:
                    break
                self._looks.append((depth, looks))
        except RecursionError:
            raise AirsideError(Code.LIMIT_EXCEEDED, "the tool's schema refers on too often") from None
        self._counted.clear()
        if not self._looks:
            raise AirsideError(
                Code.LIMIT_EXCEEDED, f"the tool's schema may look at a value more than {LOOKS_MAX} times"
            )

    def check(self, arguments: Any, *, squared: bool) -> None:
        """Raise `invalid_arguments` for arguments that would take too long; `squared` if patterns look around."""
        if not squared and self._looks[-1][0] == DEPTH_MAX and self._looks[-1][1] <= LOOKS_FEW:
            return
        size = Size()
        _measure(arguments, 0, size)
        looks = next((looks for depth, looks in self._looks if depth >= size.depth), 0)
        work = looks * (size.values + size.chars // _CHARS_A_VALUE)
        if not looks or work > WORK_MAX or (squared and looks * size.squares > SQUARES_MAX):
            raise AirsideError(
                Code.INVALID_ARGUMENTS, "the arguments are too large, or too deep, for what the tool's schema checks"
            )

    def _at(self, node: Any, depth: int) -> tuple[int, int]:
        """Return how often a node looks at a value, or at any one below it: of a list, and of an object."""
        if not isinstance(node, Mapping):
            return 1, 1
        key = (id(node), depth)
        if key in self._counted:
            known = self._counted[key]
            if known is None:
                raise AirsideError(Code.INVALID_REQUEST, "the tool's schema is no JSON Schema: it refers to itself")
            return known
        self._counted[key] = None
        of_list = of_object = 1
        for child in self._here(node):
            looks = self._at(child, depth)
            of_list, of_object = of_list + looks[0], of_object + looks[1]
        if depth:
            of_list += self._each(node.get("prefixItems"), depth)
            of_list += sum(max(self._at(each, depth - 1)) for each in _below(node, _OF_ITEMS))
            of_object += self._each(node.get("properties"), depth)
            patterns = node.get("patternProperties")
            others = [*_below(node, _OF_PROPERTIES), *(patterns.values() if isinstance(patterns, Mapping) else ())]
            of_object += sum(max(self._at(each, depth - 1)) for each in others)
        found = self._counted[key] = min(of_list, LOOKS_MAX + 1), min(of_object, LOOKS_MAX + 1)
        return found

    def _each(self, nodes: Any, depth: int) -> int:
        """Return the most of nodes that each look at another value."""
        children = nodes.values() if isinstance(nodes, Mapping) else nodes if isinstance(nodes, list | tuple) else ()
        return max([max(self._at(child, depth - 1)) for child in children], default=0)

    def _here(self, node: Mapping[str, Any]) -> Iterator[Any]:
        """Yield what looks at the same value."""
        if node is not self._schema and isinstance(node.get("$id"), str):
            raise _unknown("$id")
        for name in ("$dynamicRef", "$recursiveRef"):
            if name in node:
                raise _unknown(name)
        if "$ref" in node:
            yield self._referred(node["$ref"])
        for name in _HERE_LISTS:
            yield from node[name] if isinstance(node.get(name), list | tuple) else ()
        yield from [node[name] for name in _HERE if name in node]
        for name in ("dependentSchemas", "dependencies"):
            yield from node[name].values() if isinstance(node.get(name), Mapping) else ()

    def _referred(self, reference: Any) -> Any:
        if reference == "#":
            return self._schema
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise _unknown("$ref")
        found: Any = self._schema
        for part in unquote(reference[2:]).split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and name in found:
                found = found[name]
            elif isinstance(found, list | tuple) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            else:
                raise _unknown("$ref")
        return found


def _below(node: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[Any]:
    for name in names:
        child = node.get(name)
        yield from child if isinstance(child, list | tuple) else () if child is None else (child,)


def _unknown(name: str) -> AirsideError:
    return AirsideError(
        Code.INVALID_REQUEST, f"the tool's schema is no JSON Schema: {name} may only refer to places within it, as #/…"
    )


def _measure(value: Any, depth: int, size: Size) -> None:
    size.values += 1
    size.depth = max(size.depth, depth)
    if isinstance(value, str):
        size.chars += len(value)
        size.squares += len(value) ** 2
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _measure(str(key), depth + 1, size)
            _measure(item, depth + 1, size)
    elif isinstance(value, list | tuple):
        for item in value:
            _measure(item, depth + 1, size)
