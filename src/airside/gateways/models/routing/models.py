"""The fitted classifiers of each tenant: kept by version, one in force, and at hand for the hot path."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from airside.core.clock import Clock
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Keyring, Transaction
from airside.gateways.models.routing.fitted import Fitted, pack, unpack
from airside.journal import events
from airside.journal.queries import load
from airside.pipeline.afterwork import Afterwork

_SQL = load("airside.gateways.models.routing", "routing.sql")
_log = structlog.get_logger(__name__)
SUBJECT = "airside:routing"
"""Whose key fitted classifiers are sealed under: their weights were learned from prompts."""
RELOAD_S = 10.0
TENANTS_MAX = 1_000


class FittedModels:
    """Keeps fitted classifiers in the database."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring

    async def add(self, tenant_id: str, fitted: Fitted, *, by: str, activate: bool) -> int:
        """Store a classifier as the next version and, if wanted, put it in force; both or neither. Return the version.

        Two fits at once get versions of their own; the one that is written last is in force.
        """
        key = await self._keyring.subject(tenant_id, SUBJECT)
        sealed = key.seal(pack(fitted))
        provenance = json.dumps(dict(fitted.provenance), sort_keys=True)

        async def body(tx: Transaction) -> int:
            await tx.one(_SQL["lock"], tenant_id=tenant_id)
            row = await tx.one(_SQL["next_version"], tenant_id=tenant_id)
            version = int(row["version"]) if row else 1
            await tx.execute(
                _SQL["add_model"],
                tenant_id=tenant_id,
                version=version,
                content_id=sealed.content_id,
                sealed=sealed.blob,
                provenance=provenance,
                now_us=tx.now_us,
            )
            if activate:
                await _activate(tx, tenant_id, version, by)
            return version

        return await self._database.transact(body)

    async def activate(self, tenant_id: str, version: int, *, by: str) -> None:
        """Put a version in force; 0 puts none in force. Raises `not_found`, and `misconfigured` if it is unusable."""
        if version:
            await self._read(tenant_id, version)

        async def body(tx: Transaction) -> None:
            if version and await tx.one(_SQL["has_model"], tenant_id=tenant_id, version=version) is None:
                raise AirsideError(Code.NOT_FOUND, f"there is no fitted routing model {version}")
            await _activate(tx, tenant_id, version, by)

        await self._database.transact(body)

    async def listed(self, tenant_id: str) -> Sequence[Mapping[str, Any]]:
        """Return what there is, the latest first: version, whether it is in force, when and from what it was fitted."""
        rows = await self._database.read(lambda tx: tx.fetch(_SQL["models"], tenant_id=tenant_id))
        return [
            {
                "version": int(row["version"]),
                "active": bool(row["active"]),
                "created_us": int(row["created_us"]),
                "provenance": json.loads(row["provenance"]),
            }
            for row in rows
        ]

    async def active_version(self, tenant_id: str) -> int:
        """Return the version in force, or 0."""
        row = await self._database.look_up(lambda tx: tx.one(_SQL["active_version"], tenant_id=tenant_id))
        return int(row["version"]) if row else 0

    async def active(self, tenant_id: str) -> tuple[int, Fitted] | None:
        """Return the classifier in force; raises `misconfigured` if this airside cannot use it."""
        version = await self.active_version(tenant_id)
        return (version, await self._read(tenant_id, version)) if version else None

    async def _read(self, tenant_id: str, version: int) -> Fitted:
        row = await self._database.read(lambda tx: tx.one(_SQL["one_model"], tenant_id=tenant_id, version=version))
        if row is None:
            raise AirsideError(Code.NOT_FOUND, f"there is no fitted routing model {version}")
        key = await self._keyring.subject(tenant_id, SUBJECT)
        return unpack(key.open(bytes(row["content_id"]), bytes(row["sealed"])))


class Judges:
    """The classifier in force, remembered: looked at again at most every RELOAD_S, and never waited for twice."""

    def __init__(self, models: FittedModels, clock: Clock, afterwork: Afterwork) -> None:
        self._models = models
        self._clock = clock
        self._afterwork = afterwork
        self._known: dict[str, tuple[float, int, Fitted | None]] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def of(self, tenant_id: str) -> tuple[int, Fitted | None]:
        """Return the version and classifier in force for a tenant, as of RELOAD_S ago at most; (0, None) for none.

        One that cannot be read or used counts as none: routing then guesses, and says so.
        """
        known = self._known.get(tenant_id)
        if known is None or self._clock.monotonic_s() >= known[0]:
            asking = self._asking.get(tenant_id)
            if asking is None:
                asking = self._asking[tenant_id] = self._afterwork.start(self._look(tenant_id))
            if known is None:
                await asyncio.shield(asking)
                known = self._known[tenant_id]
        return known[1], known[2]

    async def _look(self, tenant_id: str) -> None:
        _, version, fitted = self._known.get(tenant_id, (0.0, 0, None))
        try:
            now = await self._models.active_version(tenant_id)
            if now != version:
                found = await self._models.active(tenant_id)
                version, fitted = found or (0, None)
        except AirsideError as error:
            _log.warning("routing_model_unusable", tenant_id=tenant_id, code=error.code.value, message=error.message)
            version, fitted = 0, None
        finally:
            self._asking.pop(tenant_id, None)
            if len(self._known) >= TENANTS_MAX:
                self._known.clear()
            self._known[tenant_id] = (self._clock.monotonic_s() + RELOAD_S, version, fitted)


async def _activate(tx: Transaction, tenant_id: str, version: int, by: str) -> None:
    await tx.execute(_SQL["activate"], tenant_id=tenant_id, version=version)
    await tx.append(events.entry(events.ROUTING_MODEL, {"active": version, "by": by}, tenant_id=tenant_id))
