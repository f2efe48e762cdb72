"""Checking a call's arguments against a tool's JSON Schema, compiled once, before anything else is decided."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NoReturn

import jsonschema_rs

from airside.core import canonical
from airside.core.errors import AirsideError, Code
from airside.gateways.tools.effort import Effort

SCHEMA_BYTES_MAX: Final = 262_144
BACKTRACKS_MAX: Final = 100_000
SCHEMAS_CACHED_MAX: Final = 1_024


class ArgumentSchema:
    """A compiled schema. Messages name the argument and the rule, never the value, which may be personal.

    Patterns are matched in linear time, unless one looks ahead or back: then the texts must not be long.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._looks_around = False
        try:
            try:
                self._validator = _validator(schema, jsonschema_rs.RegexOptions())
            except ValueError:
                self._validator = _validator(schema, jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACKS_MAX))
                self._looks_around = True
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise AirsideError(Code.INVALID_REQUEST, f"the tool's schema is no JSON Schema: {error}") from None
        self._effort = Effort(schema)

    def check(self, arguments: Any) -> None:
        """Raise `invalid_arguments`, naming the argument, unless the arguments are an object that fits."""
        if not isinstance(arguments, Mapping):
            raise AirsideError(Code.INVALID_ARGUMENTS, "arguments must be a JSON object")
        self._effort.check(arguments, squared=self._looks_around)
        try:
            self._validator.validate(arguments)
        except jsonschema_rs.ValidationError as error:
            place = ".".join(str(part) for part in error.instance_path) or "arguments"
            raise AirsideError(
                Code.INVALID_ARGUMENTS, f"{place}: {error.message}", details={"argument": place}
            ) from None
        except ValueError as error:
            raise AirsideError(Code.INVALID_ARGUMENTS, f"the arguments cannot be checked: {error}") from None


def _validator(schema: Mapping[str, Any], patterns: Any) -> Any:
    return jsonschema_rs.validator_for(
        dict(schema), validate_formats=True, retriever=_never_fetch, mask="the value", pattern_options=patterns
    )


def compile_schema(schema: Mapping[str, Any]) -> ArgumentSchema:
    """Return the compiled form of a schema, from a bounded cache.

    Raises AirsideError: `invalid_request` for what is no JSON Schema, `limit_exceeded` beyond SCHEMA_BYTES_MAX.
    """
    text = canonical.encode(schema)
    if len(text) > SCHEMA_BYTES_MAX:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"a tool's schema has {len(text)} bytes; at most {SCHEMA_BYTES_MAX}")
    return _compile(text)


@lru_cache(SCHEMAS_CACHED_MAX)
def _compile(text: bytes) -> ArgumentSchema:
    return ArgumentSchema(canonical.parse(text, bytes_max=SCHEMA_BYTES_MAX))


def _never_fetch(uri: str) -> NoReturn:
    """A schema that points elsewhere must not make the gateway send requests."""
    raise ValueError(f"reference {uri!r} points outside of the schema")
