"""Connections to Postgres, and what every one of them is set to."""

from decimal import Decimal
from typing import Any

import asyncpg

STATEMENT_S_MAX = 10.0
CONNECT_S_MAX = 3.0
_SESSION = {
    "application_name": "airside",
    # Statements over arrays of unknown length look costly to the planner; compiling them would cost more than it saves.
    "jit": "off",
    "lock_timeout": "4s",
    # A process that is stopped in mid-transaction must not hold a tenant's budget against all the others.
    "idle_in_transaction_session_timeout": "5s",
}

_WRITER = _SESSION | {
    # A batch's statements are long and its rows few: planning anew for every batch would take longer than writing it.
    "plan_cache_mode": "force_generic_plan",
    # One plan must do for tables that grow: every row is looked up by its key, whatever the statistics say just now.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}


async def connect(url: str) -> Any:
    """Return a connection for a writer. Raises asyncpg's errors, OSError or TimeoutError."""
    connection = await asyncpg.connect(
        url, timeout=CONNECT_S_MAX, command_timeout=STATEMENT_S_MAX, server_settings=_WRITER
    )
    await _prepare(connection)
    return connection


async def pool(url: str, connections_max: int) -> Any:
    """Return a pool that opens its connections when they are first needed."""
    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=connections_max,
        init=_prepare,
        reset=_keep,
        timeout=CONNECT_S_MAX,
        command_timeout=STATEMENT_S_MAX,
        server_settings=_SESSION,
    )


async def _prepare(connection: Any) -> None:
    # sum() of BIGINT is NUMERIC on Postgres, but an integer on SQLite: callers see integers from both.
    await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=_number, format="text")


async def _keep(_connection: Any) -> None:
    """Leave a connection as it is: no session state is ever set, so resetting it would be a round trip for nothing."""


def _number(text: str) -> int | Decimal:
    return int(text) if text.lstrip("-").isdigit() else Decimal(text)
