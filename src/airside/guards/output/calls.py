"""Calls of tools in an answer: of tools that were not offered, with arguments that do not fit, or that look dangerous.

The tool gateway decides what runs. Here is told early that a model makes things up, or was talked into something.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
import re2
from msgspec import Struct

from airside.guards.finding import Finding, Guard
from airside.guards.output.structure import Schema

_VALUE_CHARS_MAX: Final = 8_192
_DEPTH_MAX: Final = 32


class Called(Struct, frozen=True):
    """A call in an answer; `arguments` is the JSON text as the model wrote it."""

    name: str
    arguments: str


class Offered(Struct, frozen=True):
    """A tool that the request offered. `schema` is None where it says nothing of arguments."""

    name: str
    schema: Schema | None


def _any_of(*expressions: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False
    return re2.compile("|".join(f"(?:{expression})" for expression in expressions), options)


_COMMANDS: Final = (
    r"(?:rm|curl|wget|bash|sh|nc|ncat|python\d?|perl|powershell|cat|chmod|eval|exec|sudo|dd|mkfs|scp|ssh)"
)
_DANGERS: Final[Mapping[str, Any]] = {
    "shell": _any_of(
        r"[;&|]\s*" + _COMMANDS + r"\b\s",
        r"\$\(\s*" + _COMMANDS + r"\b[^)]*\)",
        r"`\s*" + _COMMANDS + r"\b[^`]*`",
        r"\brm\s+-[a-z]*[rf][a-z]*\s+[/~*.]",
        r"\|\s*(?:ba|z|k)?sh\b",
        r">\s*/(?:etc|dev|root|usr|bin)/",
    ),
    "path": _any_of(
        r"(?:^|[\\/])\.\.[\\/](?:\.\.[\\/])+",
        r"\.\.(?:%2f|%5c)",
        r"(?:^|[\s\"'=])(?:/(?:etc/(?:passwd|shadow|sudoers)|proc/self/|root/\.)|~/\.ssh|[a-z]:\\windows\\)",
        r"\.ssh/id_[a-z0-9]+|\.aws/credentials|\.kube/config",
    ),
    "sql": _any_of(
        r"['\"]\s*(?:or|and)\s+['\"]?\w+['\"]?\s*=\s*['\"]?\w+",
        r";\s*(?:drop|delete|truncate|alter|update|insert|grant)\s+(?:table|from|database|into|user|\w+\s+set)\b",
        r"\bunion\s+(?:all\s+)?select\b[^;]{0,200}\bfrom\b",
        r"'\s*;?\s*--\s*$",
        r"\bxp_cmdshell\b",
    ),
}
_SPEAKS: Final[Mapping[str, frozenset[str]]] = {
    "shell": frozenset({"command", "cmd", "script", "shell", "code", "bash"}),
    "path": frozenset(),
    "sql": frozenset({"sql", "query", "statement"}),
}
"""Arguments whose business such text is: only what no business has is told of there."""


def findings(call: Called, offered: Mapping[str, Offered]) -> Iterator[Finding]:
    """Yield what is wrong with a call, in spans of its arguments."""
    tool = offered.get(call.name)
    if tool is None:
        yield _of("unknown_tool", call, 1.0)
        return
    try:
        given = msgspec.json.decode(call.arguments or "{}")
    except (msgspec.MsgspecError, RecursionError):
        yield _of("arguments_no_json", call, 1.0)
        return
    if tool.schema is not None and tool.schema.errors(given):
        yield _of("arguments_do_not_fit", call, 1.0)
    for kind in dict.fromkeys(_dangers(given, "", 0)):
        yield _of(f"dangerous_{kind}", call, 0.6)


def _dangers(value: Any, name: str, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        text = value[:_VALUE_CHARS_MAX]
        for kind, pattern in _DANGERS.items():
            if name.casefold() not in _SPEAKS[kind] and pattern.search(text):
                yield kind
    elif depth < _DEPTH_MAX and isinstance(value, Mapping):
        for key, item in value.items():
            yield from _dangers(item, str(key), depth + 1)
    elif depth < _DEPTH_MAX and isinstance(value, list):
        for item in value:
            yield from _dangers(item, name, depth + 1)


def _of(rule: str, call: Called, score: float) -> Finding:
    return Finding(guard=Guard.TOOLS, rule=rule, kind=rule, start=0, end=len(call.arguments), score=score)
