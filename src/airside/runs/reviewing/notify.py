"""Telling reviewers: an outbox is emptied through Apprise (Slack, e-mail, webhooks, …), never in a call's way.

Apprise is synchronous, so each delivery has a thread of a few, and a deadline. What fails is tried again, later and
later; what has no link yet gets its links at the moment it is sent, so that none is ever stored.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import structlog

from airside.config.approvals import ApprovalSettings
from airside.core.clock import SECOND_US
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Row, Transaction
from airside.core.run import Role
from airside.journal import events
from airside.journal.queries import load
from airside.runs.outbox import again_us, take_due
from airside.runs.reviewing import message
from airside.runs.reviewing.links import Links, Verdict

_SQL = load("airside.runs.reviewing", "notify.sql")
_APPROVALS = load("airside.runs", "approvals.sql")
_log = structlog.get_logger(__name__)

BATCH: Final = 10
THREADS: Final = 4
ERROR_CHARACTERS_MAX: Final = 200
VERDICTS: Final[tuple[Verdict, ...]] = ("view", "approve", "deny")
PAGE: Final = "/approvals/link"

Send = Callable[[str, str, str, float], bool]
"""Sends a title and a text to an Apprise URL, with a time limit (s) on the network; returns whether it arrived."""


def apprise_send(url: str, title: str, text: str, timeout_s: float) -> bool:
    """Send through Apprise; raises `misconfigured` without the extra, or for a URL that Apprise does not know."""
    try:
        import apprise
    except ImportError:
        raise AirsideError(
            Code.MISCONFIGURED, "notices to reviewers need Apprise", advice="pip install 'airside[notify]'"
        ) from None
    target = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if target is None:
        raise AirsideError(Code.MISCONFIGURED, "the target's URL is none that Apprise knows")
    target.socket_connect_timeout = target.socket_read_timeout = timeout_s
    return bool(target.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT))


class Notifier:
    """Sends what stands in the outbox."""

    def __init__(self, database: Database, settings: ApprovalSettings, links: Links, send: Send = apprise_send) -> None:
        self._database = database
        self._settings = settings
        self._links = links
        self._send = send
        self._threads: ThreadPoolExecutor | None = None
        self._busy = 0

    async def send_due(self) -> int:
        """Try each notice that is due once, as far as threads are free; return how many were tried."""
        room = min(BATCH, THREADS - self._busy)
        if room <= 0:
            return 0
        rows = await take_due(
            self._database, _SQL["any_due"], _SQL["take"], at_most=room, lease_s=3 * self._settings.notify_timeout_s
        )
        await asyncio.gather(*(self._deliver(row) for row in rows))
        return len(rows)

    def close(self) -> None:
        """Wait for nobody: what is under way is tried again by whoever starts next."""
        if self._threads:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _deliver(self, notice: Row) -> None:
        names = {"tenant_id": notice["tenant_id"], "approval_id": notice["approval_id"]}
        row, now_us = await self._database.read(lambda tx: _look(tx, names))
        if row is None or row["state"] != "pending":
            await self._done(notice, "dropped", "")
            return
        failure = await self._try(notice, row, now_us)
        given_up = failure and notice["tries"] >= self._settings.notify_tries_max
        await self._done(notice, "failed" if given_up else "due" if failure else "sent", failure)

    async def _try(self, notice: Row, row: Row, now_us: int) -> str:
        """Send one notice; return why it failed, or nothing. Never the target's URL, which is a secret."""
        target = self._settings.targets.get(notice["target"])
        if target is None:
            return "no such target is configured"
        text = message.text(row, self._links_of(notice, row, target.reviewer, now_us))
        work = (target.url.get_secret_value(), message.title(row), text, self._settings.notify_timeout_s)
        try:
            async with asyncio.timeout(self._settings.notify_timeout_s):
                return "" if await self._in_thread(*work) else "the target did not take it"
        except TimeoutError:
            return "the target did not answer in time"
        except AirsideError as error:
            return error.message
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; its text may hold the URL
            return type(error).__name__

    async def _in_thread(self, *work: Any) -> bool:
        """Run the sending in a thread of its own pool; one that hangs keeps its thread until it ends by itself."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, "airside-notify")
        self._busy += 1
        future = self._threads.submit(self._send, *work)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: _soon(loop, self._freed))
        return await asyncio.shield(asyncio.wrap_future(future))

    def _freed(self) -> None:
        self._busy -= 1

    def _links_of(self, notice: Row, row: Row, reviewer: str, now_us: int) -> dict[str, str]:
        if not reviewer or not self._settings.link_url:
            return {}
        until_us = min(now_us + int(self._settings.link_ttl_s * SECOND_US), row["decide_by_us"])
        steps = self._settings.escalation
        role = Role(steps[notice["step"] - 1].role) if 0 < notice["step"] <= len(steps) else Role.REVIEWER
        base = self._settings.link_url.rstrip("/")
        return {
            verdict: f"{base}{PAGE}?t="
            + self._links.make(row["tenant_id"], row["approval_id"], reviewer, role, verdict, until_us)
            for verdict in VERDICTS
        }

    async def _done(self, notice: Row, state: str, failure: str) -> None:
        body = {"approval": notice["approval_id"], "target": notice["target"], "step": notice["step"], "state": state}

        async def write(tx: Transaction) -> None:
            await tx.execute(
                _SQL["done"],
                tenant_id=notice["tenant_id"],
                notice_id=notice["notice_id"],
                state=state,
                due_us=again_us(tx, notice["tries"]),
                last_error=failure[:ERROR_CHARACTERS_MAX],
            )
            if state in {"sent", "failed"}:
                await tx.append(events.entry(events.APPROVAL_NOTIFIED, body, tenant_id=notice["tenant_id"]))

        await self._database.transact(write)


def _soon(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    """Call back on the loop, unless it has been closed meanwhile."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(what)


async def _look(tx: Transaction, names: dict[str, Any]) -> tuple[Row | None, int]:
    return await tx.one(_APPROVALS["get"], **names, now_us=tx.now_us), tx.now_us
