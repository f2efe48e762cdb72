"""Every wire format into every other: requests and answers keep their meaning, streams say what whole answers say."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from airside.core.call import Usage
from airside.core.errors import AirsideError, Code
from airside.gateways.models.formats.anthropic.format import MESSAGES
from airside.gateways.models.formats.gemini.format import GEMINI
from airside.gateways.models.formats.openai_chat.format import CHAT
from airside.gateways.models.formats.openai_responses.format import RESPONSES
from airside.gateways.models.formats.port import Addressed, Format, ModelRequest
from airside.gateways.models.message import (
    Answer,
    Block,
    Media,
    Message,
    OutputFormat,
    Prompt,
    Reasoning,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)

FORMATS: Sequence[Format] = (CHAT, RESPONSES, MESSAGES, GEMINI)
PAIRS = [pytest.param(a, b, id=f"{a.name}-{b.name}") for a, b in itertools.product(FORMATS, FORMATS)]
MODELS = {"openai_chat": "gpt-5", "openai_responses": "gpt-5", "anthropic": "claude-opus-4-8", "gemini": "gemini-3-pro"}
SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
TOOLS = tuple(ToolSpec(name, f"{name} it", SCHEMA) for name in ("find", "send"))
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)
ARGUMENTS = st.dictionaries(TEXTS, st.one_of(TEXTS, st.integers(-(2**53), 2**53), st.booleans()), max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """Draw a conversation that every provider takes: calls are answered at once, all of them."""
    messages = [Message("system", (Text(draw(TEXTS)),))] if draw(st.booleans()) else []
    messages.append(Message("user", (Text(draw(TEXTS)),)))
    for turn in range(draw(st.integers(0, 3))):
        names = draw(st.lists(st.sampled_from(["find", "send"]), max_size=2))
        calls = [
            ToolCall(f"call_{turn}_{index}", name, json.dumps(draw(ARGUMENTS))) for index, name in enumerate(names)
        ]
        messages.append(Message("assistant", (Text(draw(TEXTS)), *calls)))
        messages += [Message("user", (ToolResult(call.call_id, (Text(draw(TEXTS)),), call.name),)) for call in calls]
        if not calls or draw(st.booleans()):
            messages.append(Message("user", (Text(draw(TEXTS)),)))
    return tuple(messages)


PROMPTS = st.builds(
    Prompt,
    messages=conversations(),
    tools=st.just(TOOLS),
    tool_choice=st.sampled_from([ToolChoice("auto"), ToolChoice("required"), ToolChoice("tool", "find")]),
    output=st.sampled_from([OutputFormat(), OutputFormat("json_schema", "answer", SCHEMA)]),
    sampling=st.builds(Sampling, temperature=st.sampled_from([None, 0.5, 1.0]), top_p=st.sampled_from([None, 0.5])),
    reasoning=st.builds(Reasoning, effort=st.sampled_from(["", "low", "high"])),
    output_tokens_max=st.just(4_096),
)


def parsed(face: Format, body: bytes, *, stream: bool = False) -> ModelRequest:
    """Return a body read as a client's request."""
    alt = {"alt": "sse"} if face is GEMINI else {}
    return face.parse(body, Addressed(MODELS[face.name], stream, alt), bytes_max=1_000_000)


def written(face: Format, prompt: Prompt, *, stream: bool = False) -> ModelRequest:
    """Return a prompt as a request of that format."""
    tokens = prompt.output_tokens_max or 1_000
    body = face.request(prompt, model=MODELS[face.name], output_tokens=tokens, stream=stream)
    return parsed(face, body, stream=stream)


def meaning(prompt: Prompt) -> dict[str, Any]:
    """Return what a prompt means: turns of one role as one, results by their call, JSON by its value."""
    turns: list[tuple[str, list[Any]]] = []
    for message in prompt.messages:
        said = [_said(block) for block in message.blocks]
        if turns and turns[-1][0] == message.role:
            turns[-1][1].extend(said)
        else:
            turns.append((message.role, said))
    return {
        "turns": turns,
        "tools": [(tool.name, tool.description, dict(tool.schema)) for tool in prompt.tools],
        "choice": (prompt.tool_choice or ToolChoice()).mode,
        "named": (prompt.tool_choice or ToolChoice()).name,
        "output": (prompt.output.kind, dict(prompt.output.schema)),
        "sampling": prompt.sampling,
        "effort": prompt.reasoning.effort,
        "limit": prompt.output_tokens_max,
    }


