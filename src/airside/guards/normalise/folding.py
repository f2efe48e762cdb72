"""A text without disguise: NFKC, casefolded, without what is not seen, look-alikes as what they look like.

Linear: only runs of a character class are searched for, and piles of marks are cut before normalisation, whose ordering
of them is quadratic. The way back to the text as it came is only computed when it is asked for.
"""

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple
from unicodedata import is_normalized, normalize

import re2

from airside.guards.normalise import characters as table
from airside.guards.normalise.reading import Offsets

SETTLING_MAX: Final = 4  # times that casefolding and normalising may undo one another
PILE_MAX: Final = 4  # marks on one character that are kept, of scripts that need marks
_SEEN_CONTROLS: Final = b"\t\n\v\f\r"
_CONTROLS: Final = bytes(code for code in (*range(32), 127) if code not in _SEEN_CONTROLS)

_SCRIPTS: Final = {
    "g": (table.GREEK, "\u0370-\u03ff\u1f00-\u1fff\u1d26"),
    "c": (table.CYRILLIC, "\u0400-\u052f\ua640-\ua69f"),
    "a": (table.ARMENIAN, "\u0530-\u058f"),
    "k": (table.GEORGIAN, "\u10a0-\u10ff"),
}
LOOKS: Final = {ord(c): to for (froms, tos), _ in _SCRIPTS.values() for c, to in zip(froms, tos, strict=True)}
_CAPITALS: Final = {ord("Ν"): "n", ord("Η"): "h", ord("Υ"): "y", ord("Μ"): "m"}
_WIDE: Final = {0xFDFA: 0xFFFD, 0xFDFB: 0xFFFD}
_SAME: Final = {ord(c): to for c, to in zip(*table.ALWAYS, strict=True)}


class _Classes(NamedTuple):
    """Classes of characters. Those of beyond U+FFFF are slow to look for, and only done where a text has such."""

    notable: re.Pattern[str]
    unseen: re.Pattern[str]
    piled: re.Pattern[str]
    joining: re.Pattern[str]


def _classes(planes: int) -> _Classes:
    unseen, piling, joining = ("".join(kind[:planes]) for kind in (table.INVISIBLE, table.PILING, table.JOINING))
    notable = re.compile(f"[{unseen}{piling}{table.MARKS[0]}]")
    return _Classes(notable, re.compile(f"[{unseen}]+"), re.compile(f"[{piling}]{{3,}}"), re.compile(f"[{joining}]"))


_NEAR: Final = _classes(1)
_FAR: Final = _classes(2)
_STRANGE: Final = re.compile("[^\x00-\x7f]+")
_BEYOND: Final = re.compile("[\U00010000-\U0010ffff]")
_MARKS: Final = re.compile(f"[{table.MARKS[0]}]+")
_LOW_SAME: Final = "".join(re.escape(character) for character in table.ALWAYS[0] if ord(character) <= 0xFFFF)
_ALWAYS: Final = re.compile(f"[{_LOW_SAME}\U00010000-\U0010ffff]+")

_BLOCKS: Final = "".join(block for _, block in _SCRIPTS.values())
_FOREIGN: Final = re.compile(f"[{_BLOCKS}]")
_SPOKEN: Final = re.compile(f"(?![{''.join(map(chr, LOOKS))}])[{_BLOCKS}]")


def _seam() -> str:
    """Return an expression for a letter of one script with a letter of another after it."""
    after = {"a-z": _BLOCKS} | {
        block: "a-z" + "".join(other for _, other in _SCRIPTS.values() if other != block)
        for _, block in _SCRIPTS.values()
    }
    return "|".join(f"[{block}][{others}]" for block, others in after.items())


_SEAM: Final = re2.compile(_seam())
# a word is only entered at its beginning and never left again: linear on any text
_FOREIGN_WORD: Final = re.compile(f"(?<![a-z0-9{_BLOCKS}])[a-z0-9]*+[{_BLOCKS}][a-z0-9{_BLOCKS}]*+")
_ONE_SCRIPT: Final = re.compile("|".join(f"[0-9{block}]*+" for _, block in _SCRIPTS.values()))
_CAPITAL: Final = re.compile(f"[{''.join(map(chr, _CAPITALS))}](?=[A-Z])|(?<=[A-Z])[{''.join(map(chr, _CAPITALS))}]")


def fold(text: str) -> tuple[str, Sequence[int] | None]:
    """Return a text without disguise, and where each of its characters begins in the text; None: nothing moved."""
    if text.isascii():
        if len(text.encode().translate(None, _CONTROLS)) == len(text):
            return text.casefold(), None
        return _visible(text, _NEAR).casefold(), Offsets(lambda: _starts(text))
    text = _narrow(text)
    classes = _FAR if _BEYOND.search(text) else _NEAR
    notable = classes.notable.search(text) is not None
    normal = normalize("NFKC", _visible(text, classes) if notable else text)
    if any(chr(capital) in normal for capital in _CAPITALS):
        normal = _CAPITAL.sub(lambda match: _CAPITALS[ord(match[0])], normal)
    folded = normal.casefold()
    moved = notable or normal != text or len(folded) != len(text)
    if notable or (moved and _MARKS.search(folded)) or not is_normalized("NFKC", folded):
        folded, moved = _settled(normal), True
    return _alike(folded), Offsets(lambda: _starts(text)) if moved else None


