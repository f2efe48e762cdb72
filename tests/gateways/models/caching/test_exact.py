"""The exact cache over HTTP with the real journal: what is given again, to whom, and what never is."""

import asyncio
from typing import Any

import pytest

from airside.core.call import Call, Outcome, Usage
from airside.core.errors import AirsideError, Code
from airside.core.money import ZERO
from airside.core.ports import Query
from airside.gateways.models.caching.remembered import Remembered, packed, unpacked
from airside.gateways.models.provider import Ask
from airside.gateways.models.providers.http import HttpProvider
from airside.testing.calls import token_of
from tests.fake_providers import Fault, text, tool_calls
from tests.gateways.models.caching.world import HEADER, Caches, caches

TOOLS = [{"type": "function", "function": {"name": "refund"}}]


async def rows(c: Caches, sql: str, **parameters: Any) -> list[Any]:
    return list(await c.plane.backend.database.read(lambda tx: tx.fetch(Query("test", sql), **parameters)))


async def change(c: Caches, sql: str, **parameters: Any) -> None:
    await c.plane.backend.database.transact(lambda tx: tx.execute(Query("test", sql), **parameters))


@pytest.mark.parametrize("streams", [(False, True), (True, False)])
async def test_an_answer_is_given_again_in_either_mode_free_and_as_a_call_of_its_own(
    streams: tuple[bool, bool],
) -> None:
    async with caches() as c:
        c.world.fake.reply = lambda body: text(f"answer {c.world.fake.calls}")
        one, two = await c.who(), await c.who()
        first = await c.ask(one, stream=streams[0])
        second = await c.ask(two, stream=streams[1])
        assert c.world.fake.calls == 1
        assert HEADER not in first.headers
        assert second.headers[HEADER].startswith("exact; age=")
        assert "answer" in first.text
        assert "answer" in second.text
        (row,) = await c.plane.calls(two)
        assert row["state"] == "ok"
        balance = await c.plane.balance(two)
        assert (balance["spent_nanousd"], balance["spent_tokens"], balance["reserved_nanousd"]) == (0, 0, 0)
        outcome = next(e for e in await c.plane.entries(two) if e["type"] == "call.outcome")
        intent = next(e for e in await c.plane.entries(two) if e["type"] == "call.intent")
        assert outcome["body"]["metered"] is True
        assert intent["body"]["notes"]["cache"]["kind"] == "exact"
        assert intent["body"]["notes"]["cache"]["saved_nanousd"] > 0
        replayed = await c.ask(await c.plane.next_attempt(two), stream=streams[1])
        assert replayed.headers["x-airside-replayed"] == "true"
        assert c.world.fake.calls == 1


async def test_nothing_is_remembered_unless_asked_for() -> None:
    async with caches() as c:
        for wish in ("", "off"):
            assert [await c.asked(await c.who(), wish=wish) for _ in range(2)] == ["", ""]
        assert c.world.fake.calls == 4
        assert await rows(c, "SELECT * FROM cache_entries") == []


async def test_a_setting_serves_only_repeatable_requests() -> None:
    async with caches({"mode": "exact"}) as c:
        assert [await c.asked(await c.who(), wish="") for _ in range(2)] == ["", ""]
        assert [await c.asked(await c.who(), wish="", temperature=0) for _ in range(2)] == ["", "exact"]
        assert await c.asked(await c.who(), wish="off", temperature=0) == ""
    async with caches({"mode": "exact", "wishes": False}) as c:
        assert [await c.asked(await c.who(), wish="exact", temperature=1) for _ in range(2)] == ["", ""]


async def test_an_unknown_wish_is_refused() -> None:
    async with caches() as c:
        refused = await c.ask(await c.who(), wish="exactly")
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request")
        assert c.world.fake.calls == 0


@pytest.mark.parametrize(
    "other",
    [
        {"temperature": 0.5},
        {"max_tokens": 7},
        {"tools": TOOLS},
        {"messages": [{"role": "system", "content": "Be rude."}, {"role": "user", "content": "Hello"}]},
        {"messages": [{"role": "user", "content": "Hello", "name": "bob"}]},
        {"response_format": {"type": "json_object"}},
        {"seed": 7},
    ],
)
async def test_what_differs_in_anything_that_matters_is_never_shared(other: dict[str, Any]) -> None:
    async with caches() as c:
        assert await c.asked(await c.who()) == ""
        assert await c.asked(await c.who(), **other) == ""
        assert await c.asked(await c.who(), **other) == "exact"
        assert c.world.fake.calls == 2


