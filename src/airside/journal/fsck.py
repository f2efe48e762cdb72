"""The journal's own audit: do the tables say what the entries say, do the sums add up, does every content open?

Reads only. The accounts are compared on one snapshot, so that the check may run beside a working installation.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Keyring, Row, SubjectKey, Transaction
from airside.journal import events, migrate, queries

FINDINGS_MAX = 1_000  # of one check; the first ones are enough to start repairing
PAGE = 500
SETTLE_GRACE_US = 60_000_000
_SQL = queries.load("airside.journal", "fsck.sql")
_TOTALS = (
    *("reserved_nanousd", "reserved_tokens", "reserved_calls"),
    *("spent_nanousd", "spent_tokens", "spent_calls"),
)


class Finding(Struct, frozen=True):
    """Something that must not be: which check found it, on what (ids, joined by `/`), and what is wrong."""

    check: str
    subject: str
    message: str


Progress = Callable[[str], object]


async def fsck(
    database: Database,
    keyring: Keyring,
    *,
    settle_grace_us: int = SETTLE_GRACE_US,
    progress: Progress | None = None,
) -> list[Finding]:
    """Check the whole journal and return what is wrong, the empty list if nothing is.

    `settle_grace_us` is how long calls may outlive their run before their reservation counts as leaked. `progress` is
    told the name of each step as it begins. Raises AirsideError `journal_unavailable` if the database cannot be read.
    """
    tell = progress or (lambda step: step)
    tell("schema and accounts")
    found = await database.read(lambda tx: _accounts(tx, settle_grace_us))
    tell("entries")
    found += await _entries(database)
    tell("contents")
    found += await _sealed(database, keyring, "contents_page", {"tenant_id": "", "subject": "", "content_id": b""})
    found += await _sealed(database, keyring, "answers_page", {"tenant_id": "", "call_id": "", "content_id": b""})
    return list(dict.fromkeys(found))  # a key that cannot be had is met in both


async def _accounts(tx: Transaction, settle_grace_us: int) -> list[Finding]:
    found = _schema(await tx.fetch(_SQL["migrations"]))
    for row in await tx.fetch(_SQL["integrity"]):
        if row["integrity_check"] != "ok":
            found.append(Finding("integrity", "database", str(row["integrity_check"])))
    for row in await tx.fetch(_SQL["calls_without_entries"], findings_max=FINDINGS_MAX):
        said = f"{row['intents']} intents, {row['outcomes']} outcomes and {row['refusals']} refusals in the journal"
        found.append(Finding("calls", _name(row, "call_id"), f"the call is {row['state']} with {said}"))
    for row in await tx.fetch(_SQL["entries_without_calls"], findings_max=FINDINGS_MAX):
        found.append(Finding("calls", _name(row, "call_id"), "the journal tells of a call that has no row"))
    for row in await tx.fetch(_SQL["budgets"], findings_max=FINDINGS_MAX):
        found.append(Finding("budgets", f"{row['tenant_id']}/{row['node']}", _difference(row)))
    before_us = tx.now_us - settle_grace_us
    for row in await tx.fetch(_SQL["leaks"], ended_before_us=before_us, findings_max=FINDINGS_MAX):
        message = f"the call holds a reservation, but its run is {row['state']}"
        found.append(Finding("reservations", _name(row, "call_id"), message))
    for row in await tx.fetch(_SQL["reservations_of_closed_calls"], findings_max=FINDINGS_MAX):
        message = f"the call is {row['state']} and still holds a reservation"
        found.append(Finding("reservations", _name(row, "call_id"), message))
    for row in await tx.fetch(_SQL["versions"], findings_max=FINDINGS_MAX):
        message = f"the run is at version {row['version']} with {row['entries']} transitions in the journal"
        found.append(Finding("runs", _name(row), message))
    for row in await tx.fetch(_SQL["attempts"], findings_max=FINDINGS_MAX):
        rows = f"{row['attempts']} attempts up to {row['last']}, {row['live']} of them live"
        message = f"the run is at attempt {row['attempt']}, but has {rows}"
        found.append(Finding("attempts", _name(row), message))
    for row in await tx.fetch(_SQL["contents_missing"], findings_max=FINDINGS_MAX):
        found.append(Finding("contents", _name(row, "what"), "the content that it names is not there"))
    for row in await tx.fetch(_SQL["answers_missing"], findings_max=FINDINGS_MAX):
        found.append(Finding("contents", _name(row, "call_id"), "the answer that it names is not there"))
    return found


def _schema(rows: Sequence[Row]) -> list[Finding]:
    # Both databases number the same migrations; their scripts differ, their names do not.
    due = {migration.number: migration.name for migration in migrate.known("sqlite")}
    applied = {row["number"]: row["name"] for row in rows}
    if applied == due:
        return []
    return [Finding("schema", "schema_migrations", f"applied are {applied}, this airside has {due}")]


def _difference(row: Row) -> str:
    if row["spent_nanousd"] is None:
        return "calls are charged to a node that does not exist"
    wrong = [
        f"{name} is {row[name]}, its calls say {row['due_' + name]}"
        for name in _TOTALS
        if row[name] != row["due_" + name]
    ]
    return "; ".join(wrong)


async def _entries(database: Database) -> list[Finding]:
    found: list[Finding] = []
    after = 0
    while len(found) < FINDINGS_MAX:

        async def page(tx: Transaction, after: int = after) -> tuple[int, list[Finding]]:
            rows = await tx.fetch(_SQL["entries_page"], after=after, page=PAGE)
            wrong = [finding for row in rows for finding in await _entry(tx, row)]
            return (rows[-1]["entry_id"] if rows else 0), wrong

        after, wrong = await database.read(page)
        found += wrong
        if not after:
            break
    return found


async def _entry(tx: Transaction, row: Row) -> list[Finding]:
    """Check one entry: a known type, a version we can read, and contents that are there."""
    name = f"{row['entry_id']} ({row['type']})"
    if not 1 <= row["version"] <= events.VERSIONS.get(row["type"], 0):
        return [Finding("entries", name, f"version {row['version']} of this type is not known to this airside")]
    try:
        body = msgspec.json.decode(bytes(row["body"]), type=dict[str, Any])
        named = list(_named(row["type"], body))
    except (msgspec.DecodeError, KeyError, ValueError, TypeError):
        return [Finding("entries", name, "the body is not what this type holds")]
    if row["erased"]:
        return []
    found = []
    answered = row["type"] == events.CALL_OUTCOME
    kept_by = {"call_id": row["call_id"]} if answered else {"subject": row["subject"] or ""}
    for content_id in named:
        key = {"tenant_id": row["tenant_id"], "content_id": content_id} | kept_by
        if not await tx.one(_SQL["answer" if answered else "content"], **key):
            found.append(Finding("contents", name, f"content {content_id.hex()[:16]}… that it names is not there"))
    return found


def _named(type_: str, body: dict[str, Any]) -> Iterator[bytes]:
    if type_ == events.CALL_INTENT:
        yield from (bytes.fromhex(name) for name in body["request"])
    if type_ == events.CALL_OUTCOME and body["answer"]:
        yield bytes.fromhex(body["answer"])


async def _sealed(database: Database, keyring: Keyring, pages: str, last: dict[str, Any]) -> list[Finding]:
    """Open everything of a table, which is read in pages of the order in which `last` is its least key."""
    found: list[Finding] = []
    while len(found) < FINDINGS_MAX:

        async def page(tx: Transaction, last: dict[str, Any] = last) -> Sequence[Row]:
            return await tx.fetch(_SQL[pages], **last, page=PAGE)

        rows = await database.read(page)
        if not rows:
            break
        last = {key: rows[-1][key] for key in last}
        # Of an erased subject nothing can be opened, and that is as it should be.
        rows = [row for row in rows if row["key_bytes"] != 0]
        keys, wrong = await _keys(keyring, rows)
        found += wrong
        found += await asyncio.to_thread(_unopened, rows, keys)
    return found


async def _keys(keyring: Keyring, rows: Sequence[Row]) -> tuple[dict[tuple[str, str], SubjectKey], list[Finding]]:
    keys, found = {}, []
    for tenant_id, subject, key_bytes in {(row["tenant_id"], row["subject"], row["key_bytes"]) for row in rows}:
        name = f"{tenant_id}/{subject}"
        if key_bytes is None:
            found.append(Finding("keys", name, "the subject has contents, but no key and no sign of its erasure"))
            continue
        try:
            keys[tenant_id, subject] = await keyring.subject(tenant_id, subject)
        except AirsideError as error:
            if error.code is Code.JOURNAL_UNAVAILABLE:
                raise
            found.append(Finding("keys", name, error.message))
    return keys, found


def _unopened(rows: Sequence[Row], keys: dict[tuple[str, str], SubjectKey]) -> list[Finding]:
    found = []
    for row in rows:
        key = keys.get((row["tenant_id"], row["subject"]))
        if key is None:
            continue
        content_id = bytes(row["content_id"])
        try:
            intact = key.name(key.open(content_id, bytes(row["sealed"]))) == content_id
        except AirsideError:
            intact = False
        if not intact:
            name = f"{row['tenant_id']}/{row['subject']}/{content_id.hex()[:16]}…"
            found.append(Finding("contents", name, "the stored bytes do not open to what their name says"))
    return found


def _name(row: Row, *more: str) -> str:
    return "/".join(str(row[column]) for column in ("tenant_id", "run_id", *more))
