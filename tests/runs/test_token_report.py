"""Where tokens go is told by what is in the journal, in every format, and adds up; no content leaves."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from airside.core.call import CallKind, CallState, Outcome, Usage
from airside.journal import events
from airside.runs.token_report import Asked, Sizes, add, kinds_of, report
from tests.journal import world
from tests.runs.house import TENANT, House, eventually

TOOLS = [{"type": "function", "function": {"name": f"tool_{n}", "parameters": {"type": "object"}}} for n in range(9)]


def parts(*values: Any) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            parts(
                {"role": "system", "content": "s"},
                {"role": "user", "content": "first"},
                {"role": "assistant", "content": None, "tool_calls": [{}]},
                {"role": "tool", "tool_call_id": "c", "content": "out"},
                {"role": "user", "content": "second"},
                {"model": "m", "tools": TOOLS, "response_format": {"type": "json_schema", "json_schema": {}}},
            ),
            {"system", "history", "tool_outputs", "user", "tools", "schema", "parameters"},
        ),
        (
            parts(
                {"role": "user", "content": [{"type": "tool_result", "content": "x"}]},
                {"role": "user", "content": "u"},
                {"system": "s" * 50, "tools": TOOLS, "max_tokens": 5},
            ),
            {"tool_outputs", "user", "system", "tools", "parameters"},
        ),
        (
            parts({"type": "function_call_output", "output": "x"}, {"role": "user", "content": "u"}, {"model": "m"}),
            {"tool_outputs", "user", "parameters"},
        ),
        (
            parts(
                {"role": "user", "parts": [{"functionResponse": {}}]},
                {"role": "model", "parts": [{"text": "t"}]},
                {"systemInstruction": {"parts": []}, "generationConfig": {"responseSchema": {}}},
            ),
            {"tool_outputs", "history", "system", "schema"},
        ),
    ],
)
def test_parts_are_told_by_kind_in_each_format(asked: list[bytes], expected: set[str]) -> None:
    found = kinds_of(asked)
    assert {kind for kind, size in found.items() if size} == expected
    without_braces = sum(len(part) for part in asked)
    assert sum(found.values()) <= without_braces


def test_what_is_repeated_and_what_structure_costs_is_told_with_advice() -> None:
    head, tools = (
        ("s", b'{"role":"system","content":"' + b"x" * 900 + b'"}'),
        ("p", json.dumps({"tools": TOOLS}).encode()),
    )
    answer = json.dumps({"choices": [{"message": {"content": json.dumps({"some_long_name": 1}, indent=8)}}]}).encode()
    usage = {"input": 90, "cached_read": 0, "cache_write": 10, "output": 5}
    calls = [Asked([head, (str(n), b'{"role":"user","content":"q"}'), tools], answer, usage) for n in range(5)]
    sizes = Sizes()
    add(sizes, calls)
    told = report(sizes)
    assert (told["calls"], told["input_tokens"], told["output_tokens"]) == (5, 500, 25)
    assert abs(sum(kind["share"] for kind in told["input_by_kind"]) - 1) < 0.01
    assert abs(sum(kind["tokens"] for kind in told["input_by_kind"]) - 500) <= 4
    assert told["repeated_prefix_share"] > 0.7
    assert told["json_answers"]["whitespace_share"] > 0.3
    assert told["json_answers"]["keys_share"] > 0.5
    assert len(told["advice"]) >= 4
    assert report(Sizes())["advice"] == []


async def test_an_agents_report_is_read_from_the_journal(plane: House) -> None:
    async def agent(_: House, spec: Any) -> bytes:
        who = await plane.identity(spec)
        key = await plane.services.token_reports._keyring.subject(who.tenant_id, who.subject)
        for text in ("secret one", "secret two"):
            system = {"role": "system", "content": "s" * 100}
            sealed = [key.seal(part) for part in parts(system, {"role": "user", "content": text}, {"model": "m"})]
            call = world.call(text, identity=who, parts=(), kind=CallKind.MODEL, need=world.Need())
            intent = events.intent(call, "plane-1", [one.content_id for one in sealed])
            opening = replace(world.opening(call, "plane-1"), intent=intent, contents=sealed)
            await plane.backend.journal.open(opening)
            answer = key.seal(json.dumps({"content": [{"type": "text", "text": '{"a": 1}'}]}).encode())
            outcome = Outcome(state=CallState.OK, body=b"", usage=Usage(input=30, cached_read=10, output=7))
            event = events.outcome(call, outcome, answer.content_id)
            await plane.backend.journal.close(replace(world.closing(call), outcome=answer, event=event))
        return b"null"

    plane.agents["shop"] = agent
    run = await plane.submit()

    async def ended() -> bool:
        return (await plane.services.runs.get(TENANT, run.run_id)).terminal

    await eventually(ended, lambda: "the run does not end")
    told = await plane.services.token_reports.of_agent(TENANT, "shop")
    assert (told["runs"], told["calls"], told["input_tokens"], told["output_tokens"]) == (1, 2, 80, 14)
    shares = {kind["kind"]: kind["share"] for kind in told["input_by_kind"]}
    assert shares["system"] > shares["user"] > 0
    assert told["cached_share"] == 0.25
    assert told["json_answers"]["bytes"] == 16
    assert "secret" not in json.dumps(told)
    assert (await plane.services.token_reports.of_agent("other", "shop"))["calls"] == 0
