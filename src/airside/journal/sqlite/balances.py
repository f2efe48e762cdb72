"""The writer's memory of budget nodes, so that a batch of calls costs one read and one write per node.

Balances are read at first use, changed in memory by `core.budget`, written once per batch, and forgotten as soon as
anyone else may have changed them: another process (seen by `PRAGMA data_version`), a transaction that named the
budgets table, or a batch that failed.
"""

import sqlite3

from msgspec.structs import astuple

from airside.core.budget import Balance, Limits
from airside.core.errors import AirsideError, Code

NODES_MAX = 20_000

_READ = """SELECT rowid, limit_nanousd, limit_tokens, limit_calls, limit_turn_tool_calls, spent_nanousd, spent_tokens,
 spent_calls, turn_tool_calls, reserved_nanousd, reserved_tokens, reserved_calls
FROM budgets WHERE tenant_id = ?1 AND node = ?2"""
_WRITE = """UPDATE budgets SET spent_nanousd = ?2, spent_tokens = ?3, spent_calls = ?4, turn_tool_calls = ?5,
 reserved_nanousd = ?6, reserved_tokens = ?7, reserved_calls = ?8 WHERE rowid = ?1"""


class Balances:
    """Cached balances by (tenant, node). Used only inside the writer's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, str], tuple[int, Balance]] = {}
        self._dirty: dict[int, Balance] = {}

    def trim(self) -> None:
        """Forget everything if it has become too much; call at the start of a transaction."""
        if len(self._known) > NODES_MAX:
            self.forget()

    def path(self, tenant_id: str, nodes: tuple[str, ...]) -> list[tuple[str, Balance]]:
        """Return the balances of a path. Raises AirsideError `internal` if a node does not exist (fail closed)."""
        found = []
        for node in nodes:
            known = self._known.get((tenant_id, node)) or self._read(tenant_id, node)
            found.append((node, known[1]))
        return found

    def changed(self, tenant_id: str, nodes: tuple[str, ...]) -> None:
        """Note that the balances of a path were changed and must be written with this batch."""
        for node in nodes:
            row, balance = self._known[tenant_id, node]
            self._dirty[row] = balance

    def write(self) -> None:
        """Write what was changed: one UPDATE per node, however many calls changed it."""
        if self._dirty:
            self._connection.executemany(_WRITE, [(row, *astuple(b)[1:]) for row, b in self._dirty.items()])
            self._dirty.clear()

    def forget(self) -> None:
        """Drop everything, written or not."""
        self._known.clear()
        self._dirty.clear()

    def _read(self, tenant_id: str, node: str) -> tuple[int, Balance]:
        row = self._connection.execute(_READ, (tenant_id, node)).fetchone()
        if row is None:
            raise AirsideError(Code.INTERNAL, f"the budget node {node!r} of the call does not exist")
        found = self._known[tenant_id, node] = row[0], Balance(Limits(*row[1:5]), *row[5:])
        return found
