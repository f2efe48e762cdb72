"""The openai SDK's Responses, unmodified, through the gateway: both modes, tools, structure, reasoning, kept state."""

import json
from pathlib import Path
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from airside.core.errors import Code
from airside.core.ports import Query
from tests.fake_providers import Fault, text, tool_calls
from tests.gateways.models.places import acts, as_tenant, place, remembering

TOOL: dict[str, Any] = {
    "type": "function",
    "name": "refund",
    "parameters": {
        "type": "object",
        "properties": {"who": {"type": "string"}},
        "required": ["who"],
        "additionalProperties": False,
    },
    "strict": True,
}


class Verdict(BaseModel):
    fits: bool


async def test_whole_and_streamed_answers_agree(tmp_path: Path) -> None:
    async with place("openai", tmp_path) as w:
        w.fake.reply = lambda body: text("Guten Tag, Zoë.", thinking="They greet in German.")
        whole = await w.openai.responses.create(model="m", input="Hallo", reasoning={"summary": "auto"})
        assert whole.output_text == "Guten Tag, Zoë."
        async with w.openai.responses.stream(model="m", input="Hallo", reasoning={"summary": "auto"}) as stream:
            events = [event async for event in stream]
            final = await stream.get_final_response()
        assert final.output_text == whole.output_text
        assert [item.type for item in final.output] == [item.type for item in whole.output] == ["reasoning", "message"]
        numbers = [event.sequence_number for event in events]
        assert numbers == list(range(len(numbers)))
        deltas = [event for event in events if event.type == "response.output_text.delta"]
        assert len(deltas) > 1
        assert final.usage == whole.usage
        assert final.usage is not None
        assert final.usage.output_tokens_details.reasoning_tokens > 0


async def test_what_goes_upstream_keeps_no_state_there(tmp_path: Path) -> None:
    async with place("openai", tmp_path) as w:
        await w.openai.responses.create(model="m", input="Hi", store=True, metadata={"a": "1"}, background=False)
        asked = w.fake.requests[0]
        assert asked["store"] is False
        assert asked["include"] == ["reasoning.encrypted_content"]
        assert asked["metadata"] == {"a": "1"}
        assert asked["model"] == "gpt-5-fake"
        assert "previous_response_id" not in asked


async def test_untouched_values_keep_their_bytes(tmp_path: Path) -> None:
    async with place("openai", tmp_path) as w:
        inner = b'[{"role": "user",   "content": "\\u00e9 \\/ 1.50"}]'
        body = b'{"model": "m", "input": %s, "temperature": 1.50, "stream": false}' % inner
        assert (await w.http.post("/v1/responses", content=body)).status_code == 200
        assert inner in w.fake.raw_requests[0]
        assert b'"temperature":1.50' in w.fake.raw_requests[0]


async def test_structured_output_and_tools(tmp_path: Path) -> None:
    async with place("openai", tmp_path) as w:
        w.fake.reply = lambda body: text('{"fits": true}')
        parsed = await w.openai.responses.parse(model="m", input="x", text_format=Verdict)
        assert parsed.output_parsed == Verdict(fits=True)
        w.fake.reply = lambda body: tool_calls(("refund", {"who": "a"}), ("refund", {"who": "b"}), content="Moment.")
        async with w.openai.responses.stream(model="m", input="x", tools=[TOOL]) as stream:  # type: ignore[list-item]
            types = [event.type async for event in stream]
            final = await stream.get_final_response()
        calls = [item for item in final.output if item.type == "function_call"]
        assert [json.loads(call.arguments)["who"] for call in calls] == ["a", "b"]
        assert types.count("response.function_call_arguments.done") == 2


async def test_a_conversation_by_id_reaches_the_provider_whole(tmp_path: Path) -> None:
    async with remembering(tmp_path) as (w, plane):
        acts(w, await plane.start_run())
        w.fake.reply = lambda body: text("One.", thinking="secret thoughts")
        first = await w.openai.responses.create(model="m", input="First?")
        w.fake.reply = lambda body: tool_calls(("refund", {"who": "Zoë"}))
        tools: Any = [TOOL]
        second = await w.openai.responses.create(model="m", input="Second?", previous_response_id=first.id, tools=tools)
        (call,) = [item for item in second.output if item.type == "function_call"]
        output: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "done"}]
        w.fake.reply = lambda body: text("Three.")
        async with w.openai.responses.stream(
            model="m", input=output, previous_response_id=second.id, tools=tools
        ) as stream:
            third = [event async for event in stream][-1].response  # type: ignore[union-attr]
        assert third.previous_response_id == second.id
        assert third.store is True
        fourth = await w.openai.responses.create(model="m", input="Fourth?", previous_response_id=third.id)
        assert fourth.output_text == "Three."
        sent = w.fake.requests[-1]["input"]
        assert [item.get("type", "message") for item in sent] == [
            *("message", "reasoning", "message"),
            *("message", "function_call", "function_call_output", "message", "message"),
        ]
        assert sent[1]["encrypted_content"]
        assert w.fake.refusals == []


