"""What a model said is read from every wire format, and nothing else breaks it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.journal.said import Said, said

ANSWERS: list[tuple[Any, Said]] = [
    ({"choices": [{"message": {"content": "yes", "tool_calls": None}}]}, Said("yes")),
    ({"choices": [{"message": {"content": None, "tool_calls": [{"id": "1"}]}}]}, Said("", tools=True)),
    (
        {"choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}]},
        Said("ab"),
    ),
    ({"content": [{"type": "thinking", "thinking": "x"}, {"type": "text", "text": "yes"}]}, Said("yes")),
    ({"content": [{"type": "text", "text": "so"}, {"type": "tool_use", "id": "1"}]}, Said("so", tools=True)),
    ({"output": [{"type": "message", "content": [{"type": "output_text", "text": "yes"}]}]}, Said("yes")),
    ({"output": [{"type": "reasoning"}, {"type": "function_call", "name": "f"}]}, Said("", tools=True)),
    ({"candidates": [{"content": {"parts": [{"text": "t", "thought": True}, {"text": "yes"}]}}]}, Said("yes")),
    ({"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}}]}, Said("", tools=True)),
    ([], Said()),
    ({"choices": []}, Said()),
    ({"candidates": [{"finishReason": "SAFETY"}]}, Said()),
]


@pytest.mark.parametrize(("answer", "expected"), ANSWERS)
def test_each_format_is_read(answer: Any, expected: Said) -> None:
    assert said(json.dumps(answer).encode()) == expected


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["choices", "message", "content", "output", "type", "text", "candidates", "parts"]),
                inner,
            )
        ),
    )
)
def test_nonsense_says_nothing_and_raises_nothing(value: Any) -> None:
    said(json.dumps(value).encode())
    said(repr(value).encode())
