"""fsck: silent on a sound journal, and each kind of damage has its finding."""

import json
from collections.abc import Awaitable, Callable

import pytest

from airside.core.call import Call, CallState, Outcome
from airside.core.errors import Code
from airside.core.ports import Closing, Entry, Opening, Query, Refused, Sealed, Transaction
from airside.journal import events, queries
from airside.journal.backend import Backend
from airside.journal.fsck import Finding, fsck
from airside.journal.sealing import DatabaseKeyring, SubjectSealer
from tests.journal import world

MASTER = b"m" * 32
Damage = Callable[[Backend], Awaitable[object]]


def _sql(statement: str) -> Damage:
    query = Query("test:damage", statement)
    return lambda backend: backend.database.transact(lambda tx: tx.execute(query))


async def _sound(backend: Backend) -> DatabaseKeyring:
    """A run with everything in it: answers, retries, refusals, an open call, two attempts; all contents sealed."""
    keyring = DatabaseKeyring(backend.database, MASTER)
    key = await keyring.subject(world.TENANT, "sub")
    given, asked = key.seal(b"{}"), key.seal(b"hello")

    async def body(tx: Transaction) -> None:
        await tx.store(given)
        name = queries.load("tests.journal", "world.sql")["set_input"]
        await tx.execute(name, tenant_id=world.TENANT, run_id=world.RUN, input=given.content_id)
        state = {"state": "running", "version": 1}
        await tx.append(events.entry(events.RUN_STATE, state, tenant_id=world.TENANT, run_id=world.RUN))

    await backend.database.transact(body)
    await _calls(backend, key, asked)
    return keyring


async def _calls(backend: Backend, key: SubjectSealer, asked: Sealed) -> None:
    journal = backend.journal
    for text, state in (("a", CallState.OK), ("a", CallState.ERROR), ("b", CallState.LOST)):
        call = world.call(text)
        await journal.open(_opening(call, asked))
        await journal.close(_closing(call, state, key.seal(text.encode())))
    retried = world.call("c")
    await journal.open(_opening(retried, asked))
    await journal.close(_closing(retried, CallState.TRANSIENT, key.seal(b"no")))
    await journal.open(_opening(retried, asked))
    await journal.close(_closing(retried, CallState.OK, key.seal(b"yes")))
    denied = world.call("d")
    event = events.refused(denied, CallState.DENIED, Code.POLICY_DENIED, "no")
    await journal.refuse(denied, CallState.DENIED, event, key.seal(b"denied"), Refused(Code.POLICY_DENIED, "no"))
    sent = world.call("e")
    await journal.open(_opening(sent, asked))
    second = await world.next_attempt(backend.database)
    await journal.open(_opening(world.call("e", call_id=sent.call_id, identity=second), asked))


def _opening(call: Call, asked: Sealed) -> Opening:
    intent = events.intent(call, "gw-1", [asked.content_id])
    return Opening(call=call, executor_id="gw-1", intent=intent, contents=[asked])


def _closing(call: Call, state: CallState, answer: Sealed) -> Closing:
    event = events.outcome(call, Outcome(state=state, body=b""), answer.content_id)
    return Closing(call=call, state=state, event=event, outcome=answer, cost=None, tokens=3)


async def test_a_sound_journal_has_no_findings(backend: Backend) -> None:
    keyring = await _sound(backend)
    steps: list[str] = []
    assert await fsck(backend.database, keyring, progress=steps.append) == []
    assert len(steps) == 3


async def _entry_of_nothing(backend: Backend) -> None:
    entry = events.intent(world.call("ghost"), "gw-1", [])
    await backend.database.transact(lambda tx: tx.append(entry))


async def _entry_from_the_future(backend: Backend) -> None:
    entry = Entry(world.TENANT, world.RUN, "", events.RUN_STATE, 99, b"{}")
    await backend.database.transact(lambda tx: tx.append(entry))


async def _entry_of_garbage(backend: Backend) -> None:
    entry = Entry(world.TENANT, world.RUN, "", events.KILL_SET, 1, b"{not json")
    await backend.database.transact(lambda tx: tx.append(entry))