async def test_a_model_that_was_wished_for_does_not_answer_in_another_s_name() -> None:
    async with caches() as c:
        body = {"model": "fake-large", "messages": [{"role": "user", "content": "Hello"}]}
        headers = {"authorization": f"Bearer {token_of(await c.who())}", HEADER: "exact", "x-airside-route": "small"}
        await c.world.http.post("/v1/chat/completions", json=body, headers=headers)
        assert await c.plane.afterwork.drain(10.0)
        assert await c.asked(await c.who()) == ""
        assert await c.asked(await c.who()) == "exact"


async def test_subjects_releases_and_tenants_share_nothing() -> None:
    async with caches() as c:
        assert await c.asked(await c.who("ann")) == ""
        assert await c.asked(await c.who("bob")) == ""
        assert await c.asked(await c.who("ann", release="rel_2")) == ""
        assert await c.asked(await c.who("ann", agent="other")) == ""
        assert await c.asked(await c.who("ann")) == "exact"


async def test_the_widest_scope_still_ends_at_the_tenant_and_the_policy() -> None:
    wide = {"scope": "tenant", "agents": "any"}
    async with caches(wide) as c:
        assert await c.asked(await c.who("ann")) == ""
        assert await c.asked(await c.who("bob", agent="other", release="rel_2")) == "exact"
        (entry,) = await rows(c, "SELECT * FROM cache_entries")
        await change(c, "UPDATE cache_entries SET tenant_id = 'other'")
        assert await c.asked(await c.who("ann")) == ""
        assert entry["tenant_id"] == "default"


async def test_no_content_stands_in_the_table() -> None:
    async with caches() as c:
        c.world.fake.reply = lambda body: text("the secret answer")
        await c.asked(await c.who(), "the secret question")
        (entry,) = await rows(c, "SELECT * FROM cache_entries")
        joined = b"".join(v if isinstance(v, bytes) else str(v).encode() for v in entry.values())
        assert b"secret" not in joined


async def test_a_changed_or_exchanged_answer_is_never_served() -> None:
    async with caches() as c:
        c.world.fake.reply = lambda body: text(f"answer {c.world.fake.calls}")
        await c.asked(await c.who(), "first")
        await c.asked(await c.who(), "second")
        await change(
            c,
            "UPDATE cache_entries SET answer = (SELECT MAX(answer) FROM cache_entries), "
            "answer_id = (SELECT answer_id FROM cache_entries ORDER BY answer DESC LIMIT 1)",
        )
        found = [await c.asked(await c.who(), question) for question in ("first", "second")]
        assert sorted(found) == ["", "exact"]
        await change(c, "UPDATE cache_entries SET answer = :junk", junk=b"\x01" + bytes(40))
        assert await c.asked(await c.who(), "second") == ""


async def test_erasing_a_subject_ends_what_came_from_it() -> None:
    async with caches({"scope": "tenant"}) as c:
        await c.asked(await c.who("ann"))
        await change(c, "UPDATE subject_keys SET wrapped = :empty WHERE subject = 'ann'", empty=b"")
        c.plane.keyring.forget("default", "ann")
        assert await c.asked(await c.who("bob")) == ""
        assert await c.asked(await c.who("bob")) == "exact"


async def test_an_answer_expires_by_the_databases_clock() -> None:
    async with caches() as c:
        await c.asked(await c.who())
        await change(c, "UPDATE cache_entries SET expires_us = created_us")
        assert await c.asked(await c.who()) == ""


