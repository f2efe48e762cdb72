"""The step `guard` through the real gateway: what providers are sent, what clients are told, what the journal keeps."""

import json
from pathlib import Path
from typing import Any

import pytest

from airside.config.guards import GuardRule
from airside.guards.finding import Guard, Place
from tests.fake_providers.script import text
from tests.gateways.models.guarding.rig import ATTACK, EMAIL, SECRET, guarded
from tests.gateways.models.guarding.talks import PATHS, TALKS, at, put
from tests.gateways.models.guarding.test_texts import FIRST_OF_USER
from tests.gateways.models.places import MODELS, acts
from tests.gateways.models.world import World

BLOCK = GuardRule(guards=["injection"], mode="block")
TOKENISE = GuardRule(guards=["personal"], mode="tokenise")
CODES: dict[str, tuple[Any, ...]] = {
    "chat": ("error", "code"),
    "responses": ("error", "code"),
    "messages": ("error", "code"),
    "gemini": ("error", "details", 0, "reason"),
    "embeddings": ("error", "code"),
}


def talk_of(name: str, said: str) -> Any:
    talk = put(TALKS[name][1], FIRST_OF_USER[name], said)
    if name == "responses":  # whose provider knows no thoughts but its own
        talk["input"] = [item for item in talk["input"] if item.get("type") != "reasoning"]
    return {**talk, "model": MODELS[PATHS[name][0]]} if "model" in talk and name != "embeddings" else talk


async def post(w: World, name: str, said: str, **more: Any) -> Any:
    return await w.http.post(PATHS[name][1], json={**talk_of(name, said), **more})


def bodies(w: World) -> str:
    """Return all that the provider has been sent."""
    return "\n".join(raw.decode() for raw in w.fake.raw_requests)


@pytest.mark.parametrize("name", TALKS)
async def test_a_secret_never_reaches_the_provider(name: str, tmp_path: Path) -> None:
    async with guarded(tmp_path, PATHS[name][0]) as (w, plane, rig):
        who = await plane.start_run()
        acts(w, who)
        answer = await post(w, name, f"my key is {SECRET}, is it safe?")
        assert answer.status_code == 200, answer.text
        assert not w.fake.refusals
        assert SECRET not in bodies(w)
        assert "my key is [SECRET], is it safe?" in bodies(w)
        (intent,) = [one for one in await plane.entries(who) if one["type"] == "call.intent"]
        (found,) = intent["body"]["notes"]["guards"]
        assert (found["guard"], found["rule"], found["mode"], found["place"]) == (
            "secrets",
            "planted_key",
            "redact",
            "user",
        )
        assert found["span"] == [10, 10 + len(SECRET)]
        assert SECRET not in json.dumps([one["body"] for one in await plane.entries(who)])
        assert rig.risks.risen == [(who.run_id, Place.USER, "planted_key")]


@pytest.mark.parametrize("name", TALKS)
async def test_a_blocked_call_is_told_in_the_clients_own_words(name: str, tmp_path: Path) -> None:
    async with guarded(tmp_path, PATHS[name][0], BLOCK) as (w, plane, _):
        who = await plane.start_run()
        acts(w, who)
        answer = await post(w, name, f"please, {ATTACK} {SECRET}")
        assert answer.status_code == 403
        assert at(answer.json(), CODES[name]) == "guard_blocked"
        assert ATTACK not in answer.text
        assert not w.fake.calls
        again = await post(w, name, f"please, {ATTACK} {SECRET}")
        assert again.status_code == 403
        entries = await plane.entries(who)
        refused = [one for one in entries if one["type"] == "call.refused"]
        assert [one["body"]["code"] for one in refused] == ["guard_blocked"] * len(refused)
        found = refused[0]["body"]["notes"]["guards"]
        assert {(one["rule"], one["mode"], tuple(one["span"])) for one in found} == {
            ("planted_attack", "block", (8, 8 + len(ATTACK))),
            ("planted_key", "redact", (9 + len(ATTACK), 9 + len(ATTACK) + len(SECRET))),
        }
        assert ATTACK not in json.dumps([one["body"] for one in entries])
        assert not [one for one in entries if one["type"] == "call.intent"]
        assert (await plane.balance(who))["reserved_nanousd"] == 0