DAMAGE: list[tuple[Damage, set[str]]] = [
    (_sql("UPDATE budgets SET spent_nanousd = spent_nanousd - 1 WHERE node LIKE 'run:%'"), {"budgets"}),
    (_sql("UPDATE budgets SET reserved_tokens = 0"), {"budgets"}),
    (_sql("UPDATE budgets SET spent_calls = spent_calls + 1"), {"budgets"}),
    (_sql("DELETE FROM budgets WHERE node LIKE 'run:%'"), {"budgets"}),
    (_sql("UPDATE calls SET cost_nanousd = cost_nanousd + 1 WHERE state = 'ok'"), {"budgets"}),
    (_sql("DELETE FROM calls WHERE state = 'error'"), {"calls", "budgets"}),
    (_sql("UPDATE calls SET state = 'held' WHERE state = 'open'"), {"calls", "reservations", "budgets"}),
    (_sql("UPDATE calls SET executor_id = '' WHERE state = 'error'"), {"calls", "budgets"}),
    (_sql("UPDATE runs SET state = 'failed', ended_us = 5"), {"reservations"}),
    (_sql("UPDATE runs SET version = 3"), {"runs"}),
    (_sql("UPDATE runs SET attempt = 3"), {"attempts"}),
    (_sql("UPDATE attempts SET ended_us = NULL"), {"attempts"}),
    (_sql("DELETE FROM attempts WHERE attempt = 1"), {"attempts"}),
    (_sql("DELETE FROM contents"), {"contents"}),
    (_sql("DELETE FROM subject_keys"), {"keys"}),
    (_sql("UPDATE schema_migrations SET name = 'other'"), {"schema"}),
    (_entry_of_nothing, {"calls"}),
    (_entry_from_the_future, {"runs", "entries"}),
    (_entry_of_garbage, {"entries"}),
]


@pytest.mark.parametrize(("damage", "expected"), DAMAGE)
async def test_damage_is_found(backend: Backend, damage: Damage, expected: set[str]) -> None:
    keyring = await _sound(backend)
    await damage(backend)
    found = await fsck(backend.database, keyring)
    assert {finding.check for finding in found} == expected


async def test_a_changed_byte_of_content_is_found(backend: Backend) -> None:
    keyring = await _sound(backend)
    rows = await world.fetch(backend.database, "contents")
    sealed = bytearray(rows[0]["sealed"])
    sealed[-1] ^= 1
    await world.execute(backend.database, "set_content", content_id=bytes(rows[0]["content_id"]), sealed=bytes(sealed))
    (finding,) = await fsck(backend.database, keyring)
    assert finding.check == "contents"
    assert bytes(rows[0]["content_id"]).hex()[:16] in finding.subject


async def test_swapped_contents_are_found(backend: Backend) -> None:
    keyring = await _sound(backend)
    first, second = (await world.fetch(backend.database, "contents"))[:2]
    await world.execute(
        backend.database, "set_content", content_id=bytes(first["content_id"]), sealed=bytes(second["sealed"])
    )
    assert [finding.check for finding in await fsck(backend.database, keyring)] == ["contents"]


async def test_the_wrong_master_key_is_a_finding_and_changes_nothing(backend: Backend) -> None:
    await _sound(backend)
    found = await fsck(backend.database, DatabaseKeyring(backend.database, b"x" * 32))
    assert [finding.check for finding in found] == ["keys"]
    assert await fsck(backend.database, DatabaseKeyring(backend.database, MASTER)) == []


async def test_an_erased_subject_is_no_finding(backend: Backend) -> None:
    await _sound(backend)
    await world.execute(backend.database, "destroy_key", subject="sub")
    assert await fsck(backend.database, DatabaseKeyring(backend.database, MASTER)) == []


async def test_many_findings_are_cut_off_and_pages_are_walked(backend: Backend) -> None:
    keyring = await _sound(backend)
    entries = [Entry(world.TENANT, "", "", "no.such.type", 1, json.dumps(n).encode()) for n in range(1_700)]
    await backend.database.transact(lambda tx: tx.append(*entries))
    found = await fsck(backend.database, keyring)
    assert 1_000 <= len(found) <= 1_500
    assert all(isinstance(finding, Finding) and finding.check == "entries" for finding in found)