def last_of(stream: bytes) -> dict[str, Any]:
    """Return the response that a stream ends with."""
    events = [json.loads(line[6:]) for line in stream.split(b"\n") if line.startswith(b"data: ")]
    found: dict[str, Any] = events[-1]["response"]
    return found


async def test_reasoning_that_cannot_come_back_is_left_behind(tmp_path: Path) -> None:
    async with remembering(tmp_path, "azure") as (w, plane):
        acts(w, await plane.start_run())
        whole = (await w.http.post("/v1/responses", json={"model": "m", "input": "First?"})).json()
        whole["output"].insert(0, {"id": "rs_1", "type": "reasoning", "summary": []})
        w.fake.faults.append(Fault(raw=json.dumps(whole).encode()))
        first = await w.openai.responses.create(model="m", input="Again?")
        assert [item.type for item in first.output] == ["reasoning", "message"]
        await w.openai.responses.create(model="m", input="Second?", previous_response_id=first.id)
        assert [item.get("role") for item in w.fake.requests[-1]["input"]] == ["user", "assistant", "user"]


@pytest.mark.parametrize("streams", [False, True])
async def test_a_later_attempt_gets_the_same_bytes_and_the_same_ids(tmp_path: Path, streams: bool) -> None:
    async with remembering(tmp_path) as (w, plane):
        w.fake.reply = lambda body: tool_calls(("refund", {"n": w.fake.calls}), content="Hm.", thinking="deep")

        async def conversation(*, stream: bool) -> list[bytes]:
            bodies: list[bytes] = []
            previous = None
            for number in range(3):
                items: list[Any] = [{"role": "user", "content": f"{number}?"}]
                if previous is not None:
                    call = previous["output"][-1]["call_id"]
                    items = [{"type": "function_call_output", "call_id": call, "output": "ok"}]
                body = {"model": "m", "input": items, "stream": stream}
                body |= {"previous_response_id": previous["id"]} if previous else {}
                answer = (await w.http.post("/v1/responses", json=body)).content
                bodies.append(answer)
                previous = last_of(answer) if stream else json.loads(answer)
            return bodies

        who = await plane.start_run()
        acts(w, who)
        live = await conversation(stream=streams)
        replays = []
        for stream in (False, True, False, True):
            who = await plane.next_attempt(who)
            acts(w, who)
            replays.append(await conversation(stream=stream))
        assert replays[0] == replays[2]
        assert replays[1] == replays[3]
        assert [last_of(body) for body in replays[1]] == [json.loads(body) for body in replays[0]]
        if streams:
            assert [last_of(body) for body in live] == [json.loads(body) for body in replays[0]]
        else:
            assert live == replays[0]
        assert w.fake.calls == 3
        assert w.fake.refusals == []