def _said(block: Block) -> Any:
    match block:
        case Text():
            return block.text
        case ToolCall():
            return ("call", block.call_id, block.name, json.loads(block.arguments))
        case ToolResult():
            return ("result", block.call_id, block.is_error, [_json(item) for item in block.content])
    return block


def _json(block: Any) -> Any:
    try:
        return json.loads(block.text)
    except ValueError:
        return block.text


@pytest.mark.parametrize(("face", "language"), PAIRS)
@settings(deadline=None, max_examples=20)
@given(PROMPTS)
def test_a_request_means_the_same_in_the_upstreams_words(face: Format, language: Format, prompt: Prompt) -> None:
    asked = written(face, prompt)
    assert meaning(asked.prompt) == meaning(prompt)
    sent = written(language, asked.prompt)
    assert meaning(sent.prompt) == meaning(prompt)


ANSWERS = st.builds(
    Answer,
    blocks=st.builds(
        lambda thought, text, calls: (
            *([Thinking(thought, "anthropic", signature="sig")] if thought else []),
            *([Text(text)] if text else []),
            *[ToolCall(f"call_{index}", "find", json.dumps(given)) for index, given in enumerate(calls)],
        ),
        st.one_of(st.just(""), TEXTS),
        st.one_of(st.just(""), TEXTS),
        st.lists(ARGUMENTS, max_size=2),
    ),
    stop=st.just("end"),
    usage=st.just(Usage(7, 2, 0, 5)),
    model=st.just("m"),
    answer_id=st.just("abc"),
).map(lambda made: replace(made, stop="tool_calls" if _calls(made) else "end"))


def _calls(answer: Answer) -> list[ToolCall]:
    return [block for block in answer.blocks if isinstance(block, ToolCall)]


def told(answer: Answer) -> dict[str, Any]:
    """Return what an answer says."""
    return {
        "text": "".join(block.text for block in answer.blocks if isinstance(block, Text)),
        "calls": [(call.call_id, call.name, json.loads(call.arguments)) for call in _calls(answer)],
        "stop": answer.stop,
        "usage": answer.usage,
    }


def thoughts(answer: Answer) -> list[tuple[str, str, str]]:
    """Return an answer's thinking, with what must come back to the one who thought it."""
    return [(item.text, item.origin, item.signature) for item in answer.blocks if isinstance(item, Thinking)]


HELLO = Prompt(messages=(Message("user", (Text("Hello"),)),))


@pytest.mark.parametrize(("upstream", "face"), PAIRS)
@settings(deadline=None, max_examples=20)
@given(ANSWERS)
def test_an_answer_says_the_same_in_the_clients_words(upstream: Format, face: Format, answer: Answer) -> None:
    if upstream is not MESSAGES:
        answer = replace(answer, blocks=tuple(item for item in answer.blocks if not isinstance(item, Thinking)))
    read = upstream.answer(upstream.body(answer, written(upstream, HELLO)))
    assert told(read) == told(answer)
    again = face.answer(face.body(read, written(face, HELLO)))
    assert told(again) == told(answer)
    assert thoughts(again) == thoughts(answer)


@pytest.mark.parametrize(("upstream", "face"), PAIRS)
@settings(deadline=None, max_examples=20)
@given(ANSWERS, st.lists(st.integers(1, 300), max_size=8))
def test_a_stream_says_what_the_whole_answer_says(
    upstream: Format, face: Format, answer: Answer, cuts: list[int]
) -> None:
    if upstream is not MESSAGES:
        answer = replace(answer, blocks=tuple(item for item in answer.blocks if not isinstance(item, Thinking)))
    theirs, ours = written(upstream, HELLO, stream=True), written(face, HELLO, stream=True)
    data = upstream.rest(upstream.body(answer, theirs), upstream.delivered(), theirs)
    delivered = face.delivered()
    reader, writer = upstream.reader(None), face.writer(ours, delivered, replace(answer, blocks=()))
    live, at = b"", 0
    for cut in [*cuts, len(data)]:
        live += b"".join(writer.say(said) for said in reader.feed(data[at : at + cut]))
        at += cut
    body = face.body(replace(upstream.answer(reader.finish()), answer_id="abc", model="m"), ours)
    assert b"find" not in live or _said_find(answer)  # no call before the outcome is durable
    for frames in (live + face.rest(body, delivered, ours), face.rest(body, face.delivered(), ours)):
        client = face.reader(None)
        client.feed(frames)
        heard = face.answer(client.finish())
        assert told(heard) == told(answer)
        assert "".join(item[0] for item in thoughts(heard)) == "".join(item[0] for item in thoughts(answer))


