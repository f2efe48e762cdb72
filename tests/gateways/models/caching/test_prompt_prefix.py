"""Marks for the provider's prompt cache: on stable beginnings only, never more than four, never against the client."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from airside.gateways.models.caching.prompt_prefix import Prefixed, with_breakpoints
from airside.gateways.models.formats.anthropic.format import MESSAGES
from airside.gateways.models.formats.openai_chat.format import CHAT

LONG = "word " * 6_000
TOOL = {"name": "find", "description": LONG, "input_schema": {"type": "object"}}


def asked(**changes: Any) -> dict[str, Any]:
    value = {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    return value | changes


def marks(value: Any) -> int:
    return json.dumps(value).count('"cache_control"')


def test_a_long_system_prompt_is_marked_at_its_end() -> None:
    marked = with_breakpoints(asked(system=LONG))
    assert marked["system"] == [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
    assert marks(marked) == 1


def test_tools_and_system_are_marked_apart_and_blocks_keep_what_they_are() -> None:
    system = [{"type": "text", "text": LONG}, {"type": "text", "text": "And be kind."}]
    marked = with_breakpoints(asked(system=system, tools=[{"name": "a", "input_schema": {}}, TOOL]))
    assert marked["tools"][0] == {"name": "a", "input_schema": {}}
    assert marked["tools"][1] == {**TOOL, "cache_control": {"type": "ephemeral"}}
    assert marked["system"][0] == system[0]
    assert "cache_control" in marked["system"][1]


def test_what_is_short_stays_the_very_same() -> None:
    value = asked(system="Be kind.", tools=[{"name": "a", "input_schema": {}}])
    assert with_breakpoints(value) is value


def test_the_least_length_depends_on_the_model() -> None:
    middling = "word " * 1_200  # about 1,500 tokens
    assert marks(with_breakpoints(asked(system=middling))) == 1
    assert marks(with_breakpoints(asked(system=middling, model="claude-haiku-4-5"))) == 0


def test_a_conversation_that_goes_on_is_marked_where_it_ends_and_where_it_ended_before() -> None:
    messages = [
        {"role": "user", "content": LONG},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "7"}]},
        {"role": "assistant", "content": "So?"},
        {"role": "user", "content": "Go on"},
    ]
    marked = with_breakpoints(asked(messages=messages))["messages"]
    assert [marks(message) for message in marked] == [0, 0, 1, 0, 1]
    assert marks(with_breakpoints(asked(messages=messages[:1]))) == 0  # nothing says that it will go on


def test_a_client_that_marks_is_left_alone() -> None:
    value = asked(
        system=[{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral", "ttl": "1h"}}], tools=[TOOL]
    )
    assert with_breakpoints(value) is value


@pytest.mark.parametrize(
    "block", [{"type": "thinking", "thinking": "…", "signature": "s"}, {"type": "text", "text": " "}]
)
def test_blocks_that_cannot_carry_a_mark_get_none(block: dict[str, Any]) -> None:
    messages = [
        {"role": "user", "content": LONG},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": [{"type": "text", "text": "Hm"}, block]},
    ]
    marked = with_breakpoints(asked(messages=messages))["messages"]
    assert [marks(message) for message in marked] == [1, 0, 0]


texts = st.sampled_from(["", "short", LONG])
contents = st.one_of(texts, st.lists(st.builds(lambda text: {"type": "text", "text": text}, texts), max_size=3))
turns = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content}, st.sampled_from(["user", "assistant"]), contents
    ),
    max_size=6,
)


@given(turns, contents, st.lists(st.just(TOOL), max_size=2))
def test_marks_are_few_change_nothing_else_and_are_always_the_same(messages: Any, system: Any, tools: Any) -> None:
    value = asked(messages=messages, system=system, tools=tools)
    before = json.dumps(value)
    marked = with_breakpoints(value)
    assert marks(marked) <= 4
    assert json.dumps(value) == before
    assert with_breakpoints(json.loads(before)) == marked
    assert with_breakpoints(marked) is marked or marks(marked) == 0
    assert _bare(marked) == _bare(value)


def _bare(value: Any) -> Any:
    """Return a request without marks, texts as blocks."""
    if isinstance(value, dict):
        held = {name: item for name, item in value.items() if name != "cache_control"}
        for name in ("content", "system"):
            if isinstance(held.get(name), str):
                held[name] = [{"type": "text", "text": held[name]}] if held[name] else []
        return {name: _bare(item) for name, item in held.items()}
    return [_bare(item) for item in value] if isinstance(value, list) else value


class _Service:
    languages = (MESSAGES, CHAT)
    prices = "p"

    def url(self, language: Any, model: str, *, stream: bool) -> URL:
        return URL("http://x")

    def dress(self, language: Any, body: bytes) -> bytes:
        return body

    async def headers(self, url: URL, body: bytes) -> dict[str, str]:
        return {}

    def unframed(self) -> None:
        return None

    def hidden(self) -> tuple[str, ...]:
        return ("secret",)


def test_only_messages_requests_are_marked_and_untouched_values_keep_their_bytes() -> None:
    service = Prefixed(_Service())
    body = json.dumps(
        asked(system=LONG, temperature=0.10, messages=[{"role": "user", "content": "é", "n": 1e3}])
    ).encode()
    marked = service.dress(MESSAGES, body)
    assert marked.count(b'"cache_control"') == 1
    assert b'"temperature":0.1' in marked.replace(b" ", b"")
    assert json.dumps({"role": "user", "content": "é", "n": 1e3}).encode() in marked
    assert service.dress(CHAT, body) is body
    assert service.dress(MESSAGES, b'{"messages": []}') == b'{"messages": []}'
    assert service.hidden() == ("secret",)
