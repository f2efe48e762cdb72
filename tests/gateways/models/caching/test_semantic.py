"""The semantic cache over HTTP with the real journal: near and verified is served, near alone never is."""

from collections.abc import Callable
from typing import Any

import pytest

from airside.core.errors import AirsideError, Code
from tests.fake_providers import text, tool_calls
from tests.gateways.models.caching.test_exact import change, rows
from tests.gateways.models.caching.world import Caches, caches

pytest.importorskip("numpy", reason="comes with the extra `local`")

QUESTION = "How do I reset my password?"
SAME = "How can I reset my password?"
TOOLS = [{"type": "function", "function": {"name": "refund"}}]


def answers(c: Caches, by_word: dict[str, str]) -> Callable[[Any], Any]:
    """Answer by the first of these words that the last message holds."""
    del c

    def reply(body: Any) -> Any:
        said = str(body["messages"][-1]["content"])
        return text(next((answer for word, answer in by_word.items() if word in said), "I do not know."))

    return reply


async def test_a_verified_paraphrase_is_served_and_the_journal_says_why() -> None:
    async with caches() as c:
        c.world.fake.reply = answers(c, {"password": "Click on reset."})
        assert await c.asked(await c.who(), QUESTION, "semantic") == ""
        who = await c.who()
        response = await c.ask(who, f"Hi, {SAME} Thanks!", "semantic")
        assert response.headers["x-airside-cache"].startswith("semantic; age=")
        assert "Click on reset." in response.text
        assert c.world.fake.calls == 1
        intent = next(e for e in await c.plane.entries(who) if e["type"] == "call.intent")
        note = intent["body"]["notes"]["cache"]
        assert (note["kind"], note["decision"]) == ("semantic", "served")
        assert note["candidates"][0]["similarity"] >= 0.95
        assert "password" not in str(note)


@pytest.mark.parametrize(
    ("kept", "asked", "veto"),
    [
        ("Can I return shoes after 30 days?", "Can I return shoes after 60 days?", "number"),
        ("Is it safe to fly while pregnant?", "Is it not safe to fly while pregnant?", "negation"),
        ("Find flights from Paris to Rome", "Find flights from Rome to Paris", "direction"),
        ("Wake me at 7 am", "Wake me at 7 pm", "number"),
        ("Is the dollar stronger than the euro?", "Is the euro stronger than the dollar?", "direction"),
    ],
)
async def test_a_near_question_with_another_meaning_is_vetoed(kept: str, asked: str, veto: str) -> None:
    async with caches({"semantic": {"similarity": 0.5, "similarity_min": 0.5}}) as c:
        assert await c.asked(await c.who(), kept, "semantic") == ""
        who = await c.who()
        assert await c.asked(who, asked, "semantic") == ""
        intent = next(e for e in await c.plane.entries(who) if e["type"] == "call.intent")
        note = intent["body"]["notes"]["cache"]
        assert note["decision"] == "vetoed"
        assert veto in note["candidates"][0]["vetoes"]
        assert c.world.fake.calls == 2


async def test_exact_alone_never_answers_by_meaning() -> None:
    async with caches() as c:
        await c.asked(await c.who(), QUESTION, "semantic")
        assert await c.asked(await c.who(), SAME, "exact") == ""


@pytest.mark.parametrize(
    "other",
    [
        {"tools": TOOLS},
        {"temperature": 0.3},
        {"messages": [{"role": "system", "content": "Be rude."}, {"role": "user", "content": SAME}]},
        {
            "messages": [
                {"role": "user", "content": "Hello"},
                {"role": "assistant", "content": "Hi"},
                {"role": "user", "content": SAME},
            ]
        },
    ],
)
async def test_all_but_the_last_question_must_be_equal(other: dict[str, Any]) -> None:
    async with caches() as c:
        await c.asked(await c.who(), QUESTION, "semantic")
        assert await c.asked(await c.who(), SAME, "semantic", **other) == ""


async def test_the_same_history_is_the_same_conversation() -> None:
    history = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}]
    history.append({"role": "assistant", "content": "Hi"})
    async with caches() as c:
        for question, expected in ((QUESTION, ""), (SAME, "semantic")):
            messages = [*history, {"role": "user", "content": question}]
            assert await c.asked(await c.who(), "", "semantic", messages=messages) == expected


