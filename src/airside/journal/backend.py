"""Which database the journal lives in: one function that connects, migrates and hands out the ports."""

from msgspec import Struct

from airside.config.settings import DatabaseSettings
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Journal
from airside.journal import postgres, sqlite


class Backend(Struct, frozen=True):
    """A connected database and the journal on it."""

    database: Database
    journal: Journal

    async def close(self) -> None:
        """Finish what is under way and release the database."""
        await self.database.close()


async def connect(url: str, *, settings: DatabaseSettings, executor_id: str) -> Backend:
    """Return the backend behind `url` with an up-to-date schema.

    `url` is `sqlite:///PATH`, `memory:` or `postgresql://…`; `executor_id` names this process in intents. Raises
    AirsideError `misconfigured` for any other url and for a newer schema, `journal_unavailable` if it cannot be opened.
    """
    if url == "memory:" or url.startswith("sqlite:///"):
        path = ":memory:" if url == "memory:" else url.removeprefix("sqlite:///")
        return Backend(*await sqlite.connect(path, executor_id=executor_id, busy_timeout_s=settings.busy_timeout_s))
    if url.startswith(("postgresql://", "postgres://")):
        return Backend(*await postgres.connect(url, settings=settings, executor_id=executor_id))
    raise AirsideError(
        Code.MISCONFIGURED,
        f"database.url has an unknown kind {url.partition(':')[0]!r}",
        advice="Use sqlite:///PATH, memory: or postgresql://…",
    )
