"""The shop's own database: customers, orders and refunds in an SQLite file that only the shop's tools open."""

import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

_SCHEMA = """
CREATE TABLE customers (customer_id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL);
CREATE TABLE orders (order_id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, item TEXT NOT NULL,
                     cents INTEGER NOT NULL, status TEXT NOT NULL);
CREATE TABLE refunds (refund_id INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER NOT NULL, cents INTEGER NOT NULL,
                      idempotency_key TEXT NOT NULL UNIQUE);
"""
_NAMES = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Radia", "Tim", "Katherine", "Leslie")
_ITEMS = (("kettle", 3490), ("espresso machine", 24900), ("teapot", 1850), ("grinder", 8900), ("mug", 950))
_STATUSES = ("delivered", "delivered", "delivered", "in transit", "packed")


def create(path: Path, *, seed: int = 7) -> None:
    """Make the shop: ten customers and forty orders, the same for the same seed."""
    draw = random.Random(seed)  # a seeded generator: the shop's data, nothing secret
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_SCHEMA)
        for number, name in enumerate(_NAMES, start=1):
            database.execute("INSERT INTO customers VALUES (?, ?, ?)", (number, name, f"{name.lower()}@shop.invalid"))
        for order_id in range(1001, 1041):
            item, cents = draw.choice(_ITEMS)
            order = (order_id, draw.randint(1, len(_NAMES)), item, cents, draw.choice(_STATUSES))
            database.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", order)


@contextmanager
def opened() -> Iterator[sqlite3.Connection]:
    """Open the shop named by SHOP_DATABASE, commit on success."""
    with closing(sqlite3.connect(os.environ["SHOP_DATABASE"], timeout=10)) as database:
        database.row_factory = sqlite3.Row
        with database:
            yield database


def refunds(path: Path, order_id: int) -> list[int]:
    """Return the cents of every refund of an order."""
    with closing(sqlite3.connect(path, timeout=10)) as database:
        rows = database.execute("SELECT cents FROM refunds WHERE order_id = ? ORDER BY refund_id", (order_id,))
        return [cents for (cents,) in rows]


def order_of(path: Path, *, item: str, status: str) -> int:
    """Return the first order of an item in a status, for a scenario that needs one."""
    with closing(sqlite3.connect(path, timeout=10)) as database:
        query = "SELECT min(order_id) FROM orders WHERE item = ? AND status = ?"
        (order_id,) = database.execute(query, (item, status)).fetchone()
        return int(order_id)
