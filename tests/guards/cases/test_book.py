"""Kept cases: sealed, paged, journaled, of one tenant, and erased with whom they are of."""

from collections.abc import AsyncIterator

import pytest

from airside.core.errors import AirsideError, Code
from airside.core.ports import Query, Transaction
from airside.guards.cases import book as book_
from airside.guards.cases.book import CaseBook
from airside.guards.cases.written import Case, Expected
from airside.runs.cursor import BEGINNING
from airside.testing import InMemoryPlane

TENANT = "default"
TEXT = "Ada's e-mail is ada@example.com \u0130"
CASE = Case(text=TEXT, place="result", agent="a", expect=(Expected(guard="personal", kind="EMAIL"),))
_ERASE = Query(
    "erase", "UPDATE subject_keys SET wrapped = :nothing WHERE tenant_id = :tenant_id AND subject = :subject"
)
_STORED = Query("stored", "SELECT sealed, expect FROM guard_cases")
_ENTRIES = Query("entries", "SELECT type, body FROM entries WHERE type LIKE 'guard.%' ORDER BY entry_id")


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
async def plane(request: pytest.FixtureRequest) -> AsyncIterator[InMemoryPlane]:
    url = "memory:" if request.param == "memory" else request.getfixturevalue("postgres_url")
    async with InMemoryPlane(database_url=url) as opened:
        yield opened


@pytest.fixture
def book(plane: InMemoryPlane) -> CaseBook:
    return CaseBook(plane.backend.database, plane.keyring)


async def test_a_case_comes_back_as_it_was_kept(book: CaseBook) -> None:
    made = await book.add(TENANT, CASE, by="key_1", because="it is public")
    (kept,) = await book.page(TENANT, BEGINNING, 10)
    assert (kept.case_id, kept.created_by, kept.because, kept.run_id) == (made, "key_1", "it is public", "")
    assert kept.case == CASE


async def test_pages_go_on_where_the_last_ended(book: CaseBook) -> None:
    made = [await book.add(TENANT, Case(text=f"text {number}"), by="k", because="") for number in range(5)]
    first = await book.page(TENANT, BEGINNING, 2)
    rest = await book.page(TENANT, (first[-1].created_us, first[-1].case_id), 10)
    assert {kept.case_id for kept in (*first, *rest)} == set(made)
    assert len(first) + len(rest) == 5


async def test_neither_table_nor_journal_holds_the_text(book: CaseBook, plane: InMemoryPlane) -> None:
    await book.add(TENANT, CASE, by="key_1", because="")

    async def read(tx: Transaction) -> list[bytes]:
        rows = [bytes(row["sealed"]) + bytes(row["expect"]) for row in await tx.fetch(_STORED)]
        return rows + [bytes(row["body"]) for row in await tx.fetch(_ENTRIES)]

    stored = await plane.backend.database.read(read)
    assert len(stored) == 2
    assert not any(b"ada@" in data for data in stored)


async def test_tenants_do_not_see_each_others(book: CaseBook) -> None:
    made = await book.add(TENANT, CASE, by="k", because="")
    assert not await book.page("other", BEGINNING, 10)
    with pytest.raises(AirsideError) as caught:
        await book.remove("other", made, by="k")
    assert caught.value.code is Code.NOT_FOUND
    await book.remove(TENANT, made, by="k")
    assert not await book.page(TENANT, BEGINNING, 10)


async def test_the_text_of_a_run_is_erased_with_its_subject(book: CaseBook, plane: InMemoryPlane) -> None:
    who = await plane.start_run()
    await book.add(TENANT, CASE, by="k", because="", run_id=who.run_id)

    async def erase(tx: Transaction) -> int:
        return await tx.execute(_ERASE, nothing=b"", tenant_id=TENANT, subject=who.subject)

    assert await plane.backend.database.transact(erase) == 1
    plane.keyring.forget(TENANT, who.subject)
    (kept,) = await book.page(TENANT, BEGINNING, 10)
    assert kept.case is None
    assert kept.run_id == who.run_id


async def test_a_run_that_is_not_there_and_too_many_cases_are_refused(
    book: CaseBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AirsideError) as caught:
        await book.add(TENANT, CASE, by="k", because="", run_id="run_none")
    assert caught.value.code is Code.NOT_FOUND
    monkeypatch.setattr(book_, "CASES_MAX", 1)
    await book.add(TENANT, CASE, by="k", because="")
    with pytest.raises(AirsideError) as caught:
        await book.add(TENANT, CASE, by="k", because="")
    assert caught.value.code is Code.LIMIT_EXCEEDED