def clear(text: str) -> tuple[str, Sequence[int] | None]:
    """Return a text without what is not seen and in NFKC, with its case; None: nothing moved."""
    if text.isascii():
        if len(text.encode().translate(None, _CONTROLS)) == len(text):
            return text, None
        return _visible(text, _NEAR), Offsets(lambda: _starts(text, case=True))
    text = _narrow(text)
    classes = _FAR if _BEYOND.search(text) else _NEAR
    notable = classes.notable.search(text) is not None
    cleared = normalize("NFKC", _visible(text, classes) if notable else text)
    return (cleared, None) if cleared == text else (cleared, Offsets(lambda: _starts(text, case=True)))


def _narrow(text: str) -> str:
    """Return a text without the two ligatures that stand for whole sentences: it would grow eighteen times."""
    return text.translate(_WIDE) if "\ufdfa" in text or "\ufdfb" in text else text


def _visible(text: str, classes: _Classes) -> str:
    """Return a text without what is not seen, and with few marks on one character."""
    return classes.piled.sub(_low, classes.unseen.sub("", text))


def _low(pile: re.Match[str]) -> str:
    """Return what is kept of a pile: nothing of marks that only decorate, few of those that scripts need."""
    return _MARKS.sub("", pile[0])[:PILE_MAX]


def _settled(text: str) -> str:
    """Return a text casefolded, normal, and without marks that did not compose."""
    for _ in range(SETTLING_MAX):
        settled = normalize("NFKC", _MARKS.sub("", normalize("NFKC", text)).casefold())
        if settled == text:
            break
        text = settled
    return text


def _alike(folded: str) -> str:
    """Return a folded text with look-alikes as what they look like, character by character."""
    folded = _ALWAYS.sub(lambda match: match[0].translate(_SAME), folded)
    if not _FOREIGN.search(folded):
        return folded
    spoken = _SPOKEN.search(folded) is not None
    if spoken and not _SEAM.search(folded.encode("utf-8", "replace")):
        return folded

    def plain(match: re.Match[str]) -> str:
        """Return a word that only pretends to be of its script, read; any other as it is."""
        word = match[0]
        read = word.translate(LOOKS)
        return read if read.isascii() and not (spoken and _ONE_SCRIPT.fullmatch(word)) else word

    return _FOREIGN_WORD.sub(plain, folded)


def _starts(text: str, *, case: bool = False) -> Iterable[int]:
    """Return where each character of the folded text begins: unit by unit, since units are folded independently.

    With `case`, of the text that is clear only.
    """
    text = _narrow(text)
    kept = array("i", _kept(text))
    visible = _visible(text, _FAR)
    starts = array("i")
    at = 0
    for run in _STRANGE.finditer(visible):
        begin = max(at, run.start() - 1)  # what stands before may be one with it
        starts.extend(kept[at:begin])
        starts.extend(_units(visible, begin, run.end(), kept, case))
        at = run.end()
    starts.extend(kept[at:])
    starts.append(len(text))
    return starts


def _units(visible: str, begin: int, end: int, kept: Sequence[int], case: bool) -> Iterable[int]:
    """Return where characters begin that a stretch is folded to."""
    run = visible[begin:end]
    if not _FAR.joining.search(run) and not _MARKS.search(run):
        folded = normalize("NFKC", run) if case else _settled(run)
        if len(folded) == len(run):  # nothing shrinks here, so that nothing grows either
            return kept[begin:end]
    return _by_unit(visible, begin, end, kept, case)


def _by_unit(visible: str, begin: int, end: int, kept: Sequence[int], case: bool) -> Iterator[int]:
    for until in range(begin + 1, end + 1):
        if until == end or not _FAR.joining.match(visible, until):
            unit = visible[begin:until]
            for _ in normalize("NFKC", unit) if case else _settled(unit):
                yield kept[begin]
            begin = until


def _kept(text: str) -> Iterator[int]:
    """Yield where the characters stand that are visible, as `_visible` keeps them."""
    seen = array("i", _outside(text, _FAR.unseen))
    visible = _FAR.unseen.sub("", text)
    at = 0
    for pile in _FAR.piled.finditer(visible):
        yield from seen[at : pile.start()]
        needed = islice(_outside(pile[0], _MARKS), PILE_MAX)
        yield from (seen[pile.start() + place] for place in needed)
        at = pile.end()
    yield from seen[at:]


def _outside(text: str, runs: re.Pattern[str]) -> Iterator[int]:
    at = 0
    for run in runs.finditer(text):
        yield from range(at, run.start())
        at = run.end()
    yield from range(at, len(text))
