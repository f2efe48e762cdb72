"""Any text: values planted at a known place are found there, disguised ones too, nothing raises, time stays linear."""

import base64
import json
import time
from random import Random
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airside.config.personal import PersonalSettings
from airside.guards.finding import Place
from airside.guards.normalise.readings import Readings
from airside.guards.personal import cards, identity_europe, identity_world
from airside.guards.personal.detector import detector
from airside.guards.personal.numbering import Numbering
from airside.guards.personal.shapes import Shape
from benchmarks.guards.personal_material import benign, phones, samples

PERSONAL = detector(PersonalSettings())
SURE = ["jane.doe@example.com", "4111 1111 1111 1111", "DE89370400440532013000", "390.533.447-05", "+49 30 123456"]
HARMLESS = st.text(
    st.characters(exclude_characters="0123456789@", exclude_categories=["Nd", "Cs"]).filter(
        lambda character: (
            not any(read.isdigit() for read in normalize("NFKC", character))
        )  # nor a half, nor a 1 in a ring
    ),
    max_size=60,
)


def found(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in PERSONAL.find(Readings(text), Place.RESULT)]


@settings(max_examples=200, deadline=None)
@given(HARMLESS, HARMLESS, st.sampled_from(SURE))
def test_a_value_is_found_at_its_place_in_any_text(before: str, after: str, value: str) -> None:
    assert value in [text for _, text in found(f"{before} {value} {after}")]


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(HARMLESS, HARMLESS, max_size=4), HARMLESS, st.sampled_from(SURE))
def test_a_value_is_found_in_json(data: dict[str, str], name: str, value: str) -> None:
    for ascii_only in (True, False):
        text = json.dumps({**data, name: {"a": [value, 1]}}, ensure_ascii=ascii_only)
        assert value in [text for _, text in found(text)]


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(), max_size=200))
def test_no_text_raises_and_spans_lie_in_it(text: str) -> None:
    for one in PERSONAL.find(Readings(text), Place.USER):
        assert 0 <= one.start < one.end <= len(text)


@settings(max_examples=300, deadline=None)
@given(st.text("0123456789+-. ()/@:ABXabx\n", max_size=300))
def test_numbers_of_all_sorts_do_not_raise(text: str) -> None:
    PERSONAL.find(Readings(text), Place.USER)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("to jane\u200b.doe@exam\u200bple.com now", "EMAIL", "jane\u200b.doe@exam\u200bple.com"),
        ("to jane＠example.com now", "EMAIL", "jane＠example.com"),
        ("card 4111\u200b1111\u200b1111\u200b1111 now", "CARD", "4111\u200b1111\u200b1111\u200b1111"),
    ],
)
def test_disguised_values_are_found_as_they_stand(text: str, kind: str, value: str) -> None:
    assert (kind, value) in found(text)


def test_encoded_values_are_found() -> None:
    hidden = base64.b64encode(b"please send it to jane.doe@example.com, thank you").decode()
    text = f"data: {hidden} end"
    assert [(one.kind, one.via) for one in PERSONAL.find(Readings(text), Place.USER)] == [("EMAIL", ("base64",))]
    assert found(text) == [("EMAIL", hidden)]


def test_made_up_texts_hold_what_they_are_said_to_hold_and_no_more() -> None:
    missed = [one for one in samples(seed=11, each=6) if one.kind and not _covers(one.text, one.start, one.end)]
    assert missed == []
    assert [text for text in benign(seed=12, count=600) if found(text)] == []


def test_phone_numbers_of_all_countries_are_found() -> None:
    everything = list(phones(seed=13))
    missed = [one.text for one in everything if not _covers(one.text, one.start, one.end)]
    assert len(everything) > 300
    assert missed == ["Moje phone to 011 15-2345-6789."]  # Argentina's mobiles: found from the 15 on


def _covers(text: str, start: int, end: int) -> bool:
    return any((one.start, one.end) == (start, end) for one in PERSONAL.find(Readings(text), Place.USER))


def test_other_regions_know_other_numbers() -> None:
    german = Numbering(["DE"])
    assert german.with_number("0301234567") == {"DE"}
    assert german.with_number("0000000") == set()
    assert german.with_number("12345678901234567890") == set()


def test_kinds_can_be_ignored() -> None:
    quiet = detector(PersonalSettings(ignore=["EMAIL"]))
    assert quiet.find(Readings("jane@example.com"), Place.USER) == []
    assert [one.kind for one in quiet.find(Readings("84.200.69.80"), Place.USER)] == ["IP"]


HOSTILE = [
    "1",
    "@",
    "1-",
    "1 ",
    "a@",
    "4111 1111 1111 1112 ",
    "44051401358 ",
    "passport 1234567 ",
    ":",
    "DE89 3704 ",
    "9" * 15 + " ",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_texts_cost_linear_time(piece: str) -> None:
    def spent(size: int) -> float:
        text = piece * (size // len(piece))
        begun = time.process_time()
        PERSONAL.find(Readings(text), Place.USER)
        return time.process_time() - begun

    spent(100)
    small, large = min(spent(60_000) for _ in range(2)), min(spent(600_000) for _ in range(2))
    assert large <= max(small * 20, 0.25)


def test_what_is_too_much_to_check_counts_unchecked() -> None:
    text = "4111 1111 1111 1112 " * 10_000
    assert [(one.rule, one.end) for one in PERSONAL.find(Readings(text), Place.USER)][-1] == (
        "card.unchecked",
        len(text),
    )


@pytest.mark.parametrize(
    "shape", [*identity_europe.SHAPES, *identity_world.SHAPES, *cards.SHAPES], ids=lambda one: one.rule
)
def test_no_check_raises_on_anything_of_its_shape(shape: Shape) -> None:
    random = Random(3)
    fills = {"9": "0123456789", "A": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    for mask in shape.masks:
        for _ in range(150):
            assert shape.valid("".join(random.choice(fills.get(char, char)) for char in mask)) in {True, False}
