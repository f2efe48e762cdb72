"""Names: those a text introduces, what is made of what a model says, and the model itself where the extra is here."""

from importlib.util import find_spec

import pytest

from airside.config.personal import PersonalSettings
from airside.core.errors import AirsideError, Code
from airside.guards.finding import Place
from airside.guards.normalise.readings import Readings
from airside.guards.personal import introductions
from airside.guards.personal.detector import detector, detectors
from airside.guards.personal.names import Entity, Names, spotted
from airside.guards.personal.plain import Plain


def introduced(text: str) -> list[str]:
    return [text[one.start : one.end] for one in introductions.find(Plain(text))]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Hello, my name is Jane Doe.", "Jane Doe"),
        ("my name is jane doe and I ordered", "jane doe"),
        ("My name's Ludwig van der Berg, hi", "Ludwig van der Berg"),
        ("Her maiden name is O'Neill", "O'Neill"),
        ("full name: Shane M. Culp\nphone", "Shane M. Culp"),
        ("Guten Tag, ich heiße Jürgen Groß.", "Jürgen Groß"),
        ("Je m'appelle Zoé.", "Zoé"),
        ("Меня зовут Анна Иванова", "Анна Иванова"),
        ("MY NAME IS Jane's", "Jane"),
    ],
)
def test_a_name_that_is_introduced_is_found(text: str, name: str) -> None:
    assert introduced(text) == [name]


@pytest.mark.parametrize(
    "text",
    [
        "My name is not important",
        "my name is misspelled on the card",
        "the file name is report.txt",
        "what is my name?",
        "- name: reading",
        "my name is",
        "my name is 42",
        "lambda name: name",
        "dummy name is X",
    ],
)
def test_what_introduces_nobody_is_left(text: str) -> None:
    assert introduced(text) == []


def test_a_title_comes_before_a_name_and_does_not_belong_to_it() -> None:
    text = "change it to Mr. Richard McCray, or Frau Müller; mr nobody; Dr who"
    assert [text[one.start : one.end] for one in introductions.find_titled(Plain(text))] == ["Richard McCray", "Müller"]


@pytest.mark.parametrize(
    ("text", "said", "stands"),
    [
        ("Jane Doe\nmanager of", "Jane Doe\nmanager", "Jane Doe"),
        ("see Jane Doe's list", "Jane Doe's", "Jane Doe"),
        ("to Mrs. Doe, please", "Mrs. Doe,", "Doe"),
        ("at Crown St today", "Crown St", None),
        ("1668 Glyn is", "Glyn", None),
        ("user a1 is", "a1", None),
        ("Jane Street is", "Jane", None),
        ("to jane@example.com", "jane@example.com", None),
    ],
)
def test_what_a_model_says_is_cleaned(text: str, said: str, stands: str | None) -> None:
    start = text.index(said)
    found = [text[one.start : one.end] for one in spotted(text, [Entity("PERSON", start, start + len(said))])]
    assert found == ([] if stands is None else [stands])


def test_labels_that_are_nobody_are_left() -> None:
    assert list(spotted("Acme in May", [Entity("ORG", 0, 4), Entity("DATE", 8, 11)])) == []
    assert [one.kind for one in spotted("in Oslo", [Entity("GPE", 3, 7)])] == ["LOCATION"]


@pytest.mark.skipif(find_spec("spacy") is not None, reason="the extra is here")
def test_names_without_the_extra_are_a_clear_error() -> None:
    with pytest.raises(AirsideError, match=r"airside\[pii\]") as caught:
        list(detectors(PersonalSettings(names=True)))
    assert caught.value.code is Code.MISCONFIGURED


def test_names_are_off_unless_asked_for() -> None:
    assert len(list(detectors(PersonalSettings()))) == 1


def test_the_model_finds_people_and_places_in_long_texts() -> None:
    pytest.importorskip("spacy")
    names = Names(PersonalSettings(names_chars_max=20_000))
    text = "The weather was fine all day long. " * 200 + "Barack Obama met Angela Merkel in Berlin."
    found = [(one.kind, text[one.start : one.end]) for one in names.find(Readings(text), Place.USER)]
    assert ("PERSON", "Barack Obama") in found
    assert ("LOCATION", "Berlin") in found
    assert names.find(Readings("\ud800 \U000e0041"), Place.USER) is not None


def test_an_unknown_model_is_a_clear_error() -> None:
    pytest.importorskip("spacy")
    with pytest.raises(AirsideError, match="no_such_model"):
        Names(PersonalSettings(names_model="no_such_model"))


def test_introduced_names_are_found_by_default() -> None:
    text = "My name is Jane Doe"
    found = detector(PersonalSettings()).find(Readings(text), Place.USER)
    assert [(one.kind, one.rule, text[one.start : one.end]) for one in found] == [
        ("PERSON", "person.introduced", "Jane Doe")
    ]
