"""Words in disguise, found by words that somebody looks for: shifted, reversed, leet, spaced out, accented.

These forms double the work if they are made of every text. So the disguised *words* are looked for, all in one pass of
an automaton (Aho-Corasick), and only a text in which one stands is read in that form as a whole.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final
from unicodedata import normalize

import re2
from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

from airside.guards.normalise.folding import LOOKS
from airside.guards.normalise.reading import Offsets, Reading

WORD_MIN: Final = 4  # letters of a word that is looked for in leet
TURNED_MIN: Final = 5  # letters of a word that is looked for reversed or by rot13: shorter ones are other words
SHIFTED_MIN: Final = 7  # letters of a word that is looked for shifted by anything else

_LETTERS: Final = b"abcdefghijklmnopqrstuvwxyz"
_SHIFTS: Final = {by: bytes.maketrans(_LETTERS, _LETTERS[by:] + _LETTERS[:by]) for by in range(1, 26)}
_LEET: Final = bytes.maketrans(b"01!|34@5$7+8962l", b"oiiieaassttbggzi")  # i and l look the same as a 1
_READ: Final = bytes.maketrans(b"01!|34@5$7+892", b"oiiieaassttbgz")
_LEET_WORD: Final = re2.compile(r"[a-z0-9@$!|+]*(?:[a-z][0134578@$!|+]|[0134578@$|+][a-z])[a-z0-9@$!|+]*")
_APART: Final = r"""[ \t\r\n.\-_*|,/·•:;!?'"]{1,6}"""
_LETTER: Final = r"a-z0-9\x{c0}-\x{24f}\x{370}-\x{52f}\x{5d0}-\x{6ff}"  # of scripts that write words of letters
_SPACED: Final = re2.compile(rf"(?:^|[^{_LETTER}])((?:[{_LETTER}]{_APART}){{4,}}[{_LETTER}])(?:[^{_LETTER}]|$)")
_LATIN: Final = re.compile("[\u00c0-\u024f\u1e00-\u1eff]")
_STROKES: Final = dict(zip("øđłħŧɨƀ", "odlhtib", strict=True))
_ASTRAY: Final = re.compile(f"[{''.join(map(chr, LOOKS))}]")


class Vocabulary:
    """Words that are looked for in disguise, casefolded."""

    def __init__(self, words: Iterable[str]) -> None:
        known = sorted({word.casefold() for word in words if len(word) >= WORD_MIN and " " not in word})
        self._plain = [word.encode("utf-8", "replace") for word in known]
        self._words = BytesAhoCorasick(self._plain, MatchKind.LeftmostLongest, Implementation.ContiguousNFA)
        skeletons = [word.translate(_LEET) for word in self._plain]
        self._skeletons = BytesAhoCorasick(skeletons, MatchKind.LeftmostLongest, Implementation.ContiguousNFA)
        turned: dict[bytes, int] = {}  # disguised word: how far its letters are to be shifted, 0: it is reversed
        for word in known:
            form = word.encode("utf-8", "replace")
            if len(word) >= TURNED_MIN and word != word[::-1]:
                turned.setdefault(word[::-1].encode("utf-8", "replace"), 0)
            if word.isascii() and word.isalpha() and len(word) >= TURNED_MIN:
                for by in range(1, 26) if len(word) >= SHIFTED_MIN else (13,):
                    turned.setdefault(form.translate(_SHIFTS[26 - by]), by)
        self._ways = [way for form, way in turned.items() if form not in set(self._plain)]
        forms = [form for form in turned if form not in set(self._plain)]
        self._turned = BytesAhoCorasick(forms, implementation=Implementation.ContiguousNFA)

    def turned(self, lowered: bytes) -> set[int]:
        """Return the ways in which words are turned in a text: letters to shift by; 0: reversed."""
        hits = self._turned.find_matches_as_indexes(lowered)
        return {self._ways[way] for way, start, end in hits if _whole(lowered, start, end)}

    def count(self, lowered: bytes) -> int:
        """Return how many words stand in a text."""
        return len(self._words.find_matches_as_indexes(lowered))

    def leet(self, lowered: bytes) -> list[tuple[int, int, bytes]]:
        """Return where words stand in leet, in bytes, and which they are."""
        hits = self._skeletons.find_matches_as_indexes(lowered.translate(_LEET))
        return [
            (start, end, self._plain[word])
            for word, start, end in hits
            if lowered[start:end] != self._plain[word] and _whole(lowered, start, end)
        ]

    def apart(self, joined: str) -> str:
        """Return letters with a space around each known word."""
        data = joined.encode("utf-8", "replace")
        pieces: list[bytes] = []
        at = 0
        for _, start, end in self._words.find_matches_as_indexes(data):
            pieces += (data[at:start], data[start:end])
            at = end
        return b" ".join(filter(None, (*pieces, data[at:]))).decode()


def _whole(lowered: bytes, start: int, end: int) -> bool:
    """Whether a word in disguise stands for itself: inside others (`failed`, `denied`), many stand by chance."""
    return not (lowered[start - 1 : start].isalnum() or lowered[end : end + 1].isalnum())


def disguised(folded: Reading, vocabulary: Vocabulary) -> Iterator[Reading]:
    """Yield the forms of a folded text in which known words stand in disguise."""
    data = folded.encoded
    for way in sorted(vocabulary.turned(data)):
        if way:
            yield folded.form(data.translate(_SHIFTS[way]).decode(), (("rot13" if way == 13 else "shifted"),))
        else:
            yield from _reversed(folded)
    found = vocabulary.leet(data)
    if found:
        yield folded.form(_leet(data, found), ("leet",))
    if len(data) != len(folded.text):
        plain = _plain(folded.text)
        if plain != folded.text and vocabulary.count(plain.encode("utf-8", "replace")) > vocabulary.count(data):
            yield folded.form(plain, ("accents",))


def joined(folded: Reading, vocabulary: Vocabulary | None = None) -> list[Reading]:
    """Return what is spaced out in a text, letters put together; into words, where gaps or a vocabulary tell them."""
    parts: list[tuple[str, int, int]] = []
    data = folded.encoded
    at = character = 0
    for match in _SPACED.finditer(data):
        start, end = match.span(1)
        character += len(data[at:start].decode("utf-8", "replace"))
        at = start
        run = data[start:end].decode("utf-8", "replace")
        parts.append((_together(run, vocabulary), character, character + len(run)))
    return [folded.parts("spaced", parts)] if parts else []


def _together(run: str, vocabulary: Vocabulary | None) -> str:
    letters = [place for place, character in enumerate(run) if character.isalnum()]
    gaps = [later - earlier for earlier, later in pairwise(letters)]
    if max(gaps) > min(gaps):
        narrow = min(gaps)
        words = (run[at] + (" " if gap > narrow else "") for at, gap in zip(letters, (*gaps, 0), strict=True))
        return "".join(words)
    tight = "".join(run[at] for at in letters)
    return tight if vocabulary is None else vocabulary.apart(tight)


def _reversed(folded: Reading) -> Iterator[Reading]:
    """Yield a text read from its end, and with each word read from its end."""
    text = folded.text
    length = len(text)
    yield folded.form(
        text[::-1],
        ("reversed",),
        Offsets(lambda: (*range(length - 1, -1, -1), 0)),
        Offsets(lambda: range(length, 0, -1)),
    )
    words = re.split(r"(\s+)", text)
    turned = [word[::-1] for word in words]
    starts: list[int] = []
    ends: list[int] = []

    def spans() -> None:
        at = 0
        for word in words:
            starts.extend([at] * len(word))
            ends.extend([at + len(word)] * len(word))
            at += len(word)
        starts.append(length)

    def begin() -> Sequence[int]:
        if not starts:
            spans()
        return starts

    def until() -> Sequence[int]:
        begin()
        return ends

    yield folded.form("".join(turned), ("reversed",), Offsets(begin), Offsets(until))


def _leet(data: bytes, found: Sequence[tuple[int, int, bytes]]) -> str:
    """Return a text with its leet read: known words as they are, the rest letter by letter."""
    read = bytearray(data)
    for match in _LEET_WORD.finditer(data):
        start, end = match.span()
        read[start:end] = data[start:end].translate(_READ)
    for start, end, word in found:
        read[start:end] = word
    return read.decode()


def _plain(text: str) -> str:
    """Return a text without accents on Latin letters, and with all look-alikes read."""
    if _LATIN.search(text):
        text = _LATIN.sub(lambda match: _STROKES.get(match[0]) or normalize("NFD", match[0])[0], text)
    return text.translate(LOOKS) if _ASTRAY.search(text) else text