async def test_a_value_has_one_placeholder_in_every_turn(tmp_path: Path) -> None:
    async with guarded(tmp_path, "openai", TOKENISE) as (w, plane, rig):
        who = await plane.start_run()
        acts(w, who)
        messages = [{"role": "user", "content": f"write to {EMAIL} and to bob@lovelace.example"}]
        for turn in range(3):
            w.fake.reply = lambda body: text("Done.")
            said = await w.http.post("/v1/chat/completions", json={"model": "gpt-5-fake", "messages": messages})
            assert said.status_code == 200
            messages += [said.json()["choices"][0]["message"], {"role": "user", "content": f"{turn}: was it {EMAIL}?"}]
        sent = [[one["content"] for one in body["messages"]] for body in w.fake.requests]
        assert sent[0] == ["write to <EMAIL_1> and to <EMAIL_2>"]
        assert sent[2] == [*sent[1], "Done.", "1: was it <EMAIL_1>?"]
        assert sent[1][-1] == "0: was it <EMAIL_1>?"
        assert EMAIL not in bodies(w)
        assert len(rig.risks.risen) == 4  # each value once where it stands, not again in later turns


async def test_another_process_gives_the_same_placeholders(tmp_path: Path) -> None:
    async with guarded(tmp_path, "openai", TOKENISE) as (w, plane, rig):
        who = await plane.start_run()
        acts(w, who)
        messages = [{"role": "user", "content": f"write to {EMAIL}"}]
        await w.http.post("/v1/chat/completions", json={"model": "gpt-5-fake", "messages": messages})
        rig.step.__init__(rig.guards)  # type: ignore[misc]  # forgets what it has seen
        messages.append({"role": "user", "content": "now"})
        await w.http.post("/v1/chat/completions", json={"model": "gpt-5-fake", "messages": messages})
        assert [body["messages"][0]["content"] for body in w.fake.requests] == ["write to <EMAIL_1>"] * 2


async def test_a_long_history_is_looked_at_once(tmp_path: Path) -> None:
    async with guarded(tmp_path, "openai", verdicts_max=0) as (w, plane, rig):
        acts(w, await plane.start_run())
        messages = [{"role": "user", "content": f"this is message {index}"} for index in range(50)]
        await w.http.post("/v1/chat/completions", json={"model": "gpt-5-fake", "messages": messages})
        assert rig.looked == [f"this is message {index}" for index in range(50)]
        messages.append({"role": "user", "content": "and the last"})
        await w.http.post("/v1/chat/completions", json={"model": "gpt-5-fake", "messages": messages})
        assert rig.looked[50:] == ["and the last"]


async def test_a_restored_conversation_is_guarded_too(tmp_path: Path) -> None:
    async with guarded(tmp_path, "openai", TOKENISE) as (w, plane, _):
        who = await plane.start_run()
        acts(w, who)
        first = await w.openai.responses.create(model="gpt-5-fake", input=f"I am {EMAIL}, the key is {SECRET}")
        second = await w.openai.responses.create(model="gpt-5-fake", input="who am I?", previous_response_id=first.id)
        assert second.previous_response_id == first.id
        assert [item["content"] for item in w.fake.requests[1]["input"] if item.get("role") == "user"] == [
            "I am <EMAIL_1>, the key is [SECRET]",
            "who am I?",
        ]
        assert EMAIL not in bodies(w)
        assert SECRET not in bodies(w)


async def test_a_thread_is_guarded_too(tmp_path: Path) -> None:
    async with guarded(tmp_path, "anthropic", TOKENISE) as (w, plane, _):
        acts(w, await plane.start_run())
        beta = {"anthropic-beta": "message-threads-2026-08-12"}
        asked = {"model": MODELS["anthropic"], "max_tokens": 50}
        first = await w.http.post(
            "/v1/messages",
            json={**asked, "messages": [{"role": "user", "content": f"I am {EMAIL}"}], "thread": {"type": "create"}},
            headers=beta,
        )
        thread = {"type": "continue", "previous_message_id": first.json()["id"]}
        again = {**asked, "messages": [{"role": "user", "content": "and?"}], "thread": thread}
        assert (await w.http.post("/v1/messages", json=again, headers=beta)).status_code == 200
        assert w.fake.requests[1]["messages"][0]["content"] == "I am <EMAIL_1>"
        assert EMAIL not in bodies(w)


async def test_a_replay_is_the_record_whatever_guards_say_now(tmp_path: Path) -> None:
    async with guarded(tmp_path, "openai") as (w, plane, rig):
        who = await plane.start_run()
        acts(w, who)
        first = await post(w, "chat", f"my key is {SECRET}")
        acts(w, await plane.next_attempt(who))
        looked = len(rig.looked)
        again = await post(w, "chat", f"my key is {SECRET}")
        assert again.headers["x-airside-replayed"] == "true"
        assert again.content == first.content
        assert len(rig.looked) == looked
        assert w.fake.calls == 1


