"""One thing has one canonical form, however it is written; two things never share one."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.policy.provenance.corpus import Corpus, Place
from airside.policy.provenance.entities import Entity, Kind, entities, link, of_value
from airside.policy.provenance.text import framed, plain


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HTTPS://Example.com:443/a%7Eb/", "example.com/a~b"),
        ("http://www.example.com", "www.example.com/"),
        ("https://bücher.example/x", "xn--bcher-kva.example/x"),
        ("see https://example.com/x).", "https://example.com/x"),
    ],
)
def test_links_are_one(one: str, other: str) -> None:
    (first,) = [entity for entity in entities(plain(one)) if entity.kind is Kind.LINK]
    (second,) = [entity for entity in entities(plain(other)) if entity.kind is Kind.LINK]
    assert first == second


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.com/a", "https://example.com/b"),
        ("https://example.com/?q=1", "https://example.com/?q=2"),
        ("https://example.com:8080/", "https://example.com/"),
        ("https://user@example.com/", "https://example.com/"),
        ("https://example.com.evil.org/", "https://example.com/"),
        ("ftp://example.com/", "https://example.com/"),
        ("https://example.com/#a", "https://example.com/"),
        ("https://exаmple.com/", "https://example.com/"),  # a Cyrillic a
    ],
)
def test_links_are_two(one: str, other: str) -> None:
    assert link(plain(one)) != link(plain(other))


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("GB29 NWBK 6016 1331 9268 19", Kind.ACCOUNT, "gb29nwbk60161331926819"),
        ("gb29nwbk60161331926819", Kind.ACCOUNT, "gb29nwbk60161331926819"),
        ("4237-4252-7456-2574", Kind.ACCOUNT, "4237425274562574"),
        ("Bob.Smith@Example.COM", Kind.EMAIL, "bob.smith@example.com"),
        ("1,234.50", Kind.NUMBER, "1234.5"),
        ("-0.10", Kind.NUMBER, "-0.1"),
        ("2024-05-19T12:00:00Z", Kind.DATE, "2024-05-19"),
        ("2024/5/9", Kind.DATE, "2024-05-09"),
    ],
)
def test_whole_values(text: str, kind: Kind, value: str) -> None:
    assert of_value(text) == Entity(kind, value)


@pytest.mark.parametrize("text", ["12.3.4", "1,23", "v1.2", "abc", "2024-05-19 and more", "", "٣"])
def test_no_entities(text: str) -> None:
    entity = of_value(text)
    assert entity is None or entity.kind not in {Kind.NUMBER, Kind.DATE} or text == "٣"


def names_day(text: str, day: str) -> bool:
    corpus = Corpus()
    corpus.add(text, Place("prompt"))
    return corpus.find(day) is not None


@pytest.mark.parametrize("text", ["on May 19th", "the 19th of May", "19 May", "May 19"])
def test_days_without_a_year_are_days_of_every_year(text: str) -> None:
    assert [names_day(text, day) for day in ("2024-05-19", "1999-05-19", "2024-05-18")] == [True, True, False]


def test_a_named_year_counts() -> None:
    assert [names_day("May 19th, 2024", day) for day in ("2024-05-19", "2023-05-19")] == [True, False]


def test_numbers_inside_other_things_are_not_named() -> None:
    named = list(entities(plain("mail bob7@example.com about https://example.com/42 on 2024-05-19")))
    assert [entity for entity in named if entity.kind is Kind.NUMBER] == []


@given(st.integers(-(10**12), 10**12), st.integers(0, 999))
def test_numbers_are_one_in_every_notation(units: int, thousandths: int) -> None:
    text = f"{units}.{thousandths:03}"
    assert of_value(text) == of_value(f"{units:,}.{thousandths:03}")
    assert of_value(text) == of_value(text + "0")


@given(st.text())
def test_comparable_text_is_a_fixed_point(text: str) -> None:
    once = plain(text)
    assert plain(once) == once
    assert not any(unicodedata.category(char) == "Cf" for char in once)


@given(st.text(alphabet="abc 12", min_size=1, max_size=20), st.text(alphabet="abc 12", max_size=40))
def test_words_are_found_between_borders_only(value: str, text: str) -> None:
    said = framed(plain(value))
    if said.strip() and said in framed(plain(text)):
        words = text.split()
        wanted = value.split()
        runs = [words[start : start + len(wanted)] for start in range(len(words))]
        assert wanted in runs


@given(st.text(max_size=400))
def test_any_text_can_be_taken_apart(text: str) -> None:
    for entity in entities(plain(text)):
        assert entity.value == entity.value.strip()


@pytest.mark.parametrize("piece", ["a", "a.", "1", "1,", "a@", "1 ", "a-", "http", "www.", "may ", "/", "%41", "aa11"])
def test_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    def seconds(count: int) -> float:
        text = plain(piece * count)
        best = float("inf")
        for _ in range(3):
            begun = time.process_time()
            list(entities(text))
            best = min(best, time.process_time() - begun)
        return best

    assert seconds(100_000) < 400 * max(seconds(2_000), 0.0005), "50 times the text took over 400 times as long"
