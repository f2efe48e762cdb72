"""Money is exact, and a cost is never understated."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.core import money

AMOUNTS = st.integers(-(10**15), 10**15)


@given(AMOUNTS)
def test_nano_dollars_survive_the_way_to_dollars_and_back(amount: int) -> None:
    assert money.usd(money.to_decimal(money.NanoUsd(amount))) == amount


@given(st.decimals(min_value=0, max_value=10**6, allow_nan=False, allow_infinity=False))
def test_rounding_never_understates(amount: Decimal) -> None:
    nano = money.usd(amount)
    assert 0 <= Decimal(nano) - amount * money.NANO_PER_USD < 1


@given(AMOUNTS)
def test_what_is_shown_reads_back(amount: int) -> None:
    text = money.show(money.NanoUsd(amount))
    assert money.usd(text.replace("$", "")) == amount
    whole, _, cents = text.partition(".")
    assert len(cents) >= 2
    assert "$" in whole


@pytest.mark.parametrize(
    ("amount", "shown"), [(0, "$0.00"), (4_200_000, "$0.0042"), (500_000_000, "$0.50"), (-1, "-$0.000000001")]
)
def test_how_amounts_are_shown(amount: int, shown: str) -> None:
    assert money.show(money.NanoUsd(amount)) == shown


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "sNaN", "", "a dollar", "1,5", 0.1])
def test_what_is_no_amount_is_refused(amount: str) -> None:
    with pytest.raises(ValueError):
        money.usd(amount)
