"""Patterns are found wherever they stand, whatever stands around them, in linear time."""

import re
import time

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from airside.guards.normalise.readings import Reading, Readings
from airside.guards.patterns import MATCHES_MAX, Match, Pattern, PatternSet

KEY = Pattern(rule="key", expression=r"\bsk_(?P<found>[a-z0-9]{4,8})\b", keywords=("sk_",), reach=16)
WORD = Pattern(rule="word", expression=r"пароль:\s*(?P<found>\S+)", keywords=("пароль",), ignore_case=True, reach=20)
YEAR = Pattern(rule="year", expression=r"\b(?:19|20)[0-9]{2}\b")
EITHER = Pattern(rule="either", expression=r"x=(?P<found>[0-9]+)?;", keywords=("x=",))
SHARP = Pattern(rule="sharp", expression=r"stra(?:ß|ss)e", keywords=("straße",), ignore_case=True, reach=4)
ALL = PatternSet([KEY, WORD, YEAR, EITHER, SHARP])
AROUND = st.one_of(
    st.text(max_size=40),
    st.text(st.sampled_from("aыßİẞKȺ中𝐢\ud800\x00 \n"), max_size=40),
    st.binary(max_size=40).map(lambda data: data.decode("utf-8", "surrogateescape")),
)


def spans(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for match in ALL.find(text):
        assert match.found == text[match.start : match.end]
        found.setdefault(match.pattern.rule, []).append(match.found)
    return found


@settings(max_examples=400, deadline=None)
@given(AROUND, AROUND, AROUND)
def test_planted_values_are_found_at_their_places(one: str, two: str, three: str) -> None:
    text = f"{one} sk_abc123 {two} Пароль: тайна {three}"
    found = spans(text)
    assert "abc123" in found["key"]
    assert "тайна" in found["word"]
    [place] = [match for match in ALL.find(text) if match.found == "тайна"]
    assert (place.start, place.end) == (len(text) - len(three) - 6, len(text) - len(three) - 1)


@settings(max_examples=200, deadline=None)
@given(AROUND, st.lists(AROUND, max_size=6))
def test_reach_finds_what_the_whole_text_shows(first: str, rest: list[str]) -> None:
    text = " sk_12345 ".join([first, *rest])
    whole = PatternSet([Pattern(rule="key", expression=KEY.expression, keywords=("sk_",))])
    assert [match[2:] for match in PatternSet([KEY]).find(text)] == [match[2:] for match in whole.find(text)]


@settings(max_examples=200, deadline=None)
@given(AROUND)
def test_as_python_finds_it(text: str) -> None:
    text += " 1999 2024x 2025"
    searched = re.sub("[\ud800-\udfff]", "?", text)
    expected = [match.span() for match in re.finditer(r"\b(?:19|20)[0-9]{2}\b", searched, re.ASCII)]
    assert [match[2:] for match in PatternSet([YEAR]).find(text)] == expected


def test_a_group_that_took_no_part_means_the_whole_match() -> None:
    assert spans("x=12; x=;")["either"] == ["12", "x=;"]


def test_words_that_change_their_length_are_found() -> None:
    assert spans("STRASSE Straße strasse")["sharp"] == ["STRASSE", "Straße", "strasse"]


def test_word_boundaries_see_beyond_the_reach() -> None:
    near = PatternSet([Pattern(rule="key", expression=r"\bkey\b|^key|key$", keywords=("key",), reach=0)])
    assert [match.start for match in near.find("xkeyx key akey")] == [6, 11]


def test_the_check_has_the_last_word() -> None:
    def even(match: Match) -> bool:
        return int(match.found) % 2 == 0 and match.text[match.start : match.end] == match.found

    numbers = PatternSet([Pattern(rule="even", expression="[0-9]+", check=even)])
    assert [match.found for match in numbers.find("1 2 3 4 é 6")] == ["2", "4", "6"]


def test_decoys_do_not_use_up_the_matches() -> None:
    odd = PatternSet([Pattern(rule="odd", expression="[0-9]", check=lambda match: match.found == "7")])
    assert len(list(odd.find("2" * 3 * MATCHES_MAX + "7"))) == 1
    assert len(list(odd.find("7" * 3 * MATCHES_MAX))) == MATCHES_MAX


def test_names_are_unique_and_bad_expressions_are_refused() -> None:
    with pytest.raises(ValueError, match="one name"):
        PatternSet([KEY, KEY])
    with pytest.raises(re2.error):
        PatternSet([Pattern(rule="bad", expression="(?=x)")]).compile()
    ALL.compile()
    assert list(PatternSet([]).find("anything")) == []


def test_a_reading_is_encoded_once() -> None:
    reading = Reading("Ключ Пароль: тайна")
    assert reading.encoded is reading.encoded
    assert reading.lowered is reading.lowered
    assert [match.found for match in ALL.find(reading)] == ["тайна"]
    assert "тайна" not in repr(reading)


@pytest.mark.parametrize("text", ["", "\x00", "\ud800", "\udfff sk_abcd", "sk_", "ß" * 100, "\U0010ffff"])
def test_any_text_is_searched(text: str) -> None:
    for reading in Readings(text).texts:
        list(ALL.find(reading))


HOSTILE = {
    "keywords": "sk_ ",
    "keywords in one word": "sk_",
    "matches": "sk_abcd ",
    "other script": "пароль ",
    "matches, other script": "пароль: ы ",
    "one letter": "a",
    "one letter that grows": "ß",
    "numbers": "2024 ",
    "surrogates": "\ud800",
}


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE)
def test_searching_is_linear(unit: str) -> None:
    def seconds(size: int) -> float:
        text = (unit * (size // len(unit) + 1))[:size]
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            for _match in ALL.find(text):
                pass
            best = min(best, time.process_time() - began)
        return best

    assert seconds(400_000) <= 12 * seconds(40_000) + 0.02
