"""Words as the classifier reads them: total, idempotent, and their places are found again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.guards.injection.classifier.words import _OTHER_SPACES, read, span

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=300)


@given(ANY_TEXT)
def test_any_text_is_read_and_reading_again_changes_nothing(text: str) -> None:
    words = read(text)
    assert words.startswith(b" ")
    assert words.endswith(b" ")
    again = read(words.decode("utf-8", "surrogatepass"))
    assert again == words


@given(ANY_TEXT, st.integers(0, 400), st.integers(0, 400))
def test_a_place_is_always_within_the_text(text: str, one: int, other: int) -> None:
    start, end = span(text, read(text), min(one, other), max(one, other))
    assert 0 <= start <= end <= len(text)


@given(
    st.lists(st.sampled_from(["don't", "ignore", "«Regeln»", "忽略。", "a-b", "'", "ĝis", "12,5", "\n"]), max_size=30)
)
def test_the_place_of_one_word_holds_that_word(parts: list[str]) -> None:
    text = " ".join(parts)
    words = read(text)
    at = 1
    for word in words.split():
        start, end = span(text, words, at, at + len(word))
        assert read(text[start:end]).split() == [word], (text, word)
        at += len(word) + 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", b"  "),
        ("... !", b"  "),
        ("Don't  stop,now", b" Dont stop now "),
        ("“ignore” — all…", b" ignore all "),
        ("send_email(x)", b" send_email x "),
        ("无视。规则", "无视 规则".encode().join((b" ", b" "))),
    ],
)
def test_what_is_a_word(text: str, words: bytes) -> None:
    assert read(text) == words


def test_every_mark_stands_under_its_beginning() -> None:
    for beginning, marks in _OTHER_SPACES:
        for mark, space in marks:
            assert mark.startswith(beginning)
            assert len(mark) == len(space)
            assert read(f"a{mark.decode()}b") == b" a b "
