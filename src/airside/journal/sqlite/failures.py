"""What an error of SQLite means for us: wait, give up the batch, or blame the one operation."""

import sqlite3

from airside.core.errors import AirsideError, Code

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_OF_THE_STATEMENT = {
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_RANGE,
    sqlite3.SQLITE_TOOBIG,
}


def primary_code(error: sqlite3.Error) -> int | None:
    """Return SQLite's primary result code; None when the driver itself complained."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection holds the lock, so that waiting helps."""
    return primary_code(error) in _BUSY


def is_fatal(error: BaseException) -> bool:
    """Whether the whole batch is lost (disk, memory, lock), and not only the operation that met the error."""
    if not isinstance(error, sqlite3.Error):
        return False
    code = primary_code(error)
    return code is not None and code not in _OF_THE_STATEMENT


def translated(error: BaseException) -> BaseException:
    """Return the error as callers may see it: no driver's error passes a port."""
    if not isinstance(error, sqlite3.Error):
        return error
    if is_fatal(error):
        return AirsideError(Code.JOURNAL_UNAVAILABLE, f"the journal's database cannot be used: {error}")
    if isinstance(error, sqlite3.IntegrityError):
        return AirsideError(Code.CONFLICT, f"the row contradicts one that is there: {error}")
    return AirsideError(Code.INTERNAL, f"a statement was refused by the database: {error}")