@pytest.mark.parametrize("database", ["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_responses_are_read_listed_and_deleted(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    url = "memory:" if database == "memory" else request.getfixturevalue("postgres_url")
    async with remembering(tmp_path, database_url=url) as (w, plane):
        acts(w, await plane.start_run())
        first = await w.openai.responses.create(model="m", input="First?")
        second = await w.openai.responses.create(model="m", input="Second?", previous_response_id=first.id)
        assert await w.openai.responses.retrieve(second.id) == second
        listed = await w.openai.responses.input_items.list(second.id, order="asc", limit=2)
        assert [item.type async for item in listed] == ["message", "message", "message"]
        await w.openai.responses.delete(first.id)
        for lost in (w.openai.responses.retrieve(first.id), w.openai.responses.delete(first.id)):
            with pytest.raises(openai.NotFoundError):
                await lost
        with pytest.raises(openai.NotFoundError):
            await w.openai.responses.create(model="m", input="x", previous_response_id=first.id)
        assert (await w.openai.responses.create(model="m", input="x", previous_response_id=second.id)).id
        with pytest.raises(openai.BadRequestError, match="background"):
            await w.openai.responses.cancel(second.id)
        reference: Any = [{"type": "item_reference", "id": second.output[0].id}, {"role": "user", "content": "x"}]
        assert (await w.openai.responses.create(model="m", input=reference)).id


async def test_what_was_not_stored_cannot_be_referred_to(tmp_path: Path) -> None:
    async with remembering(tmp_path) as (w, plane):
        acts(w, await plane.start_run())
        first = await w.openai.responses.create(model="m", input="First?", store=False)
        assert first.store is False
        for lost in (
            w.openai.responses.retrieve(first.id),
            w.openai.responses.create(model="m", input="x", previous_response_id=first.id),
        ):
            with pytest.raises(openai.NotFoundError):
                await lost


async def test_nobody_else_learns_that_a_response_exists(tmp_path: Path) -> None:
    async with remembering(tmp_path) as (w, plane):
        owner = await plane.start_run()
        acts(w, owner)
        first = await w.openai.responses.create(model="m", input="First?")
        made_up = first.id[:-3] + "zzz"

        async def refusals(response_id: str) -> list[tuple[int, str]]:
            answers = [
                await w.http.post(
                    "/v1/responses", json={"model": "m", "input": "x", "previous_response_id": response_id}
                ),
                await w.http.get(f"/v1/responses/{response_id}"),
                await w.http.get(f"/v1/responses/{response_id}/input_items"),
                await w.http.delete(f"/v1/responses/{response_id}"),
            ]
            return [(answer.status_code, answer.text.replace(response_id, "ID")) for answer in answers]

        person = {"subject": "customer:1"}
        for changed in ({"tenant_id": "other"}, {"agent": "another"}, person):
            stranger = as_tenant(plane, await plane.start_run(), **changed)
            acts(w, stranger)
            found = [(status, text) for status, text in await refusals(first.id)]
            assert [status for status, _ in found] == [404] * 4
            assert found == await refusals(made_up)
            plane.identities.known.pop(f"{stranger.run_id}/{stranger.attempt}")
        acts(w, await plane.start_run())  # the same agent, and both for nobody
        again = await w.openai.responses.create(model="m", input="x", previous_response_id=first.id)
        assert len(w.fake.requests[-1]["input"]) == 3
        assert again.previous_response_id == first.id


async def test_erased_content_cannot_be_referred_to(tmp_path: Path) -> None:
    async with remembering(tmp_path) as (w, plane):
        owner = await plane.start_run()
        acts(w, owner)
        first = await w.openai.responses.create(model="m", input="First?")
        await erase(plane, owner.subject)
        acts(w, await plane.start_run())
        with pytest.raises(openai.NotFoundError):
            await w.openai.responses.create(model="m", input="x", previous_response_id=first.id)


@pytest.mark.parametrize("bad", ["resp_", "resp_1_2", "nonsense", "resp_\u0000_x", "call_1", "resp_" + "0" * 200])
async def test_ids_that_are_none(tmp_path: Path, bad: str) -> None:
    async with remembering(tmp_path) as (w, plane):
        acts(w, await plane.start_run())
        body = {"model": "m", "input": "x", "previous_response_id": bad}
        assert (await w.http.post("/v1/responses", json=body)).status_code == 404
        assert w.fake.calls == 0


async def test_the_id_of_a_call_in_another_format_is_no_response(tmp_path: Path) -> None:
    async with remembering(tmp_path) as (w, plane):
        who = await plane.start_run()
        acts(w, who)
        await w.openai.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        (call,) = await plane.calls(who)
        forged = f"resp_{who.run_id.removeprefix('run_')}_{call['call_id'].removeprefix('call_')}"
        assert (await w.http.get(f"/v1/responses/{forged}")).status_code == 404


async def test_a_conversation_over_the_limit_is_refused(tmp_path: Path) -> None:
    async with remembering(tmp_path, bytes_max=3_000) as (w, plane):
        acts(w, await plane.start_run())
        previous = None
        for _ in range(10):
            body = {"model": "m", "input": "x" * 500, "previous_response_id": previous}
            answer = await w.http.post("/v1/responses", json=body)
            if answer.status_code != 200:
                break
            previous = answer.json()["id"]
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, Code.LIMIT_EXCEEDED)
        assert 2 < w.fake.calls < 8


async def test_items_are_referred_to_within_a_run(tmp_path: Path) -> None:
    async with remembering(tmp_path) as (w, plane):
        acts(w, await plane.start_run())
        w.fake.reply = lambda body: text("One.", thinking="hm")
        first = await w.openai.responses.create(model="m", input="First?")
        references: Any = [{"type": "item_reference", "id": item.id} for item in first.output]
        asked: Any = [{"role": "user", "content": "First?"}, *references, {"role": "user", "content": "And?"}]
        await w.openai.responses.create(model="m", input=asked)
        sent = w.fake.requests[-1]["input"]
        assert sent[1]["encrypted_content"]
        assert sent[2]["content"][0]["text"] == "One."
        asked[1] = {"type": "item_reference", "id": "rs_nobody"}
        with pytest.raises(openai.NotFoundError):
            await w.openai.responses.create(model="m", input=asked)


async def test_many_references_cost_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with remembering(tmp_path) as (w, plane):
        acts(w, await plane.start_run())
        first = await w.openai.responses.create(model="m", input="First?")
        database, looks = plane.backend.database, 0
        read = database.read

        async def counted(body: Any) -> Any:
            nonlocal looks
            looks += 1
            return await read(body)

        monkeypatch.setattr(database, "read", counted)
        references: Any = [{"type": "item_reference", "id": f"msg_{n}"} for n in range(2_000)]
        with pytest.raises(openai.NotFoundError):
            await w.openai.responses.create(model="m", input=[*references, {"role": "user", "content": "x"}])
        again: Any = [{"type": "item_reference", "id": first.output[0].id}] * 3
        await w.openai.responses.create(model="m", input=[*again, {"role": "user", "content": "x"}])
        assert looks < 20


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"conversation": "conv_1"}, 400, "invalid_request"),
        ({"background": True}, 400, "invalid_request"),
        ({"prompt": {"id": "pmpt_1"}}, 400, "invalid_request"),
        ({"input": []}, 400, "invalid_request"),
        ({"input": None}, 400, "invalid_request"),
        ({"input": 3}, 400, "invalid_request"),
        ({"input": ["x"]}, 400, "invalid_request"),
        ({"input": [{"role": "narrator", "content": "x"}]}, 400, "invalid_request"),
        ({"input": [{"role": "user", "content": [3]}]}, 400, "invalid_request"),
        ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, 400, "invalid_request"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}, 400, "invalid_request"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, 400, "invalid_request"),
        ({"input": [{"type": "web_search_call", "id": "x"}]}, 403, "policy_denied"),
        ({"tools": [{"type": "web_search"}]}, 403, "policy_denied"),
        ({"tools": [{"type": "file_search"}]}, 403, "policy_denied"),
        ({"tools": [{"type": "mcp", "server_url": "https://x"}]}, 403, "policy_denied"),
        ({"tools": [{"type": "shell"}]}, 403, "policy_denied"),
        ({"tools": [{"type": "code_interpreter"}]}, 403, "policy_denied"),
        ({"tools": [{"type": "image_generation"}]}, 403, "policy_denied"),
        ({"tools": [{"type": "computer_use_preview"}]}, 403, "policy_denied"),
        ({"tools": [{"type": "namespace", "tools": [{"type": "web_search"}]}]}, 403, "policy_denied"),
        ({"tools": [{}]}, 403, "policy_denied"),
        ({"max_output_tokens": 0}, 400, "invalid_request"),
        ({"store": "yes"}, 400, "invalid_request"),
        ({"stream": 1}, 400, "invalid_request"),
        ({"include": "x"}, 400, "invalid_request"),
        ({"service_tier": "priority"}, 400, "invalid_request"),
        ({"previous_response_id": 3}, 400, "invalid_request"),
        ({"input": [{"role": "user", "content": "x"}] * 10_001}, 413, "limit_exceeded"),
    ],
)
async def test_requests_that_are_refused(tmp_path: Path, changed: dict[str, Any], status: int, code: str) -> None:
    async with place("openai", tmp_path) as w:
        answer = await w.http.post("/v1/responses", json={"model": "m", "input": "x", **changed})
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert w.fake.calls == 0


async def test_a_failure_in_the_middle_is_an_event_that_the_sdk_raises(tmp_path: Path) -> None:
    async with place("openai", tmp_path) as w:
        w.fake.faults.append(Fault(cut_after=6))
        with pytest.raises(openai.APIError, match="fake") as caught:
            async for _ in await w.openai.responses.create(model="m", input="x", stream=True):
                pass
        assert caught.value.code == "upstream_failed"


async def erase(plane: Any, subject: str) -> None:
    """Destroy the key of a subject, as an erasure does."""
    query = Query("erase", "UPDATE subject_keys SET wrapped = :nothing WHERE subject = :subject")
    await plane.backend.database.transact(lambda tx: tx.execute(query, subject=subject, nothing=b""))
    plane.keyring.forget("default", subject)
