"""Notices: told soon, grouped, once by all processes together, never in the way."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr

from airside.config.resilience import NoticeSettings
from airside.core.clock import SystemClock
from airside.core.ports import Database
from airside.resilience.notices import GROUPS_MAX, DatabaseNotices
from tests.resilience.conftest import sql
from tests.runs.house import eventually

HOOK = "https://ops.example/hook"
Pair = tuple[DatabaseNotices, DatabaseNotices]


@pytest.fixture
async def pair(databases: tuple[Database, Database]) -> AsyncIterator[Pair]:
    settings = NoticeSettings(webhook_url=SecretStr(HOOK), interval_s=0.4)
    async with AsyncExitStack() as stack:
        made = [DatabaseNotices(database, SystemClock(), settings) for database in databases]
        for notices in made:
            await notices.start()
            stack.push_async_callback(notices.close)
        yield made[0], made[1]


async def told(database: Database) -> list[dict[str, object]]:
    rows = await sql(database, "SELECT tenant_id, body FROM entries WHERE type = 'notice' ORDER BY entry_id")
    return [json.loads(bytes(row["body"])) | {"tenant": row["tenant_id"]} for row in rows]


async def until_told(database: Database, count: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []

    async def enough() -> bool:
        found[:] = await told(database)
        return len(found) >= count

    await eventually(enough, lambda: f"told {found}", 8.0)
    return found


async def test_a_notice_is_journaled_and_put_into_the_outbox(pair: Pair, database: Database) -> None:
    pair[0].tell("default", "budget.near", {"key": "run:1", "share": 0.8})
    (entry,) = await until_told(database, 1)
    assert entry == {
        "kind": "budget.near",
        "count": 1,
        "notice": {"key": "run:1", "share": 0.8},
        "tenant": "default",
    }
    (row,) = await sql(database, "SELECT url, body, run_id FROM webhooks")
    assert (row["url"], row["run_id"]) == (HOOK, "")
    assert json.loads(row["body"])["type"] == "notice.budget.near"


async def test_the_same_again_is_counted_and_its_latest_told_when_the_interval_is_over(
    pair: Pair, database: Database
) -> None:
    pair[0].tell("default", "breaker.opened", {"key": "x", "n": 0})
    await until_told(database, 1)
    for number in range(1, 6):
        pair[0].tell("default", "breaker.opened", {"key": "x", "n": number})
    entries = await until_told(database, 2)
    assert [(entry["count"], entry["notice"]["n"]) for entry in entries] == [(1, 0), (5, 5)]  # type: ignore[index]


async def test_two_processes_tell_it_once(pair: Pair, database: Database) -> None:
    for notices in pair:
        notices.tell("default", "k", {"key": "x"})
    for notices in pair:
        await notices.flush()
    assert len(await told(database)) == 1


async def test_kinds_keys_and_tenants_are_told_apart(pair: Pair, database: Database) -> None:
    for tenant, kind, key in (("a", "k", "1"), ("b", "k", "1"), ("a", "l", "1"), ("a", "k", "2"), ("a", "k", "")):
        pair[0].tell(tenant, kind, {"key": key})
    assert len(await until_told(database, 5)) == 5


async def test_telling_is_bounded_and_never_fails(pair: Pair) -> None:
    for number in range(GROUPS_MAX * 2):
        pair[0].tell("default", "k", {"key": str(number)})
    assert len(pair[0]._pending) <= GROUPS_MAX


async def test_what_was_told_before_the_end_is_not_lost(databases: tuple[Database, Database]) -> None:
    notices = DatabaseNotices(databases[0], SystemClock(), NoticeSettings())
    await notices.start()
    notices.tell("default", "k", {})
    await notices.close()
    assert len(await told(databases[0])) == 1
    assert not await sql(databases[0], "SELECT 1 AS one FROM webhooks"), "no webhook without an address"
