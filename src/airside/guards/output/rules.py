"""Business rules over what a model says: typed expressions over its JSON, or its text. Pure, exact, no evaluation.

An expression names a place (`path`) and says what must hold of it (`is`, `at_least`, `one_of`, …), or joins others
(`all`, `any`, `not`). Numbers are compared exactly, also those that stand in texts; what cannot be compared does not
hold.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final

import msgspec
import re2

from airside.config.guard_output import CheckSettings, Expression
from airside.guards.finding import Finding, Guard

_MISSING: Final = object()
_decode: Final = msgspec.json.Decoder(Any, float_hook=Decimal).decode
_VALUES_MAX: Final = 10_000  # that a path with `*` may reach
_NUMBER_CHARS_MAX: Final = 60
_MATCHED_CHARS_MAX: Final = 262_144


def broken(checks: Sequence[CheckSettings], agent: str, text: str) -> list[tuple[CheckSettings, Finding]]:
    """Return the rules that an agent's answer breaks, each with its finding."""
    due = [check for check in checks if not check.agents or agent in check.agents]
    if not due:
        return []
    value = _read(text)
    return [
        (check, _of(check.name, text))
        for check in due
        if (check.when is None or holds(check.when, value, text)) and not holds(check.require, value, text)
    ]


def _of(name: str, text: str) -> Finding:
    return Finding(guard=Guard.RULES, rule=name, kind=name, start=0, end=len(text))


def _read(text: str) -> Any:
    """Return an answer's values, with numbers as they are written; its text if it is no JSON."""
    try:
        return _decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return _MISSING


def holds(expression: Expression, value: Any, text: str) -> bool:
    """Whether an expression holds of an answer. Of several values under a path with `*`, all must fit."""
    if expression.all is not None:
        return all(holds(inner, value, text) for inner in expression.all)
    if expression.any is not None:
        return any(holds(inner, value, text) for inner in expression.any)
    if expression.not_ is not None:
        return not holds(expression.not_, value, text)
    found = _at(expression.path or "", value, text)
    if expression.exists is not None:
        return bool(found) is expression.exists
    return bool(found) and all(_fits(expression, one, value, text) for one in found)


def _at(path: str, value: Any, text: str) -> list[Any]:
    """Return the values at a path; `$text` is the whole text, `*` every item, an empty path the whole value."""
    if path == "$text":
        return [text]
    found = [] if value is _MISSING else [value]
    for step in path.split(".") if path else ():
        found = [inner for one in found for inner in _step(one, step)][:_VALUES_MAX]
    return found


def _step(value: Any, step: str) -> Sequence[Any]:
    if isinstance(value, Mapping):
        return list(value.values()) if step == "*" else [value[step]] if step in value else []
    if isinstance(value, list):
        if step == "*":
            return value
        if step.isdecimal() and len(step) < 9 and int(step) < len(value):
            return [value[int(step)]]
    return []


def _fits(expression: Expression, found: Any, value: Any, text: str) -> bool:
    for name in expression.model_fields_set & _OPERATORS.keys():
        wanted = getattr(expression, name)
        if wanted is not None and not _OPERATORS[name](found, wanted):
            return False
    for name in expression.model_fields_set & _AGAINST.keys():
        path = getattr(expression, name)
        if path is not None:
            others = _at(path, value, text)
            if len(others) != 1 or not _OPERATORS[_AGAINST[name]](found, others[0]):
                return False
    return True


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal | float):
        return Decimal(str(value))
    if isinstance(value, str) and 0 < len(value) <= _NUMBER_CHARS_MAX:
        try:
            number = Decimal(value.strip())
        except InvalidOperation:
            return None
        return number if number.is_finite() else None
    return None


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    left, right = _number(found), _number(wanted)
    return left == right if left is not None and right is not None else bool(found == wanted)


def _order(found: Any, wanted: Any) -> int | None:
    left, right = _number(found), _number(wanted)
    if left is None or right is None:
        return None
    return (left > right) - (left < right)


def _matches(found: Any, wanted: Any) -> bool:
    text = found if isinstance(found, str) else ""
    return isinstance(found, str) and len(text) <= _MATCHED_CHARS_MAX and _pattern(wanted).search(text) is not None


@lru_cache(256)
def _pattern(expression: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(expression, options)


def _contains(found: Any, wanted: Any) -> bool:
    if isinstance(found, str):
        return str(wanted).casefold() in found.casefold()
    return isinstance(found, list) and any(_same(item, wanted) for item in found)


def _length(found: Any) -> int:
    return len(found) if isinstance(found, str | list | Mapping) else -1


_OPERATORS: Final[Mapping[str, Any]] = {
    "is_": _same,
    "is_not": lambda found, wanted: not _same(found, wanted),
    "at_least": lambda found, wanted: _order(found, wanted) in {0, 1},
    "at_most": lambda found, wanted: _order(found, wanted) in {0, -1},
    "above": lambda found, wanted: _order(found, wanted) == 1,
    "below": lambda found, wanted: _order(found, wanted) == -1,
    "one_of": lambda found, wanted: any(_same(found, item) for item in wanted),
    "none_of": lambda found, wanted: not any(_same(found, item) for item in wanted),
    "matches": _matches,
    "contains": _contains,
    "length_at_least": lambda found, wanted: _length(found) >= wanted,
    "length_at_most": lambda found, wanted: 0 <= _length(found) <= wanted,
}
_AGAINST: Final[Mapping[str, str]] = {
    "is_path": "is_",
    "at_least_path": "at_least",
    "at_most_path": "at_most",
}
