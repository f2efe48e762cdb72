"""The shop's tools, run in the tool host: the agent reaches the shop only through these."""

from decimal import Decimal

from airside import ToolContext, tool
from airside.cli.demo import shop_database


@tool(effect="read")
def find_order(order_id: int) -> dict[str, object]:
    """Look up one order: item, price in dollars, status and customer."""
    with shop_database.opened() as shop:
        row = shop.execute("SELECT * FROM orders WHERE order_id = ?", (order_id,)).fetchone()
    if row is None:
        raise ValueError(f"there is no order {order_id}")
    return {
        "order_id": row["order_id"],
        "customer_id": row["customer_id"],
        "item": row["item"],
        "price_usd": f"{Decimal(row['cents']) / 100:.2f}",
        "status": row["status"],
    }


@tool(effect="write", reversible=False, idempotent=True, amount="amount_usd")
def refund(order_id: int, amount_usd: str, context: ToolContext) -> dict[str, object]:
    """Pay back part or all of an order; amount_usd is dollars as text, like "18.50"."""
    cents = int(Decimal(amount_usd) * 100)
    with shop_database.opened() as shop:
        row = shop.execute("SELECT cents FROM orders WHERE order_id = ?", (order_id,)).fetchone()
        if row is None:
            raise ValueError(f"there is no order {order_id}")
        if not 0 < cents <= row["cents"]:
            raise ValueError(
                f"order {order_id} cost {Decimal(row['cents']) / 100} dollars; cannot pay back {amount_usd}"
            )
        shop.execute(
            "INSERT INTO refunds (order_id, cents, idempotency_key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (order_id, cents, context.idempotency_key),
        )
    return {"refunded_usd": f"{Decimal(cents) / 100:.2f}", "order_id": order_id}


@tool(effect="write", reversible=False)
def delete_customer(customer_id: int) -> dict[str, object]:
    """Delete a customer with everything they ever ordered."""
    with shop_database.opened() as shop:
        shop.execute("DELETE FROM customers WHERE customer_id = ?", (customer_id,))
    return {"deleted": customer_id}
