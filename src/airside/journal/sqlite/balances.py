"""The writer's memory of budget nodes, so that a batch of calls costs one read and one write per node.

Balances are read at first use, changed in memory by `core.budget`, written once per batch, and forgotten as soon as
anyone else may have changed them: another process (seen by `PRAGMA data_version`), a transaction that named the
budgets table, or a batch that failed.
"""

import sqlite3

from airside.core.budget import Balance, Limits
from airside.core.errors import AirsideError, Code

NODES_MAX = 20_000

_READ = """SELECT limit_nanousd, limit_tokens, limit_calls, limit_turn_tool_calls, spent_nanousd, spent_tokens,
 spent_calls, turn_tool_calls, reserved_nanousd, reserved_tokens, reserved_calls
FROM budgets WHERE tenant_id = ?1 AND node = ?2"""
_WRITE = """UPDATE budgets SET spent_nanousd = ?3, spent_tokens = ?4, spent_calls = ?5, turn_tool_calls = ?6,
 reserved_nanousd = ?7, reserved_tokens = ?8, reserved_calls = ?9 WHERE tenant_id = ?1 AND node = ?2"""


class Balances:
    """Cached balances by (tenant, node). Used only inside the writer's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, str], Balance] = {}
        self._dirty: set[tuple[str, str]] = set()

    def trim(self) -> None:
        """Forget everything if it has become too much; call at the start of a transaction."""
        if len(self._known) > NODES_MAX:
            self.forget()

    def path(self, tenant_id: str, nodes: tuple[str, ...]) -> list[tuple[str, Balance]]:
        """Return the balances of a path. Raises AirsideError `internal` if a node does not exist (fail closed)."""
        found = []
        for node in nodes:
            balance = self._known.get((tenant_id, node)) or self._read(tenant_id, node)
            found.append((node, balance))
        return found

    def changed(self, tenant_id: str, nodes: tuple[str, ...]) -> None:
        """Note that the balances of a path were changed and must be written with this batch."""
        self._dirty.update([(tenant_id, node) for node in nodes])

    def write(self) -> None:
        """Write what was changed: one UPDATE per node, however many calls changed it."""
        if self._dirty:
            self._connection.executemany(_WRITE, [self._row(*key) for key in self._dirty])
            self._dirty.clear()

    def forget(self) -> None:
        """Drop everything, written or not."""
        self._known.clear()
        self._dirty.clear()

    def _read(self, tenant_id: str, node: str) -> Balance:
        row = self._connection.execute(_READ, (tenant_id, node)).fetchone()
        if row is None:
            raise AirsideError(Code.INTERNAL, f"the budget node {node!r} of the call does not exist")
        balance = Balance(Limits(*row[:4]), *row[4:])
        self._known[tenant_id, node] = balance
        return balance

    def _row(self, tenant_id: str, node: str) -> tuple[object, ...]:
        b = self._known[tenant_id, node]
        return (
            *(tenant_id, node, b.spent_nanousd, b.spent_tokens, b.spent_calls, b.turn_tool_calls),
            *(b.reserved_nanousd, b.reserved_tokens, b.reserved_calls),
        )
