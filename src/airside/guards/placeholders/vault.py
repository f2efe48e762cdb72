"""The values of every run's placeholders, sealed in the database under the key of the run's subject.

Implements `guards.ports.Placeholders`. A value has one placeholder in a run, in whichever process and attempt it is
met, and a placeholder means nothing in another run. Erasing the subject erases the values: their key is asked for
before anything that this process remembers is used.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct, field

from airside.core import canonical
from airside.core.errors import AirsideError, Code
from airside.core.lru import Lru
from airside.core.ports import Database, Keyring, Row, SubjectKey, Transaction
from airside.core.run import Identity
from airside.guards.placeholders.spelling import is_kind, placeholders_in, spelled
from airside.guards.ports import Value
from airside.journal.queries import load

_SQL = load("airside.guards.placeholders", "placeholders.sql")

RUNS_MAX: Final = 256
"""Runs whose values a process remembers; those of others are read again."""

VALUE_CHARS_MAX: Final = 2_000
_DOMAIN: Final = "airside placeholder v1"


class _Known(Struct):
    """What this process knows of a run's placeholders; `was_read` once all that were there have been."""

    was_read: bool = False
    names: dict[Value, str] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)

    def learn(self, value: Value, name: str) -> None:
        self.names[value] = name
        self.values[name] = value


class _Asked(Struct, frozen=True):
    """A value without a known placeholder, named and sealed under the subject's key."""

    value: Value
    name: bytes
    sealed: bytes


class Vault:
    """Gives placeholders and knows what they stand for."""

    def __init__(self, database: Database, keyring: Keyring, *, values_max: int) -> None:
        self._database = database
        self._keyring = keyring
        self._values_max = values_max
        self._runs: Lru[tuple[str, str], _Known] = Lru(RUNS_MAX)

    async def names(self, who: Identity, values: Sequence[Value]) -> Mapping[Value, str]:
        """Return the placeholders of values, numbered by kind in the order in which the run has met them.

        Left out is what gets none: a value beyond the run's `values_max`-th, one that is too long, and kinds that are
        not spelled like one. Raises AirsideError `not_found` for a subject that was erased, `journal_unavailable`.
        """
        key = await self._keyring.subject(who.tenant_id, who.subject)
        known = self._known(who)
        fit = [
            value for value in dict.fromkeys(values) if is_kind(value.kind) and 0 < len(value.text) <= VALUE_CHARS_MAX
        ]
        if not known.was_read and any(value not in known.names for value in fit):
            await self._read(who, key, known)  # mostly they are there, and a look costs less than a transaction
        asked = [_asked(key, who.run_id, value) for value in fit if value not in known.names]
        if asked:
            for value, name in (await self._database.transact(lambda tx: self._given(tx, who, asked))).items():
                known.learn(value, name)
        return {value: known.names[value] for value in fit if value in known.names}

    async def values(self, who: Identity, text: str) -> Mapping[str, Value]:
        """Return what the placeholders in a text stand for; nothing for a subject that was erased."""
        said = placeholders_in(text)
        if not said:
            return {}
        try:
            key = await self._keyring.subject(who.tenant_id, who.subject)
        except AirsideError as error:
            if error.code is Code.NOT_FOUND:
                return {}
            raise
        known = self._known(who)
        if any(name not in known.values for name in said):
            await self._read(who, key, known)
        return {name: known.values[name] for name in said if name in known.values}

    def _known(self, who: Identity) -> _Known:
        at = (who.tenant_id, who.run_id)
        known = self._runs.get(at)
        if known is None:
            known = _Known()
            self._runs.put(at, known)
        return known

    async def _given(self, tx: Transaction, who: Identity, asked: Sequence[_Asked]) -> dict[Value, str]:
        """Return the placeholders of values, new ones for those that have none yet."""
        run = {"tenant_id": who.tenant_id, "run_id": who.run_id}
        await tx.one(_SQL["lock"], **run)
        rows = await tx.fetch(_SQL["given"], **run)
        last = {row["kind"]: int(row["last"]) for row in rows}
        count = sum(int(row["n"]) for row in rows)
        found: dict[Value, str] = {}
        for one in asked:
            kind = one.value.kind
            row = await tx.one(_SQL["of_value"], **run, name=one.name)
            if row is not None:
                found[one.value] = spelled(row["kind"], row["number"])
            elif count < self._values_max:
                number = last[kind] = last.get(kind, 0) + 1
                await tx.execute(
                    _SQL["add"], **run, kind=kind, number=number, name=one.name, sealed=one.sealed, now_us=tx.now_us
                )
                found[one.value] = spelled(kind, number)
                count += 1
        return found

    async def _read(self, who: Identity, key: SubjectKey, known: _Known) -> None:
        """Learn what other processes and earlier attempts have named."""

        async def body(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(_SQL["all"], tenant_id=who.tenant_id, run_id=who.run_id, limit=self._values_max)

        for row in await self._database.look_up(body):
            name = spelled(row["kind"], row["number"])
            if name not in known.values:
                known.learn(_opened(key, who.run_id, row), name)
        known.was_read = True


def _fits(value: Value) -> bool:
    return is_kind(value.kind) and 0 < len(value.text) <= VALUE_CHARS_MAX


def _asked(key: SubjectKey, run_id: str, value: Value) -> _Asked:
    sealed = key.seal(_plain(run_id, value))
    return _Asked(value, sealed.content_id, sealed.blob)


def _plain(run_id: str, value: Value) -> bytes:
    """Return what is named and sealed: the run stands in it, so that equal values of two runs cannot be told equal."""
    text = value.text.encode("utf-8", "surrogatepass").hex()
    return canonical.encode([_DOMAIN, run_id, value.kind, text])


def _opened(key: SubjectKey, run_id: str, row: Row) -> Value:
    plain = key.open(bytes(row["name"]), bytes(row["sealed"]))
    domain, of_run, kind, text = canonical.parse(plain, bytes_max=len(plain))
    if (domain, of_run, kind) != (_DOMAIN, run_id, row["kind"]):
        raise AirsideError(Code.JOURNAL_UNAVAILABLE, f"a placeholder of run {run_id} was changed or damaged")
    return Value(kind, bytes.fromhex(text).decode("utf-8", "surrogatepass"))
