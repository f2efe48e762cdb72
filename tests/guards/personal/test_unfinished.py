"""A text that is still arriving: what is found before the open place is what is found there in the whole."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from airside.config.personal import PersonalSettings
from airside.guards.finding import Place
from airside.guards.normalise.readings import Readings
from airside.guards.personal.detector import detector
from airside.guards.personal.unfinished import HOLD_CHARS, open_at

PERSONAL = detector(PersonalSettings())

VALUES = [
    *("jane.doe@example.com", "4111 1111 1111 1111", "4111-1111-1111-1111", "DE89 3704 0044 0532 0130 00", "12345678Z"),
    *(
        "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
        "AB 12 34 56 C",
        "123-45-6789",
        "2 95 10 99 126 111 93",
        "+49 30 1234567",
    ),
    *("(212) 555-0187 ext. 12", "+1-903-140-4508x769", "0490 75 40 81", "44051401359", "2001:db8:85a3::8a2e:370:7334"),
    *("00:1A:2B:3C:4D:5E", "84.200.69.80", "1HGCM82633A004352", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "390.533.447-05"),
    *(
        "221B Baker Street, London NW1 6XE",
        "Hauptstraße 5, 10115 Berlin",
        "Calle de Alcalá 50, 28014 Madrid",
        "12 May 1980",
    ),
    *(
        "September 12, 1980",
        "12 rue de la Paix, 75002 Paris",
        "PSC 0413, Box 8144\nAPO AA 42323",
        "1980年5月12日",
        "12.05.1980",
    ),
    *("cGxlYXNlIHNlbmQgaXQgdG8gamFuZS5kb2VAZXhhbXBsZS5jb20sIHRoYW5rIHlvdQ==", "jane\u200b.doe@example.com"),
    *("C01X00T47", "943 476 5919", "почта@пример.рф", "用户@例子.公司", "36 574 261 809"),
]
WORDS = [
    *("phone", "SSN", "PESEL", "passport", "my", "card", "is", "the", "in", "2024", "12", "7", "MRN:", "NHS", "order"),
    *(
        "Steuer-ID",
        "Führerschein",
        "電話",
        "身份证",
        "and",
        "x",
        "@",
        "AB",
        "euros",
        "km",
        "%",
        "call",
        "my name is",
        "Jane",
        "van",
        "der",
        "Berg",
        "account number",
    ),
]
GAPS = [" ", ", ", "\n", "", "-", ".", "; ", ": ", "  ", "\t", "/", "。", " — ", '"', " " * 40]
PIECES = st.one_of(st.sampled_from(VALUES), st.sampled_from(WORDS), st.text(max_size=5), st.just("word " * 8))
TEXTS = st.lists(st.tuples(PIECES, st.sampled_from(GAPS)), max_size=14).map(
    lambda pairs: "".join(piece + gap for piece, gap in pairs)
)


def settled(text: str, until: int) -> list[tuple[str, int, int]]:
    return [(one.kind, one.start, one.end) for one in PERSONAL.find(Readings(text), Place.ANSWER) if one.start < until]


@settings(max_examples=600, deadline=None)
@given(TEXTS, st.integers(0, 400))
@example("call 0490 75 40 81 euros", 18)
@example("AB 12 34 56 C", 3)
def test_what_begins_before_the_open_place_is_settled(text: str, cut: int) -> None:
    prefix = text[: min(cut, len(text))]
    place = open_at(prefix)
    until = len(prefix) if place is None else place
    assert settled(prefix, until) == settled(text, until)


@given(st.text())
def test_little_is_open_and_the_end_of_a_sentence_closes(text: str) -> None:
    place = open_at(text)
    assert place is None or 0 <= len(text) - place <= HOLD_CHARS
    closed = open_at(text + "\n" + "word " * 30 + "\n\n")
    assert closed is None
