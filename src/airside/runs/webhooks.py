"""Outgoing webhooks: the outbox is emptied at least once, signed as Standard Webhooks (standardwebhooks.com, v1).

A delivery keeps its id over all tries, so that a receiver can tell a repetition. Private addresses are refused after
the name was resolved, and the connection goes to that very address: a name that answers differently the second time
(DNS rebinding) gains nothing. Redirects are not followed.
"""

import asyncio
import base64
import contextlib
import errno
import hmac
import socket
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult

from airside.config.settings import WebhookSettings
from airside.core.addresses import is_public
from airside.core.clock import SECOND_US, Clock
from airside.core.errors import AirsideError
from airside.core.ports import Database, Row, Transaction
from airside.core.run import TERMINAL
from airside.journal.queries import load
from airside.runs.outbox import again_us, take_due
from airside.runs.record import RunRecord
from airside.runs.signals import Signals

_SQL = load("airside.runs", "webhooks.sql")
_log = structlog.get_logger(__name__)

BATCH = 20
ERROR_CHARACTERS_MAX = 300
IDLE_S = 2.0


def signature(secret: str, delivery_id: str, timestamp_s: int, body: bytes) -> str:
    """Return the `webhook-signature` of a delivery: v1, HMAC-SHA256 over `id.timestamp.body`, base64.

    `secret` is `whsec_` plus base64. Raises ValueError if it is not.
    """
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    signed = f"{delivery_id}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode()


class PublicResolver(AbstractResolver):
    """Resolves a name to addresses that webhooks may go to, and to nothing else."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the permitted addresses of a host; raises OSError if it has none."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        hosts = [
            ResolveResult(
                hostname=host,
                host=address[0],
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, proto, _, address in found
            if isinstance(address[0], str) and (self._allow_private or is_public(address[0]))
        ]
        if not hosts:
            message = f"{host} has private addresses only, which are not allowed (webhooks.allow_private_addresses)"
            raise OSError(errno.EACCES, message)
        return hosts

    async def close(self) -> None:
        """Nothing is kept."""


class Webhooks:
    """Sends what stands in the outbox."""

    def __init__(
        self, database: Database, settings: WebhookSettings, clock: Clock, secret: str, signals: Signals
    ) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._secret = secret
        self._news = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None
        signals.listen(self._heard)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            self._news.clear()
            try:
                if await self.send_due() == BATCH:
                    continue
            except AirsideError as error:
                _log.warning("webhooks wait: the outbox cannot be read", code=error.code.value)
            except Exception:  # noqa: BLE001 - a defect met once must not keep back all later deliveries
                _log.exception("sending webhooks failed; trying again")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_S):
                    await self._news.wait()

    async def send_due(self) -> int:
        """Try each delivery that is due once, at most 20, and return how many there were."""
        rows = await take_due(
            self._database, _SQL["any_due"], _SQL["take"], at_most=BATCH, lease_s=2 * self._settings.timeout_s
        )
        await asyncio.gather(*(self._deliver(row) for row in rows))
        return len(rows)

    async def of_run(self, tenant_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return how the deliveries of a run stand."""

        async def body(tx: Transaction) -> list[dict[str, Any]]:
            return [dict(row) for row in await tx.fetch(_SQL["of_run"], tenant_id=tenant_id, run_id=run_id)]

        return await self._database.read(body)

    async def close(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()

    async def _deliver(self, row: Row) -> None:
        failure = await self._try(row)
        given_up = failure and row["tries"] >= self._settings.tries_max
        state = "failed" if given_up else "due" if failure else "delivered"

        async def body(tx: Transaction) -> None:
            await tx.execute(
                _SQL["done"],
                tenant_id=row["tenant_id"],
                delivery_id=row["delivery_id"],
                state=state,
                due_us=again_us(tx, row["tries"]),
                last_error=failure[:ERROR_CHARACTERS_MAX],
            )

        await self._database.transact(body)

    async def _try(self, row: Row) -> str:
        """Send one delivery; return why it failed, or nothing."""
        body = row["body"].encode()
        timestamp_s = self._clock.now_us() // SECOND_US
        headers = {
            "content-type": "application/json",
            "webhook-id": row["delivery_id"],
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": signature(self._secret, row["delivery_id"], timestamp_s, body),
        }
        try:
            if not self._settings.allow_private_addresses and _is_private_literal(row["url"]):
                return "private addresses are not allowed (webhooks.allow_private_addresses)"
            async with self._connected().post(row["url"], data=body, headers=headers, allow_redirects=False) as answer:
                return "" if 200 <= answer.status < 300 else f"the receiver answered {answer.status}"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"{type(error).__name__}: {error}"

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = PublicResolver(allow_private=self._settings.allow_private_addresses)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, limit=BATCH),
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session

    def _heard(self, run: RunRecord) -> None:
        if run.webhook_url and run.state in TERMINAL:
            self._news.set()


def _is_private_literal(url: str) -> bool:
    """Whether the host is a private address written out: such a host is never resolved."""
    host = urlsplit(url).hostname or ""
    try:
        return not is_public(host)
    except ValueError:
        return False