def _said_find(answer: Answer) -> bool:
    return any("find" in block.text for block in answer.blocks if isinstance(block, Text | Thinking))


PNG = Media("image", "image/png", "iVBORw0KGgo=")
PDF = Media("document", "application/pdf", "JVBERi0=", title="a.pdf")


@pytest.mark.parametrize(("face", "language"), PAIRS)
def test_images_and_documents_go_everywhere(face: Format, language: Format) -> None:
    prompt = Prompt(messages=(Message("user", (Text("Look"), PNG, PDF)),))
    sent = written(language, written(face, prompt).prompt).prompt
    media = [block for block in sent.messages[0].blocks if isinstance(block, Media)]
    assert [(item.kind, item.media_type, item.data) for item in media] == [
        (item.kind, item.media_type, item.data) for item in (PNG, PDF)
    ]


@pytest.mark.parametrize(
    ("language", "changed"),
    [
        (MESSAGES, {"sampling": Sampling(seed=1)}),
        (MESSAGES, {"sampling": Sampling(temperature=1.5)}),
        (MESSAGES, {"output": OutputFormat("json_object")}),
        (MESSAGES, {"output": OutputFormat("json_schema", "x", {"type": "object", "additionalProperties": True})}),
        (MESSAGES, {"messages": (Message("assistant", (Thinking("hm", "openai_chat"),)),)}),
        (MESSAGES, {"messages": (Message("user", (Media("audio", "audio/wav", "AA=="),)),)}),
        (MESSAGES, {"messages": (Message("assistant", (ToolCall("c", "find", "[1]"),)),)}),
        (GEMINI, {"tools": TOOLS, "tool_choice": ToolChoice("auto", parallel=False)}),
        (GEMINI, {"messages": (*HELLO.messages, Message("system", (Text("later"),)))}),
        (GEMINI, {"messages": (Message("assistant", (Thinking("hm", "anthropic", "s"),)),)}),
        (GEMINI, {"messages": (Message("user", (ToolResult("c", (PNG,), "find"),)),)}),
        (GEMINI, {"reasoning": Reasoning("max")}),
        (CHAT, {"messages": (Message("assistant", (Thinking("hm", "anthropic", "s"),)),)}),
    ],
)
def test_what_cannot_be_said_is_refused_and_never_left_out(language: Format, changed: dict[str, Any]) -> None:
    with pytest.raises(AirsideError) as caught:
        written(language, replace(HELLO, **changed))
    assert caught.value.code is Code.INVALID_REQUEST
    assert "cannot be expressed" in caught.value.message


@pytest.mark.parametrize("face", [MESSAGES, GEMINI], ids=lambda face: face.name)
def test_another_models_reasoning_and_signatures_come_back_to_it(face: Format) -> None:
    """A client of one format, an upstream of another: what the upstream signed reaches it again."""
    said = (
        Thinking("hm", "openai_responses", sealed="enc", item_id="rs_1"),
        Thinking("", "openai_responses", sealed="enc2"),
        ToolCall("call_1", "find", "{}", signature="c2ln"),
    )
    body = json.loads(face.body(Answer(blocks=said, stop="tool_calls", usage=None, model="m", answer_id="a"), None))  # type: ignore[arg-type]  # not looked at
    if face is MESSAGES:
        turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": body["content"]}]
        asked = {"model": "m", "max_tokens": 9, "messages": turns}
    else:
        asked = {"contents": [{"parts": [{"text": "Hello"}]}, body["candidates"][0]["content"]]}
    read = parsed(face, json.dumps(asked).encode()).prompt
    assert read.messages[1].blocks == said
