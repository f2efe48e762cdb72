"""Business rules over answers: typed, exact, and closed."""

from typing import Any

import pytest
from pydantic import ValidationError

from airside.config.guard_output import CheckSettings, Expression
from airside.guards.output.rules import broken

ORDER = (
    '{"total": 19.99, "limit": "20", "items": [{"price": 9.99, "sku": "A-1"}, {"price": 10.00, "sku": "B-2"}],'
    ' "to": "Anna", "paid": false, "big": 12345678901234567890, "none": null}'
)


def says(text: str, **expression: Any) -> bool:
    """Whether an expression holds of a text."""
    check = CheckSettings.model_validate({"name": "it", "require": expression})
    return broken([check], "a", text) == []


@pytest.mark.parametrize(
    "expression",
    [
        {"path": "total", "is": "19.99"},
        {"path": "total", "at_most": "19.990"},
        {"path": "total", "at_least": "19.99"},
        {"path": "total", "below": 20},
        {"path": "total", "at_most_path": "limit"},
        {"path": "items.*.price", "at_most": 10},
        {"path": "items.0.sku", "matches": "^[A-Z]-[0-9]$"},
        {"path": "items.*.sku", "one_of": ["A-1", "B-2"]},
        {"path": "items", "length_at_least": 2, "length_at_most": 2},
        {"path": "to", "contains": "ann", "is_not": "Bob", "none_of": ["Bob"]},
        {"path": "paid", "is": False},
        {"path": "missing", "exists": False},
        {"path": "none", "exists": True},
        {"path": "big", "is": 12345678901234567890},
        {"path": "$text", "contains": "Anna"},
        {"all": [{"path": "paid", "is": False}, {"any": [{"path": "x", "is": 1}, {"path": "to", "is": "Anna"}]}]},
        {"not": {"path": "total", "above": 20}},
    ],
)
def test_what_holds(expression: dict[str, Any]) -> None:
    assert says(ORDER, **expression)
    assert not says(ORDER, **{"not": expression})


@pytest.mark.parametrize(
    "expression",
    [
        {"path": "paid", "is": 0},
        {"path": "paid", "at_most": 1},
        {"path": "missing", "at_most": 1},
        {"path": "to", "at_least": 0},
        {"path": "items.*.price", "at_most": "9.99"},
        {"path": "items.5.price", "at_most": 100},
        {"path": "total", "at_most_path": "missing"},
        {"path": "to", "matches": "^ann"},
    ],
)
def test_what_cannot_be_compared_does_not_hold(expression: dict[str, Any]) -> None:
    assert not says(ORDER, **expression)


@pytest.mark.parametrize(
    "expression",
    [
        {},
        {"path": "x"},
        {"path": "x", "any": []},
        {"all": [{"path": "x", "is": 1}], "is": 1},
        {"path": "x", "evaluate": "1"},
        {"path": "x", "matches": "(?=a)"},
    ],
)
def test_expressions_are_closed(expression: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Expression.model_validate(expression)


def test_rules_are_for_agents_and_for_some_answers() -> None:
    check = CheckSettings.model_validate(
        {
            "name": "small",
            "agents": ["a"],
            "when": {"path": "to", "exists": True},
            "require": {"path": "total", "at_most": 5},
        }
    )
    assert [one.rule for _, one in broken([check], "a", ORDER)] == ["small"]
    assert broken([check], "b", ORDER) == []
    assert broken([check], "a", '{"total": 9}') == []
    assert broken([check], "a", "no JSON") == []
    assert [one.rule for _, one in broken([check.model_copy(update={"when": None})], "a", "no JSON")] == ["small"]
