"""Reads the money that a tool call moves, exactly or not at all."""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from airside.core.tool import Tool

_PLAIN_NUMBER = re.compile(r"[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)
_PER_DOLLAR = {"usd": 1, "cents": 100}
_DIGITS_MAX = 10**30


class Money(NamedTuple):
    """An amount of dollars; None if it cannot be told, and then `problem` says why."""

    dollars: Decimal | None
    problem: str = ""


def amount_of(tool: Tool, arguments: Mapping[str, Any] | None) -> Money:
    """Return what the argument that the tool's manifest names as its amount holds.

    Accepted are numbers, and text of plain digits with at most one point. Negative, missing, repeated, non-finite or
    otherwise written amounts are not: they could mean another sum to the tool than to the rule.
    """
    name = tool.amount_argument
    if not name:
        return Money(None, f"tool {tool.name} does not declare which argument is its amount")
    if tool.amount_unit not in _PER_DOLLAR:
        return Money(None, f"tool {tool.name} declares an unknown unit of money")
    value = (arguments or {}).get(name)
    number = exact(value)
    if number is None:
        return Money(None, f"argument {name} is not an exact amount")
    if number < 0:
        return Money(None, f"argument {name} is negative")
    return Money(number / _PER_DOLLAR[tool.amount_unit])


def exact(value: object) -> Decimal | None:
    """Return a number, or text of plain digits, exactly; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value) if abs(value) < _DIGITS_MAX else None
    if isinstance(value, float):
        # The shortest text that reads back as this number: what canonical form and the tool see too.
        return Decimal(repr(value)) if math.isfinite(value) and abs(value) < _DIGITS_MAX else None
    if isinstance(value, Decimal):
        return value if value.is_finite() and abs(value) < _DIGITS_MAX else None
    if isinstance(value, str) and _PLAIN_NUMBER.fullmatch(value):
        return Decimal(value)
    return None
