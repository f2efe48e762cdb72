"""Notices: what operators should know, as a journal entry and a webhook, soon and never in anybody's way (E5).

Told things are gathered by tenant, kind and key. The first of a group is told at once; what comes within the interval
after it is counted, and its latest is told when the interval is over, so that what was told last is how it is.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import structlog
from msgspec import Struct

from airside.config.resilience import NoticeSettings
from airside.core.clock import SECOND_US, Clock
from airside.core.errors import AirsideError
from airside.core.ids import new_id
from airside.core.ports import Database, Transaction
from airside.journal import events
from airside.journal.queries import load

_SQL = load("airside.resilience", "notices.sql")
_log = structlog.get_logger(__name__)

GROUPS_MAX = 1_000
POLL_S = 1.0
CLOSE_S = 2.0
FORGET_US = 86_400 * SECOND_US
SKEW_US = 60 * SECOND_US  # a transaction that waited for the row has the time of its beginning
FORGET_EVERY = 600  # passes


class Group(NamedTuple):
    """What is told at most once in an interval."""

    tenant_id: str
    kind: str
    key: str


class Pending(Struct):
    """The latest of a group that is not told yet, how many there were, and from when on it may be told."""

    body: Mapping[str, Any]
    count: int
    due_s: float


class DatabaseNotices:
    """Implements `Notices`. `start` and `close` belong to the process."""

    def __init__(self, database: Database, clock: Clock, settings: NoticeSettings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._url = settings.webhook_url.get_secret_value() if settings.webhook_url else ""
        self._pending: dict[Group, Pending] = {}
        self._news = asyncio.Event()
        self._telling: asyncio.Task[None] | None = None

    def tell(self, tenant_id: str, kind: str, body: Mapping[str, Any]) -> None:
        """Tell operators soon; see `Notices.tell`. What finds no room is logged only."""
        group = Group(tenant_id, kind, str(body.get("key", "")))
        known = self._pending.get(group)
        if known is not None:
            known.body, known.count = body, known.count + 1
            return
        if len(self._pending) >= GROUPS_MAX:
            _log.warning("too many notices at once; one is not told", kind=kind)
            return
        self._pending[group] = Pending(body, 1, self._clock.monotonic_s())
        self._news.set()

    async def start(self) -> None:
        """Begin to tell."""
        self._telling = asyncio.create_task(self._tell_on())

    async def close(self) -> None:
        """Tell what may be told at once, and stop."""
        if self._telling is None:
            return
        self._telling.cancel()
        with suppress(asyncio.CancelledError):
            await self._telling
        with suppress(AirsideError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.flush()

    async def flush(self) -> int:
        """Tell every group whose time has come; return how many that were."""
        told, now_s = 0, self._clock.monotonic_s()
        for group, pending in list(self._pending.items()):
            if pending.due_s > now_s:
                continue
            count = pending.count
            told_now = await self._database.transact(partial(self._write, group=group, pending=pending))
            if not told_now:
                pending.due_s = now_s + self._settings.interval_s / 4  # told lately, here or elsewhere: ask again
                continue
            told += 1
            pending.count -= count
            if not pending.count:
                del self._pending[group]
        return told

    async def _write(self, tx: Transaction, group: Group, pending: Pending) -> bool:
        interval_us = int(self._settings.interval_s * SECOND_US)
        near = {"before_us": tx.now_us - interval_us, "ahead_us": tx.now_us + interval_us + SKEW_US}
        if not await tx.execute(_SQL["take"], **group._asdict(), now_us=tx.now_us, **near):
            return False
        body = {"kind": group.kind, "count": pending.count, "notice": dict(pending.body)}
        await tx.append(events.entry(events.NOTICE, body, tenant_id=group.tenant_id))
        if self._url:
            await tx.execute(
                _SQL["add_webhook"],
                tenant_id=group.tenant_id,
                delivery_id=new_id("whd"),
                url=self._url,
                body=json.dumps({"type": f"notice.{group.kind}", "timestamp": tx.now_us, "data": body}),
                due_us=tx.now_us,
            )
        return True

    async def _tell_on(self) -> None:
        passes = 0
        while True:
            self._news.clear()
            passes += 1
            try:
                await self.flush()
                if passes % FORGET_EVERY == 0:
                    await self._database.transact(_forget)
            except AirsideError as error:
                _log.warning("notices wait for the journal", code=error.code.value)
                await asyncio.sleep(POLL_S)
            except Exception:  # noqa: BLE001 - one notice that cannot be told must not keep back all later ones
                _log.exception("telling notices failed")
                self._pending.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._news.wait()


async def _forget(tx: Transaction) -> None:
    await tx.execute(_SQL["forget"], before_us=tx.now_us - FORGET_US)
