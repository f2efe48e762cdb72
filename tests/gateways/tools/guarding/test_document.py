"""JSON values as texts: every part can be found again, and only what was found changes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.core.errors import AirsideError, Code
from airside.gateways.tools.guarding.document import document, with_texts
from airside.guards.finding import Finding, Guard, Mode
from airside.guards.verdict import Judged

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=25,
)


def judged(start: int, end: int, mode: Mode = Mode.REDACT) -> Judged:
    return Judged(Finding(guard=Guard.SECRETS, rule="r", kind="SECRET", start=start, end=end), mode)


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


@given(value=_JSON)
def test_every_piece_is_where_it_says(value: Any) -> None:
    read = document(value)
    for number, piece in enumerate(read.pieces):
        expected = piece.path[-1] if piece.is_key else at(value, piece.path)
        assert read.of_piece(number) == str(expected)
    assert [piece.start for piece in read.pieces] == sorted(piece.start for piece in read.pieces)


@given(value=_JSON, planted=st.data())
def test_what_stands_in_a_piece_is_found_in_it_and_nothing_else_is_touched(value: Any, planted: Any) -> None:
    read = document(value)
    if not read.pieces:
        return
    number = planted.draw(st.integers(0, len(read.pieces) - 1))
    piece = read.pieces[number]
    ((found, (one,)),) = read.by_piece([judged(piece.start, piece.end)])
    assert (found, one.finding.start, one.finding.end) == (number, 0, piece.end - piece.start)


@given(value=_JSON)
def test_nothing_replaced_is_the_same_value(value: Any) -> None:
    assert json.dumps(with_texts(value, {}, {})) == json.dumps(value)


def test_names_stand_before_values_and_numbers_that_may_be_cards_are_read() -> None:
    value = {
        "password": "hunter2",
        "card": 4111111111111111,
        "n": 5,
        "ok": True,
        "none": None,
        "list": ["a", {"b": "c"}],
    }
    assert document(value).text == ("password: hunter2\ncard: 4111111111111111\nn: \nok: \nnone: \nlist: \n- a\nb: c\n")
    assert document("plain").text == "plain"
    assert document("").text == document([]).text == document({}).text == document(5).text == ""


def test_what_spans_a_name_and_its_value_concerns_the_value() -> None:
    read = document({"password": "hunter2", "more": "x"})
    assert [read.of_piece(number) for number, _ in read.by_piece([judged(0, 17)])] == ["hunter2"]
    assert [read.of_piece(number) for number, _ in read.by_piece([judged(0, 4)])] == ["password"]
    assert [read.of_piece(number) for number, _ in read.by_piece([judged(10, 25)])] == ["hunter2", "x"]


def test_names_that_become_equal_are_numbered() -> None:
    value = {"a": 1, "b": 2, "[K]": 3}
    assert with_texts(value, {}, {("a",): "[K]", ("b",): "[K]"}) == {"[K] 2": 1, "[K] 3": 2, "[K]": 3}


def test_what_is_too_deep_is_refused() -> None:
    value: Any = "x"
    for _ in range(300):
        value = [value]
    with pytest.raises(AirsideError) as refused:
        document(value)
    assert refused.value.code is Code.LIMIT_EXCEEDED
