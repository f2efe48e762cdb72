"""Patterns of names: a star is any text, and nothing else means anything."""

import pytest

from airside.core.patterns import fits, fits_any


@pytest.mark.parametrize(
    ("name", "pattern", "whether"),
    [
        ("get_order", "get_order", True),
        ("get_order", "get_*", True),
        ("get_order", "*", True),
        ("get_order", "get_*_x", False),
        ("get_order", "get_orde?", False),
        ("get_order", "get_*[r]", False),
        ("GET /orders/{id}", "GET /orders/*", True),
        ("GET /orders[0]", "*[0]", True),
        ("Get_order", "get_*", False),
    ],
)
def test_only_the_star_is_special(name: str, pattern: str, whether: bool) -> None:
    assert fits(name, pattern) is whether
    assert fits_any(name, ("nothing", pattern)) is whether


def test_no_patterns_fit_nothing() -> None:
    assert not fits_any("x", ())
