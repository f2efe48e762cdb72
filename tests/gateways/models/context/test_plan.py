"""Conversations that outgrow their window: whatever leaves, no tool call loses its result and the newest stay."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airside.config.context import ContextSettings
from airside.gateways.models.context.plan import Room, plan
from airside.gateways.models.context.results import compact, excerpt, repeated
from airside.gateways.models.context.tokens import Corrections, guess, guess_message
from airside.gateways.models.context.turns import apart
from airside.gateways.models.context.window import first_kept
from airside.gateways.models.message import Message, Text, ToolCall, ToolResult
from airside.gateways.passages import best, cut

SIZES = st.lists(st.integers(1, 300), min_size=1, max_size=12)


def conversation(turns: list[tuple[str, list[int]]]) -> list[Message]:
    """A user's word, or a model's answer with tool calls of so many characters of result each."""
    messages = [Message("system", (Text("rules"),)), Message("user", (Text("the task"),))]
    for number, (kind, sizes) in enumerate(turns):
        if kind == "user":
            messages.append(Message("user", (Text("u" * sum(sizes)),)))
            continue
        ids = [f"{number}-{index}" for index in range(len(sizes))]
        messages.append(Message("assistant", tuple(ToolCall(name, "look", "{}") for name in ids)))
        results = [ToolResult(name, (Text(f"{name} " + "r " * size),)) for name, size in zip(ids, sizes, strict=True)]
        messages += [Message("user", (result,)) for result in reversed(results)]
    return [Message(message.role, message.blocks, at) for at, message in enumerate(messages)]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["user", "model"]), SIZES), max_size=14), st.integers(50, 5_000), st.booleans()
)
def test_no_pair_is_ever_broken(turns: list[tuple[str, list[int]]], window: int, recallable: bool) -> None:
    messages = conversation(turns)
    options = ContextSettings(keep_last_turns=2, result_tokens_max=50, excerpt_tokens=20)
    whole = apart(messages)
    made = plan(whole, {}, Room(window, window * 0.6, window * 0.2), options, recallable=recallable)
    left = {message.at for turn in made.leaving for message in turn.messages}
    kept = [message for message in messages if message.at not in left]
    calls = {block.call_id for message in kept for block in message.blocks if isinstance(block, ToolCall)}
    results = {block.call_id for message in kept for block in message.blocks if isinstance(block, ToolResult)}
    assert calls == results
    assert made.results.keys() <= results
    assert kept[:2] == messages[:2]
    assert all(message in kept for turn in whole.turns[-2:] for message in turn.messages)
    if sum(map(guess_message, messages)) <= window:
        assert not made.changes
    elif len(whole.turns) > 2 and sum(map(guess_message, messages)) > 2 * window:
        assert made.changes


@settings(deadline=None)
@given(st.lists(st.floats(1, 500), min_size=1, max_size=60), st.integers(1, 59))
def test_a_longer_conversation_is_cut_at_the_same_place_until_it_must_move(sizes: list[float], shorter: int) -> None:
    bounds = {"high": 1_000.0, "low": 600.0, "keep_last": 2}
    early = first_kept(sizes[:shorter], 50, **bounds)
    late = first_kept(sizes, 50, **bounds)
    assert early <= late
    if sum(sizes[early:]) + 50 <= 1_000:
        assert late == early
    assert late <= max(len(sizes) - 2, 0)


def test_the_last_of_equal_results_keeps_its_text() -> None:
    text = "the same long page " * 20
    messages = [
        Message("user", (ToolResult("a", (Text(text),)),), 2),
        Message("user", (ToolResult("b", (Text(text + "but not quite"),)),), 3),
        Message("user", (ToolResult("c", (Text(text),)),), 4),
    ]
    turns = apart(
        [Message("user", (Text("task"),), 0), Message("assistant", (ToolCall("a", "f", "{}"),), 1), *messages]
    )
    assert repeated(turns.turns) == {"a": "[airside: the same as the result of c below]"}


@given(
    st.recursive(st.one_of(st.integers(), st.text()), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_compacting_json_keeps_its_value(value: object) -> None:
    assert compact("no json") == "no json"
    text = json.dumps(value, indent=4)
    if text[:1] in "{[":
        assert json.loads(compact(text)) == value
        assert len(compact(text)) <= len(text)


def test_an_excerpt_is_short_and_tells_where_the_rest_is() -> None:
    text = "\n".join(f"line {number}: value {number * 7}" for number in range(4_000))
    short = excerpt(text, "0123456789abcdef", tokens=100, recallable=True)
    assert guess(short) < 150
    assert short.startswith("line 0:")
    assert short.endswith(text[-20:])
    assert "handle 0123456789abcdef" in short
    assert "recall" not in excerpt(text, "", tokens=100, recallable=False)


def test_guesses_are_corrected_by_what_models_report_within_bounds() -> None:
    corrections = Corrections()
    assert corrections.of("m") == 1.0
    corrections.learn("m", guessed=100, reported=900)  # too small a request to learn from
    assert corrections.of("m") == 1.0
    for _ in range(40):
        corrections.learn("m", guessed=1_000, reported=1_400)
    assert 1.39 < corrections.of("m") < 1.41
    corrections.learn("absurd", guessed=1_000, reported=10**9)
    assert corrections.of("absurd") == 2.5
    assert guess("漢字" * 100) > 2 * guess("ab" * 100)


def test_passages_that_share_the_rare_words_come_first() -> None:
    text = "\n".join(["the order was shipped on time"] * 200 + ["invoice 4711 was refunded to Ada Lovelace"])
    passages = cut("source", text)
    assert "".join(passage.text for passage in passages) == text
    found = best("who got the refund of invoice 4711?", passages, count=2)
    assert "Ada Lovelace" in found[0].text
    assert best("zebra", passages, count=2) == []


@pytest.mark.parametrize("text", ["[" * 100_000, '["\\ud800"]', "[" + "9" * 5_000 + "]"])
def test_hostile_json_of_a_tool_is_text(text: str) -> None:
    assert compact(text) == text


def test_a_long_question_costs_as_much_as_it_is_long() -> None:
    question = " ".join(f"w{n}" for n in range(100_000))
    began = time.process_time()
    found = best(question, cut("", " ".join(f"w{n}" for n in range(0, 1_000_000, 10))), count=1)
    assert len(found) == 1
    assert time.process_time() - began < 10.0, "each word of one is not looked for in each piece of the other"
