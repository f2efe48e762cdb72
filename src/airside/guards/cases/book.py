"""The installation's own cases: a finding that a person calls wrong, or misses, becomes a test of the guards."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.ports import Database, Keyring, Row, Transaction
from airside.guards.cases.written import Case, Expected
from airside.journal import events
from airside.journal.queries import load

SUBJECT: Final = "guard-cases"
CASES_MAX: Final = 10_000
_SQL = load("airside.guards.cases", "cases.sql")


class Kept(Struct, frozen=True):
    """A case as it is kept; `case` is None where the person whose text it was has been erased."""

    case_id: str
    created_us: int
    created_by: str
    run_id: str
    because: str
    case: Case | None


class CaseBook:
    """Keeps cases, their texts sealed."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring

    async def add(self, tenant_id: str, case: Case, *, by: str, because: str, run_id: str = "") -> str:
        """Keep a case and return its id. With a run, the text belongs to the run's subject and is erased with it.

        Raises `not_found` for a run that does not exist, `limit_exceeded` beyond CASES_MAX.
        """
        subject = await self._subject(tenant_id, run_id)
        key = await self._keyring.subject(tenant_id, subject)
        sealed = key.seal(case.text.encode("utf-8", "surrogatepass"))
        case_id = new_id("case")
        body = {"case": case_id, "by": by, "run": run_id, "expected": [one.guard for one in case.expect]}

        async def write(tx: Transaction) -> None:
            kept = await tx.one(_SQL["kept"], tenant_id=tenant_id)
            if kept is not None and kept["n"] >= CASES_MAX:
                raise AirsideError(Code.LIMIT_EXCEEDED, f"{CASES_MAX} cases are kept already; remove some")
            await tx.execute(
                _SQL["add"],
                tenant_id=tenant_id,
                case_id=case_id,
                created_us=tx.now_us,
                created_by=by,
                subject=subject,
                run_id=run_id,
                place=case.place,
                agent=case.agent,
                expect=msgspec.json.encode([one.model_dump(exclude_defaults=True) for one in case.expect]),
                because=because,
                content_id=sealed.content_id,
                sealed=sealed.blob,
            )
            await tx.append(events.entry(events.GUARD_CASE_ADDED, body, tenant_id=tenant_id, run_id=run_id))

        await self._database.transact(write)
        return case_id

    async def page(self, tenant_id: str, after: tuple[int, str], limit: int) -> Sequence[Kept]:
        """Return the cases after a place, the oldest first."""

        async def read(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(_SQL["page"], tenant_id=tenant_id, after_us=after[0], after_id=after[1], n=limit)

        return [await self._opened(tenant_id, row) for row in await self._database.read(read)]

    async def remove(self, tenant_id: str, case_id: str, *, by: str) -> None:
        """Forget a case; raises `not_found`."""

        async def write(tx: Transaction) -> None:
            if not await tx.execute(_SQL["remove"], tenant_id=tenant_id, case_id=case_id):
                raise AirsideError(Code.NOT_FOUND, f"there is no case {case_id}")
            body = {"case": case_id, "by": by}
            await tx.append(events.entry(events.GUARD_CASE_REMOVED, body, tenant_id=tenant_id))

        await self._database.transact(write)

    async def _subject(self, tenant_id: str, run_id: str) -> str:
        if not run_id:
            return SUBJECT

        async def read(tx: Transaction) -> Row | None:
            return await tx.one(_SQL["subject_of_run"], tenant_id=tenant_id, run_id=run_id)

        row = await self._database.read(read)
        if row is None:
            raise AirsideError(Code.NOT_FOUND, f"there is no run {run_id}")
        return str(row["subject"])

    async def _opened(self, tenant_id: str, row: Row) -> Kept:
        case: Case | None = None
        try:
            key = await self._keyring.subject(tenant_id, row["subject"])
        except AirsideError as error:
            if error.code is not Code.NOT_FOUND:
                raise
        else:
            text = key.open(bytes(row["content_id"]), bytes(row["sealed"])).decode("utf-8", "surrogatepass")
            case = Case(text=text, place=row["place"], agent=row["agent"], expect=_expected(bytes(row["expect"])))
        names = ("case_id", "created_us", "created_by", "run_id", "because")
        return Kept(**{name: row[name] for name in names}, case=case)


def _expected(body: bytes) -> tuple[Expected, ...]:
    said: list[dict[str, Any]] = msgspec.json.decode(body)
    return tuple(Expected.model_validate(one) for one in said)
