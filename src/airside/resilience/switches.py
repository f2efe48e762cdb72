"""The breakers' rows: each step is one transaction under the row's lock, with its journal entry."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from airside.config.resilience import BreakerSettings
from airside.core.dependencies import Dependency, Sign
from airside.core.ports import Database, Row, Transaction
from airside.journal import events
from airside.journal.queries import load
from airside.resilience import switch as steps
from airside.resilience.switch import Switch

_SQL = load("airside.resilience", "breakers.sql")


class Standing(NamedTuple):
    """A breaker's row, and the database's clock when it was read."""

    switch: Switch
    now_us: int


class NotNow(Exception):
    """No probe may be claimed: how the dependency that forbids it stands."""

    def __init__(self, dependency: Dependency, standing: Standing) -> None:
        super().__init__(dependency.name)
        self.dependency = dependency
        self.standing = standing


class Moved(Struct, frozen=True):
    """Where a breaker stands after something was done to it, and whether that opened it, or found or left it closed."""

    dependency: Dependency
    standing: Standing
    opened: bool = False
    closed: bool = False


class Switches:
    """Reads and moves the rows. Raises `journal_unavailable` where the database does."""

    def __init__(self, database: Database, settings: BreakerSettings) -> None:
        self._database = database
        self._settings = settings

    async def off(self) -> tuple[dict[Dependency, Switch], int]:
        """Return all breakers that are not closed, and the database's clock."""

        async def body(tx: Transaction) -> tuple[dict[Dependency, Switch], int]:
            rows = await tx.fetch(_SQL["switched_off"])
            return {Dependency(row["tenant_id"], row["name"]): _switch(row) for row in rows}, tx.now_us

        return await self._database.look_up(body)

    async def trip(self, dependency: Dependency, reason: str, retry_after_s: float | None) -> Moved:
        """Turn a dependency off, unless another process has already."""

        async def body(tx: Transaction) -> Moved:
            known = await _locked(tx, dependency)
            off = steps.opened(known, reason, tx.now_us, self._settings, retry_after_s)
            if off is None:
                return Moved(dependency, Standing(known, tx.now_us))
            await _save(tx, dependency, off)
            await tx.append(_entry(events.BREAKER_OPENED, dependency, off, by="airside"))
            return Moved(dependency, Standing(off, tx.now_us), opened=True)

        return await self._database.transact(body)

    async def claim(self, dependencies: Sequence[Dependency], probe_id: str) -> list[Moved]:
        """Claim the probe of all that are off, or of none; raises NotNow. Those found closed are among the steps."""

        async def body(tx: Transaction) -> list[Moved]:
            found = []
            for dependency in sorted(dependencies):
                known = await _locked(tx, dependency)
                if known.state == steps.CLOSED:
                    found.append(Moved(dependency, Standing(known, tx.now_us), closed=True))
                    continue
                probing = steps.claimed(known, probe_id, tx.now_us, self._settings)
                if probing is None:
                    raise NotNow(dependency, Standing(known, tx.now_us))
                await _save(tx, dependency, probing)
                found.append(Moved(dependency, Standing(probing, tx.now_us)))
            return found

        return await self._database.transact(body)

    async def end(
        self, signs: Mapping[Dependency, Sign], probe_id: str, retry_after_s: float | None = None
    ) -> list[Moved]:
        """Move the breakers on by what their probe has shown; those whose probe was given away stay as they are."""

        async def body(tx: Transaction) -> list[Moved]:
            found = []
            for dependency, sign in sorted(signs.items(), key=lambda item: item[0]):
                known = await _locked(tx, dependency)
                now = steps.ended(known, probe_id, sign, tx.now_us, self._settings, retry_after_s)
                if now is not None:
                    await _save(tx, dependency, now)
                    await tx.append(*_probed(dependency, sign, now))
                closed = now is not None and now.state == steps.CLOSED
                found.append(Moved(dependency, Standing(now or known, tx.now_us), closed=closed))
            return found

        return await self._database.transact(body)

    async def force(self, dependency: Dependency, *, off: bool, by: str) -> Moved:
        """Turn a dependency off until an operator turns it on, or on, forgetting its failures."""

        async def body(tx: Transaction) -> Moved:
            known = await _locked(tx, dependency)
            now = steps.held_open(known, f"held open by {by}", tx.now_us) if off else steps.released(tx.now_us)
            await _save(tx, dependency, now)
            kind = events.BREAKER_OPENED if off else events.BREAKER_CLOSED
            await tx.append(_entry(kind, dependency, now, by=by))
            return Moved(dependency, Standing(now, tx.now_us), opened=off, closed=not off)

        return await self._database.transact(body)

    async def known(self, tenant_id: str) -> list[dict[str, Any]]:
        """Return the breakers that concern a tenant, as plain values."""

        async def body(tx: Transaction) -> list[dict[str, Any]]:
            return [_public(row) for row in await tx.fetch(_SQL["known"], tenant_id=tenant_id)]

        return await self._database.read(body)


async def _locked(tx: Transaction, dependency: Dependency) -> Switch:
    key = dependency._asdict()
    row = await tx.one(_SQL["lock"], **key)
    if row is None:
        await tx.execute(_SQL["add"], **key)
        row = await tx.one(_SQL["lock"], **key)
    assert row is not None, "the row was just added"
    return _switch(row)


def _switch(row: Row) -> Switch:
    return msgspec.convert({name: row[name] for name in Switch.__struct_fields__}, Switch)


async def _save(tx: Transaction, dependency: Dependency, switch: Switch) -> None:
    await tx.execute(_SQL["save"], **dependency._asdict(), **msgspec.structs.asdict(switch))


def _public(row: Row) -> dict[str, Any]:
    shown = ("state", "reason", "trips", "opened_us", "due_us", "closed_us")
    return {
        "key": row["name"],
        "shared": row["tenant_id"] == "*",
        "forced": bool(row["forced"]),
        **{name: row[name] for name in shown},
    }


def _probed(dependency: Dependency, sign: Sign, now: Switch) -> list[Any]:
    if sign is Sign.NONE:
        return []
    entries = [_entry(events.BREAKER_PROBED, dependency, now, sign=sign.value)]
    if now.state == steps.CLOSED:
        entries.append(_entry(events.BREAKER_CLOSED, dependency, now, by="airside"))
    return entries


def _entry(type_: str, dependency: Dependency, now: Switch, **more: str) -> Any:
    body = {"breaker": dependency.name, "state": now.state, "reason": now.reason, "trips": now.trips, **more}
    return events.entry(type_, {**body, "due_us": now.due_us}, tenant_id=dependency.tenant_id)
