"""Cursors: what was written is read back, and nothing else is taken for one."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.core.errors import AirsideError, Code
from airside.runs.cursor import BEGINNING, END, ID_CHARACTERS_MAX, cursor_of, place_of

IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=ID_CHARACTERS_MAX)


@given(st.integers(0, 10**18 - 1), IDS)
def test_a_cursor_names_its_place(at_us: int, name: str) -> None:
    assert place_of(cursor_of(at_us, name), END) == (at_us, name)
    assert BEGINNING < (at_us, name) < END


@given(st.text())
def test_no_text_raises_anything_but_a_refusal(text: str) -> None:
    with contextlib.suppress(AirsideError):
        at_us, name = place_of(text, BEGINNING)
        assert (at_us, name) == BEGINNING if text == "" else text.endswith(f".{name}")


@pytest.mark.parametrize("text", ["x", "1", "1.", ".a", "-1.a", "1e3.a", f"{10**18}.a", "1." + "a" * 201])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(AirsideError) as error:
        place_of(text, END)
    assert error.value.code is Code.INVALID_REQUEST
