"""API keys: who may manage airside, and which outside programs may use the gateways."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from airside.core.clock import Clock
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id, new_secret
from airside.core.ports import Database, Transaction
from airside.core.run import Principal, Role
from airside.journal import events
from airside.journal.queries import load

_SQL = load("airside.runs", "keys.sql")

CACHE_S = 0.25
CACHE_ENTRIES_MAX = 10_000
NAME_CHARACTERS_MAX = 100


def digest(secret: str) -> bytes:
    """Return the hash under which a token or key is stored. It carries 256 random bits, so SHA-256 needs no salt."""
    return hashlib.sha256(secret.encode()).digest()


class Keys:
    """Creates, checks, lists and revokes API keys. Checked keys are remembered for at most 250 ms."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._cache: dict[bytes, tuple[float, Principal]] = {}

    async def ensure_first(self, tenant_id: str) -> str | None:
        """Create an admin key if the tenant has no key yet, and return its secret, which is shown this once only."""

        async def body(tx: Transaction) -> str | None:
            row = await tx.one(_SQL["count"], tenant_id=tenant_id)
            if row and row["n"]:
                return None
            return await _add(tx, tenant_id, "first admin", Role.ADMIN, "airside")

        return await self._database.transact(body)

    async def create(self, tenant_id: str, name: str, role: Role, by: str) -> tuple[str, str]:
        """Create a key and return its id and its secret, which is shown this once only."""
        if not name or len(name) > NAME_CHARACTERS_MAX:
            raise AirsideError(Code.INVALID_REQUEST, f"a key's name has 1 to {NAME_CHARACTERS_MAX} characters")
        secret = await self._database.transact(lambda tx: _add(tx, tenant_id, name, role, by))
        return (await self.principal(secret)).key_id, secret

    async def principal(self, secret: str) -> Principal:
        """Return who holds a key. Raises `unauthenticated` for one that is unknown or revoked."""
        if not secret.startswith("ak_"):
            raise AirsideError(Code.UNAUTHENTICATED, "this is not an API key")
        name, now_s = digest(secret), self._clock.monotonic_s()
        known = self._cache.get(name)
        if known and now_s - known[0] <= CACHE_S:
            return known[1]

        async def body(tx: Transaction) -> Mapping[str, Any] | None:
            return await tx.one(_SQL["by_secret"], secret_hash=name)

        row = await self._database.look_up(body)
        if row is None or row["revoked_us"] is not None:
            self._cache.pop(name, None)
            raise AirsideError(Code.UNAUTHENTICATED, "this API key is unknown or revoked")
        principal = Principal(row["tenant_id"], row["key_id"], row["name"], Role(row["role"]))
        if len(self._cache) >= CACHE_ENTRIES_MAX:
            self._cache.clear()
        self._cache[name] = (now_s, principal)
        return principal

    async def revoke(self, tenant_id: str, key_id: str, by: str) -> None:
        """Revoke a key, at once here and within 250 ms elsewhere. Raises `not_found`."""

        async def body(tx: Transaction) -> None:
            if not await tx.execute(_SQL["revoke"], tenant_id=tenant_id, key_id=key_id, now_us=tx.now_us):
                raise AirsideError(Code.NOT_FOUND, f"there is no live key {key_id[:100]}")
            await tx.append(events.entry(events.KEY_REVOKED, {"key": key_id, "by": by}, tenant_id=tenant_id))

        await self._database.transact(body)
        self._cache.clear()

    async def list(self, tenant_id: str) -> Sequence[dict[str, Any]]:
        """Return a tenant's keys (at most 200), revoked ones included, without their secrets."""

        async def body(tx: Transaction) -> list[dict[str, Any]]:
            return [dict(row) for row in await tx.fetch(_SQL["list"], tenant_id=tenant_id)]

        return await self._database.read(body)


async def _add(tx: Transaction, tenant_id: str, name: str, role: Role, by: str) -> str:
    key_id, secret = new_id("key"), new_secret("ak")
    await tx.execute(
        _SQL["add"],
        tenant_id=tenant_id,
        key_id=key_id,
        name=name,
        role=role.value,
        secret_hash=digest(secret),
        created_us=tx.now_us,
    )
    await tx.append(
        events.entry(events.KEY_CREATED, {"key": key_id, "role": role.value, "by": by}, tenant_id=tenant_id)
    )
    return secret
