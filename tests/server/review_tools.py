"""Tools for the tests of reviewing."""

from typing import Any

import airside


@airside.tool(effect="read")
def find(name: str) -> dict[str, Any]:
    """Look somebody up."""
    return {"name": name, "iban": "DE00 1234"}


@airside.tool(effect="write", amount="amount_usd")
def pay(to: str, amount_usd: float) -> dict[str, Any]:
    """Pay somebody."""
    return {"paid": to, "amount_usd": amount_usd}
