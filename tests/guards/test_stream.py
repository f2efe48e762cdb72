"""A guarded stream lets out exactly what would have left of the whole text, however it was cut into pieces."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airside.config.guards import GuardSettings
from airside.guards.defaults import scanner_of
from airside.guards.finding import Guard, Place
from airside.guards.stream import CONTEXT_CHARS, HOLD_CHARS, Span, StreamText, replaced
from airside.guards.unfinished import near
from airside.guards.unfinished import open_at as open_at_for

_KEY = re.compile(r"\bsk-[a-z0-9]{8,20}\b")
_PEM = re.compile(r"-----BEGIN KEY-----[\s\S]*?(?:-----END KEY-----|\Z)")
_OPEN = re.compile(
    r"(?:\bs(?:k(?:-[a-z0-9]{0,20})?)?|[a-z0-9]+|-----BEGIN KEY-----[^-]*-{0,5}[A-Z KEY-]{0,16})\Z|-+[BEGIN KY]*-*\Z"
)


def found(text: str) -> list[Span]:
    """Return the spans of planted keys and of key blocks, the earliest first."""
    spans = [Span(m.start(), m.end(), "[SECRET]") for m in _KEY.finditer(text)]
    spans += [Span(m.start(), m.end(), "[PRIVATE_KEY]") for m in _PEM.finditer(text)]
    spans.sort()
    apart: list[Span] = []
    for span in spans:
        if not apart or span.start >= apart[-1].end:
            apart.append(span)
    return apart


def open_at(text: str) -> int | None:
    """Return where the end of a text may still grow into one of them."""
    match = _OPEN.search(text)
    return match.start() if match else None


def through(pieces: list[str], **limits: int) -> tuple[str, StreamText]:
    """Return what leaves of a text in pieces."""
    stream = StreamText(found, open_at, **limits)
    return "".join([stream.feed(piece) for piece in pieces]) + stream.finish(), stream


def cut(text: str, places: list[int]) -> list[str]:
    """Return a text cut at places, wherever they point."""
    at = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[begin:end] for begin, end in pairwise(at)]


_PLANTED = [
    "sk-abcdefgh12",
    "sk-short",
    " sk-0123456789abcdefghij ",
    "-----BEGIN KEY-----\na\n-----END KEY-----",
    "sk",
    "-",
]
_PARTS = st.one_of(
    st.sampled_from(_PLANTED),
    st.text(alphabet="ask- \n19.", max_size=12),
    st.text(max_size=6),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(_PARTS, max_size=12), st.lists(st.integers(0, 10_000), max_size=30))
def test_any_chunking_lets_out_the_redaction_of_the_whole(parts: list[str], places: list[int]) -> None:
    text = "".join(parts)
    out, stream = through(cut(text, places))
    assert out == replaced(text, found(text))
    assert stream.left == len(text)
    assert stream.altered == (out != text)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3), st.integers(1, 700), st.integers(0, 1_500))
def test_old_context_is_forgotten_without_a_trace(before: int, step: int, gap: int) -> None:
    text = "word " * (before * CONTEXT_CHARS) + "sk-abcdefgh12" + " x" * gap + " sk-abcdefgh99 end"
    out, _ = through([text[at : at + step] for at in range(0, len(text), step)])
    assert out == replaced(text, found(text))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5_000), st.integers(0, 9_000), st.booleans())
def test_what_is_longer_than_may_be_held_is_replaced_and_swallowed_to_its_end(
    step: int, size: int, whole: bool
) -> None:
    block = "-----BEGIN KEY-----\n" + "QUJD" * size + ("\n-----END KEY-----" if whole else "")
    text = "here: " + block + (" and sk-abcdefgh12 after" if whole else "")
    out, stream = through([text[at : at + step] for at in range(0, len(text), step)], hold_chars=1_000)
    assert out == replaced(text, found(text))
    assert stream.left == len(text)


def test_what_is_long_and_nothing_leaves_bounded() -> None:
    stream = StreamText(found, open_at)
    held, text = 0, "a" * 50
    for _ in range(2_000):
        stream.feed(text)
        held = max(held, len(stream._window))
    assert held <= HOLD_CHARS * 9 // 8 + 2 * CONTEXT_CHARS + len(text)
    assert stream.left > 30_000


def test_a_blocked_text_lets_nothing_out_from_the_finding_on() -> None:
    def block(text: str) -> list[Span]:
        return [Span(span.start, span.end, None) for span in found(text)]

    for size in range(1, 12):
        stream = StreamText(block, open_at)
        text = "first sk-abcdefgh12 then sk-abcdefgh34 more"
        out = "".join([stream.feed(text[at : at + size]) for at in range(0, len(text), size)]) + stream.finish()
        assert out == "first "
        assert stream.blocked


def test_harmless_text_leaves_as_soon_as_it_is_known_to_be() -> None:
    stream = StreamText(found, open_at)
    assert stream.feed("Hello, ") == "Hello, "
    assert stream.feed("wor") == ""
    assert stream.feed("ld. ") == "world. "


def test_cost_grows_with_what_is_new_only() -> None:
    looked = 0

    def count(text: str) -> list[Span]:
        nonlocal looked
        looked += len(text)
        return found(text)

    stream = StreamText(count, open_at)
    for _ in range(4_000):
        stream.feed("word ")
    assert looked < 4_000 * (2 * CONTEXT_CHARS + 16)


_PROSE = [
    "Your parcel is on its way and will arrive on Thursday. " * 9,
    "See https://www.example.com/a for it, or don't. ",
    "my password is ",
    "AWS_SECRET_ACCESS_KEY=",
    "Bearer ",
]
_SECRETS = [
    "AKIA" + "4XZQ7KJ2MNPLRTV5",
    "ghp_" + "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5",
    "password: Tr0ub4dor&3xyz!",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn\n-----END RSA PRIVATE KEY-----",
    "postgres://app:s3cr3tPass9w@db.example.com/app",
    "anna.berg@example.org",
    "+49 170 1234567",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
]
_WORDS = st.sampled_from(
    [*_PROSE, "the ", "key is ", "call me at ", "and ", "token ", "\n", "x", ". ", "2024 ", "Größe "]
)


@pytest.mark.parametrize("guards", [{Guard.SECRETS, Guard.PERSONAL}, {Guard.SECRETS}])
@settings(max_examples=150, deadline=None)
@given(
    parts=st.lists(st.one_of(_WORDS, st.sampled_from(_SECRETS)), max_size=8),
    places=st.lists(st.integers(0, 5_000), max_size=25),
    every=st.integers(0, 9),
)
def test_shipped_detectors_find_in_a_stream_what_they_find_in_the_whole(
    guards: set[Guard], parts: list[str], places: list[int], every: int
) -> None:
    text = "".join(parts)

    def spans(part: str) -> list[Span]:
        found = sorted(_SCANNER.scan_now(part, Place.ANSWER, guards), key=lambda one: (one.start, -one.end))
        apart: list[Span] = []
        for one in found:
            if apart and one.start < apart[-1].end:
                apart[-1] = apart[-1]._replace(end=max(apart[-1].end, one.end))
            else:
                apart.append(Span(one.start, one.end, f"[{one.kind}]"))
        return apart

    stream = StreamText(spans, open_at_for(guards), near(guards))
    places = list(range(0, len(text), every)) if every else places
    out = "".join([stream.feed(piece) for piece in cut(text, places)]) + stream.finish()
    assert out == replaced(text, spans(text))


_SCANNER = scanner_of(GuardSettings())
