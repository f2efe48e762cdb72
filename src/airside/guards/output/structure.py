"""Structured answers: the JSON in what a model said, and whether it fits a schema. Pure; nothing is fetched."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NoReturn

import jsonschema_rs
import msgspec
import re2

SCHEMA_BYTES_MAX: Final = 262_144
ERRORS_MAX: Final = 10
_ERROR_CHARS_MAX: Final = 300
_FENCE: Final = re2.compile(r"(?s)```(?:json|JSON|json5)?[ \t]*\r?\n(.*?)```")


class Schema:
    """A compiled JSON Schema. Patterns are matched in linear time; a schema with others is refused."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._validator: Any = jsonschema_rs.validator_for(
            dict(schema),
            validate_formats=True,
            retriever=_never_fetch,
            mask="the value",
            pattern_options=jsonschema_rs.RegexOptions(),
        )

    def errors(self, value: Any) -> list[str]:
        """Return what does not fit, place by place, without the values; empty if all does."""
        try:
            found = []
            for error in self._validator.iter_errors(value):
                place = ".".join(str(part) for part in error.instance_path) or "the whole"
                found.append(f"{place}: {error.message}"[:_ERROR_CHARS_MAX])
                if len(found) == ERRORS_MAX:
                    break
            return found
        except (ValueError, RecursionError) as error:
            return [f"cannot be checked: {error}"[:_ERROR_CHARS_MAX]]


def compiled(schema: Mapping[str, Any]) -> Schema | None:
    """Return the compiled form of a schema, from a bounded cache; None for what is none, or too large."""
    try:
        text = msgspec.json.encode(schema)
        return _compiled(text) if len(text) <= SCHEMA_BYTES_MAX else None
    except (ValueError, TypeError, RecursionError, OverflowError, jsonschema_rs.ReferencingError):
        return None


@lru_cache(512)
def _compiled(text: bytes) -> Schema:
    return Schema(msgspec.json.decode(text))


def _never_fetch(uri: str) -> NoReturn:
    """A schema that points elsewhere must not make the gateway send requests."""
    raise ValueError(f"reference {uri!r} points outside of the schema")


def read(text: str) -> Any:
    """Return the JSON value that a text is; raises ValueError if it is none."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise ValueError("the answer is not JSON") from None


def taken_out(text: str) -> str | None:
    """Return the JSON that a text holds besides other words: in a fence, or from the first bracket to the last."""
    candidates: list[str] = [match.group(1) for match in _FENCE.finditer(text)]
    for opening, closing in (("{", "}"), ("[", "]")):
        start, end = text.find(opening), text.rfind(closing)
        if 0 <= start < end:
            candidates.append(text[start : end + 1])
    for candidate in candidates:
        try:
            read(candidate)
        except ValueError:
            continue
        return candidate.strip()
    return None


def problems(text: str, schema: Schema | None) -> list[str]:
    """Return why a text is not what was asked for; empty if it is. Without a schema it must be a JSON object."""
    try:
        value = read(text)
    except ValueError as error:
        return [str(error)]
    if schema is None:
        return [] if isinstance(value, dict) else ["the answer is not a JSON object"]
    return schema.errors(value)
