"""Finds values in a call's arguments by their paths: `to`, `lines.0.account`; `*` is any item or key."""

from collections.abc import Iterator, Mapping
from typing import Any

from airside.core.tool import CRITICAL, ArgumentRole, Tool

DEPTH_MAX = 64  # far above what a request may nest


def found(arguments: Mapping[str, Any] | None, path: str) -> list[tuple[str, Any]]:
    """Return what stands at a path, with the exact path of each; containers are found as they are."""
    at: list[tuple[str, Any]] = [("", arguments or {})]
    for part in path.split("."):
        at = [deeper for place, value in at for deeper in _below(place, value, part)]
    return at


def leaves(path: str, value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield the values that are not containers of anything below a place, with their paths."""
    if isinstance(value, Mapping) and value and depth < DEPTH_MAX:
        for key, item in value.items():
            yield from leaves(f"{path}.{key}" if path else str(key), item, depth + 1)
    elif isinstance(value, list | tuple) and value and depth < DEPTH_MAX:
        for index, item in enumerate(value):
            yield from leaves(f"{path}.{index}" if path else str(index), item, depth + 1)
    else:
        yield path, value


def role_of(tool: Tool, path: str) -> ArgumentRole | None:
    """Return the role of the argument at an exact path: that of the longest declared path that leads there."""
    parts, best, role = path.split("."), 0, None
    for declared, its in tool.roles.items():
        steps = declared.split(".")
        fits = len(steps) <= len(parts) and all(a in ("*", b) for a, b in zip(steps, parts, strict=False))
        if fits and len(steps) > best:
            best, role = len(steps), its
    return role


def in_role(role: str, name: str) -> bool:
    """Whether an argument of a role (empty: undeclared) is meant by a name in a rule."""
    if name == "all":
        return True
    if name == "critical":
        return role == "" or role in CRITICAL
    return role == ("" if name == "undeclared" else name)


def _below(place: str, value: Any, part: str) -> list[tuple[str, Any]]:
    prefix = f"{place}." if place else ""
    if isinstance(value, Mapping):
        if part == "*":
            return [(f"{prefix}{key}", item) for key, item in value.items()]
        return [(f"{prefix}{part}", value[part])] if part in value else []
    if isinstance(value, list | tuple):
        if part == "*":
            return [(f"{prefix}{index}", item) for index, item in enumerate(value)]
        if part.isascii() and part.isdigit() and len(part) < 10 and int(part) < len(value):
            return [(f"{prefix}{int(part)}", value[int(part)])]
    return []