async def test_an_answer_that_acts_is_never_served_by_meaning() -> None:
    async with caches({"tool_calls": True}) as c:
        c.world.fake.reply = lambda body: tool_calls(("refund", {"n": 1}))
        await c.asked(await c.who(), QUESTION, "semantic", tools=TOOLS)
        assert await c.asked(await c.who(), SAME, "semantic", tools=TOOLS) == ""
        assert (await rows(c, "SELECT part FROM cache_entries"))[0]["part"] == b""


async def test_subjects_and_tenants_are_partitions_of_meaning_too() -> None:
    async with caches() as c:
        await c.asked(await c.who("ann"), QUESTION, "semantic")
        assert await c.asked(await c.who("bob"), SAME, "semantic") == ""
    async with caches({"scope": "tenant"}) as c:
        await c.asked(await c.who("ann"), QUESTION, "semantic")
        assert await c.asked(await c.who("bob"), SAME, "semantic") == "semantic"
        await change(c, "UPDATE cache_entries SET tenant_id = 'other'")
        assert await c.asked(await c.who("bob"), f"{SAME} Please", "semantic") == ""


async def test_a_wrong_answer_found_by_an_audit_raises_the_threshold() -> None:
    async with caches() as c:
        c.world.fake.reply = lambda body: text(f"answer number {c.world.fake.calls}")
        await c.asked(await c.who(), QUESTION, "semantic")
        c.uniform[0] = 0.0  # every hit is answered anew and compared
        who = await c.who()
        assert await c.asked(who, SAME, "semantic") == ""
        intent = next(e for e in await c.plane.entries(who) if e["type"] == "call.intent")
        assert intent["body"]["notes"]["cache"]["decision"] == "audit"
        c.uniform[0] = 1.0
        (belief,) = await rows(c, "SELECT belief FROM cache_beliefs")
        assert '"wrong":1' in belief["belief"]
        assert await c.asked(await c.who(), "Please, how do I reset my own password?", "semantic") == ""
        (total,) = await rows(c, "SELECT trials, wrong FROM cache_totals WHERE kind = 'audit'")
        assert (total["trials"], total["wrong"]) == (1, 1)


async def test_agreeing_answers_below_the_threshold_are_learned_from() -> None:
    async with caches({"semantic": {"similarity": 1.0, "similarity_min": 0.5}}) as c:
        c.world.fake.reply = answers(c, {"Django": "In the settings."})
        await c.asked(await c.who(), "How do I sort lists in Django?", "semantic")
        assert await c.asked(await c.who(), "In Django, how do I sort the lists?", "semantic") == ""
        (total,) = await rows(c, "SELECT trials, wrong FROM cache_totals WHERE kind = 'explored'")
        assert (total["trials"], total["wrong"]) == (1, 0)
        assert any("true" in row["trials"] for row in await rows(c, "SELECT trials FROM cache_entries"))


@pytest.mark.parametrize(
    "hostile", ["How do I res\u200bet my password?", "How d\u043e I reset my password?", "a" * 50_000]
)
async def test_tricks_with_characters_and_huge_prompts_are_not_compared(hostile: str) -> None:
    async with caches() as c:
        await c.asked(await c.who(), QUESTION, "semantic")
        embedded = len(c.embedder.texts)
        assert await c.asked(await c.who(), hostile, "semantic") == ""
        assert len(c.embedder.texts) == embedded


async def test_an_embedder_that_fails_costs_only_the_hit_and_a_missing_one_is_said() -> None:
    async with caches() as c:
        c.embedder.failing = AirsideError(Code.UPSTREAM_FAILED)
        assert await c.asked(await c.who(), QUESTION, "semantic") == ""
        c.embedder.failing = AirsideError(Code.MISCONFIGURED, "install the extra `local`")
        refused = await c.ask(await c.who(), SAME, "semantic")
        assert (refused.status_code, refused.json()["error"]["code"]) == (500, "misconfigured")


async def test_a_cleared_entry_is_not_served_from_memory() -> None:
    async with caches() as c:
        await c.asked(await c.who(), QUESTION, "semantic")
        assert await c.asked(await c.who(), SAME, "semantic") == "semantic"
        await change(c, "DELETE FROM cache_entries")
        assert await c.asked(await c.who(), f"{SAME} Thanks", "semantic") == ""


async def test_what_was_served_by_meaning_is_not_kept_as_a_new_entry() -> None:
    async with caches() as c:
        await c.asked(await c.who(), QUESTION, "semantic")
        await c.asked(await c.who(), SAME, "semantic")
        assert len(await rows(c, "SELECT * FROM cache_entries")) == 1