async def test_answers_that_act_are_kept_only_if_that_is_configured() -> None:
    for kept, expected in ((False, ""), (True, "exact")):
        async with caches({"tool_calls": kept}) as c:
            c.world.fake.reply = lambda body: tool_calls(("refund", {"n": 1}))
            await c.asked(await c.who(), tools=TOOLS)
            assert await c.asked(await c.who(), tools=TOOLS) == expected


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(status=400, raw=b'{"error": {"message": "no"}}')])
async def test_failures_are_not_remembered(fault: Fault) -> None:
    async with caches() as c:
        c.world.fake.faults += [fault, fault, fault]
        failed = await c.ask(await c.who())
        assert failed.status_code >= 400
        c.world.fake.faults.clear()
        assert await c.asked(await c.who()) == ""


async def test_an_answer_of_a_stand_in_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    complete = HttpProvider.complete

    async def elsewhere(provider: HttpProvider, call: Call, ask: Ask) -> Outcome:
        ask.told.append((b"x-airside-fallback", b"chain"))
        return await complete(provider, call, ask)

    monkeypatch.setattr(HttpProvider, "complete", elsewhere)
    async with caches() as c:
        assert [await c.asked(await c.who()) for _ in range(2)] == ["", ""]
        assert await rows(c, "SELECT * FROM cache_entries") == []


async def test_a_cut_answer_is_not_remembered() -> None:
    async with caches() as c:
        c.world.fake.reply = lambda body: {**text("half an ans"), "stop": "length"}
        await c.asked(await c.who())
        assert await c.asked(await c.who()) == ""


async def test_what_is_larger_than_its_limit_is_not_remembered_and_the_tenant_stays_under_its_own() -> None:
    async with caches({"entry_bytes_max": 200}) as c:
        c.world.fake.reply = lambda body: text("x" * 500)
        await c.asked(await c.who())
        assert await c.asked(await c.who()) == ""
    async with caches({"bytes_max": 3_000}) as c:
        who = await c.who()
        for n in range(70):
            await c.asked(who, f"question {n}")
        (size,) = await rows(c, "SELECT COUNT(*) AS n, SUM(bytes) AS bytes FROM cache_entries")
        assert size["n"] < 45
        assert await c.asked(await c.who(), "question 69") == "exact"


async def test_a_database_that_fails_costs_only_the_hit(monkeypatch: pytest.MonkeyPatch) -> None:
    async with caches() as c:
        await c.asked(await c.who())

        async def failing(*_: Any, **__: Any) -> Remembered | None:
            raise AirsideError(Code.JOURNAL_UNAVAILABLE)

        monkeypatch.setattr(c.store, "find", failing)
        monkeypatch.setattr(c.store, "put", failing)
        assert await c.asked(await c.who()) == ""
        assert c.world.fake.calls == 2


async def test_many_writers_of_one_answer_leave_one_entry() -> None:
    async with caches() as c:
        everyone = [await c.who() for _ in range(8)]
        await asyncio.gather(*[c.ask(who) for who in everyone])
        assert len(await rows(c, "SELECT * FROM cache_entries")) == 1


async def test_hits_and_what_they_saved_are_counted() -> None:
    async with caches() as c:
        for _ in range(3):
            await c.asked(await c.who())
        (total,) = await rows(c, "SELECT * FROM cache_totals WHERE kind = 'exact'")
        assert total["hits"] == 2
        assert total["nanousd"] > 0
        assert total["tokens"] > 0
        (entry,) = await rows(c, "SELECT hits FROM cache_entries")
        assert entry["hits"] == 2


async def test_what_the_providers_own_cache_saved_is_counted() -> None:
    async with caches() as c:
        reported = {"prompt_tokens": 1_000, "completion_tokens": 5, "total_tokens": 1_005}
        c.world.fake.faults.append(Fault(usage={**reported, "prompt_tokens_details": {"cached_tokens": 800}}))
        await c.asked(await c.who(), wish="")
        totals = await rows(c, "SELECT * FROM cache_totals WHERE kind = 'prompt'")
        assert [(t["hits"], t["tokens"]) for t in totals] == [(1, 800)]


def test_an_answer_opens_only_for_its_own_request() -> None:
    answer = Remembered(entry_key=b"a" * 32, body=b"{}", usage=Usage(), cost=ZERO, upstream="x", price="p")
    assert unpacked(packed(answer), b"a" * 32) == answer
    assert unpacked(packed(answer), b"b" * 32) is None
    assert unpacked(b"\xc1", b"a" * 32) is None