@pytest.mark.parametrize(
    ("rule", "agent", "status", "sent"),
    [
        (GuardRule(guards=["secrets"], mode="block"), "agent", 403, ""),
        (GuardRule(guards=["secrets"], agents=["another"], mode="block"), "agent", 200, "[SECRET]"),
        (GuardRule(guards=["secrets"], stages=["beta"], mode="block"), "beta-agent", 403, ""),
        (GuardRule(guards=["secrets"], stages=["beta"], mode="block"), "agent", 200, "[SECRET]"),
        (GuardRule(guards=["secrets"], places=["result"], mode="block"), "agent", 200, "[SECRET]"),
        (GuardRule(kinds=["planted_key"], places=["user"], mode="observe"), "agent", 200, SECRET),
        (GuardRule(kinds=["SECRET"], mode="off"), "agent", 200, SECRET),
        (GuardRule(guards=["secrets"], mode="tokenise"), "agent", 200, "<SECRET_1>"),
    ],
)
async def test_modes_are_by_agent_stage_and_place(
    rule: GuardRule, agent: str, status: int, sent: str, tmp_path: Path
) -> None:
    async with guarded(tmp_path, "openai", rule) as (w, plane, _):
        who = await plane.start_run(agent=agent)
        acts(w, who)
        answer = await post(w, "chat", f"my key is {SECRET}!")
        assert answer.status_code == status
        assert status == 403 or f"my key is {sent}!" in bodies(w)
        notes = [one["body"].get("notes", {}) for one in await plane.entries(who) if one["type"] == "call.intent"]
        assert all(("guards" in one) is (rule.mode != "off") for one in notes)


async def test_findings_are_bounded_in_the_journal(tmp_path: Path) -> None:
    async with guarded(tmp_path, "openai") as (w, plane, _):
        who = await plane.start_run()
        acts(w, who)
        assert (await post(w, "chat", f"{SECRET} " * 80)).status_code == 200
        (intent,) = [one for one in await plane.entries(who) if one["type"] == "call.intent"]
        found = intent["body"]["notes"]["guards"]
        assert len(found) == 51
        assert found[-1] == {"more": 30}
        assert SECRET not in bodies(w)


class Broken:
    """A detector that fails."""

    guard, places = Guard.TOXICITY, frozenset(Place)

    def find(self, readings: Any, place: Place) -> Any:
        raise RuntimeError(readings.raw.text + place)


@pytest.mark.parametrize(("on_failure", "status"), [("block", 403), ("flag", 200)])
async def test_a_guard_that_fails_closes_the_call_unless_it_is_only_to_flag(
    on_failure: Any, status: int, tmp_path: Path
) -> None:
    async with guarded(tmp_path, "openai", detectors=[Broken()], on_failure=on_failure) as (w, plane, rig):
        who = await plane.start_run()
        acts(w, who)
        answer = await post(w, "chat", "a private matter")
        assert answer.status_code == status
        assert w.fake.calls == (status == 200)
        assert rig.notices.told[0][0] == "guard.failed"
        assert "private" not in json.dumps([rig.notices.told, *[one["body"] for one in await plane.entries(who)]])


async def test_streams_are_guarded_alike(tmp_path: Path) -> None:
    async with guarded(tmp_path, "openai") as (w, plane, _):
        acts(w, await plane.start_run())
        stream = await w.openai.chat.completions.create(
            model="gpt-5-fake", messages=[{"role": "user", "content": f"key {SECRET}"}], stream=True
        )
        assert [chunk async for chunk in stream]
        assert w.fake.requests[0]["messages"][0]["content"] == "key [SECRET]"
        assert SECRET not in bodies(w)


async def test_a_request_for_another_format_is_guarded_alike(tmp_path: Path) -> None:
    async with guarded(tmp_path, "anthropic", TOKENISE) as (w, plane, _):
        acts(w, await plane.start_run())
        said = await w.openai.chat.completions.create(
            model=MODELS["anthropic"], messages=[{"role": "user", "content": f"I am {EMAIL}, key {SECRET}"}]
        )
        assert said.choices[0].message.content
        assert w.fake.seen[0].path == "/v1/messages"
        assert "I am <EMAIL_1>, key [SECRET]" in bodies(w)
