"""What an error of Postgres means for us: try again, connect again, or blame the one operation."""

from enum import Enum

import asyncpg

from airside.core.errors import AirsideError, Code

_AGAIN = (
    asyncpg.TransactionRollbackError,  # deadlock, serialization
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCachedStatementError,  # a migration ran beneath a prepared statement
    asyncpg.exceptions.OutdatedSchemaCacheError,
)
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutdown, crash of a neighbour, still starting, statement cancelled
    asyncpg.InsufficientResourcesError,  # disk, memory, connections
    asyncpg.PostgresSystemError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby that is not yet primary
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


class Stale(Exception):
    """A batch found other rows when it wrote than when it read; it is rolled back and tried again."""


class Fate(Enum):
    """What to do with an operation whose transaction failed."""

    AGAIN = "again"  # rolled back for certain: try again
    LOST = "lost"  # no connection: connect again; whether it was committed is unknown
    BLAMED = "blamed"  # its own fault: trying again would not help


def fate(error: BaseException, *, closed: bool) -> Fate:
    """Say what to do about an error; `closed` tells whether the connection is gone."""
    if isinstance(error, AirsideError):
        return Fate.BLAMED
    if closed or isinstance(error, _LOST):
        return Fate.LOST
    if isinstance(error, (*_AGAIN, Stale)):
        return Fate.AGAIN
    return Fate.BLAMED


def unavailable(error: BaseException) -> AirsideError:
    """Return what callers see when the database could not be reached in time."""
    return AirsideError(Code.JOURNAL_UNAVAILABLE, f"the journal's database cannot be used: {type(error).__name__}")


def translated(error: BaseException) -> BaseException:
    """Return the error as callers may see it: no driver's error passes a port."""
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return AirsideError(Code.CONFLICT, f"the row contradicts one that is there: {error}")
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
        return AirsideError(Code.INTERNAL, f"a statement was refused by the database: {error}")
    if isinstance(error, (*_AGAIN, *_LOST, Stale)):
        return unavailable(error)
    return error
