"""Exact money: integers of nano-dollars (1 USD = 1,000,000,000), never floats.

Nano-dollars hold the cheapest published token price ($0.01 per million tokens = 10 nano-dollars a token) exactly.
"""

from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import NewType

NanoUsd = NewType("NanoUsd", int)

NANO_PER_USD = 1_000_000_000
ZERO = NanoUsd(0)


def usd(amount: str | int | Decimal) -> NanoUsd:
    """Return an amount of dollars as nano-dollars, rounded up so that a cost is never understated.

    Raises ValueError for text that is no finite number. Floats are refused by type: `usd("0.1")`, not `usd(0.1)`.
    """
    if isinstance(amount, float):
        raise ValueError("money is never a float; pass text or Decimal")
    try:
        value = Decimal(amount)
    except InvalidOperation as error:
        raise ValueError(f"not an amount of dollars: {amount!r}") from error
    if not value.is_finite():
        raise ValueError(f"not an amount of dollars: {amount!r}")
    return NanoUsd(int((value * NANO_PER_USD).to_integral_value(rounding=ROUND_CEILING)))


def to_decimal(amount: NanoUsd) -> Decimal:
    """Return nano-dollars as dollars, exactly."""
    return Decimal(amount).scaleb(-9)


def show(amount: NanoUsd) -> str:
    """Return an amount for people: `$0.0042`, with at least two decimals and no trailing zeros beyond them."""
    text = f"{to_decimal(amount):.9f}".rstrip("0")
    whole, _, cents = text.partition(".")
    return f"${whole}.{cents.ljust(2, '0')}" if amount >= 0 else f"-{show(NanoUsd(-amount))}"
