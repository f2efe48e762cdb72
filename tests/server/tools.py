"""A tool that the server's tests host."""

import airside


@airside.tool(effect="write", amount="amount_usd")
def pay(to: str, amount_usd: float) -> dict[str, object]:
    """Pay somebody."""
    return {"paid": to, "amount_usd": amount_usd}
