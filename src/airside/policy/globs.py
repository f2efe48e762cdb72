"""Patterns of text: `*` is any text, `?` any character, everything else itself. Matching takes linear time.

A text that fits only once look-alikes are read as what they look like cannot be told: it fits no allowing rule, and it
does not get past one that asks or denies.
"""

import re
import unicodedata
from functools import lru_cache

from airside.policy.truth import Truth

_LOOK_ALIKES = str.maketrans(
    # Cyrillic and Greek letters that most fonts draw like Latin ones, after case folding.
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0455\u0456\u0458\u0501\u051b\u051d"
    "\u04bb\u0491\u03b1\u03b5\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u0131\u0261\u217c",
    "abekmhopctyxsijdqwhraeikvoptuxigl",
)


class Glob:
    """One pattern."""

    __slots__ = ("_first", "_last", "_middle", "_starred", "folded", "text")

    def __init__(self, text: str, *, folded: bool = False) -> None:
        pieces = re.split(r"\*+", text)
        self.text = text
        self._starred = len(pieces) > 1
        self._first = _compiled(pieces[0])
        self._last = _compiled(pieces[-1]), len(pieces[-1])
        self._middle = tuple(_compiled(piece) for piece in pieces[1:-1] if piece)
        self.folded = None if folded else Glob(fold(text), folded=True)

    def fits(self, text: str) -> bool:
        """Whether a text is exactly what the pattern says.

        The pieces between stars are found leftmost first, each once, so that no text makes this slow.
        """
        if not self._starred:
            return self._first.fullmatch(text) is not None
        start = self._first.match(text)
        pattern, length = self._last
        stop = len(text) - length
        if start is None or stop < start.end() or pattern.fullmatch(text, stop) is None:
            return False
        at = start.end()
        for piece in self._middle:
            found = piece.search(text, at, stop)
            if found is None:
                return False
            at = found.end()
        return True

    def told(self, text: str) -> Truth:
        """Whether a text fits; None if only what it looks like does."""
        if self.fits(text):
            return True
        return None if self.folded is not None and self.folded.fits(fold(text)) else False


class Globs:
    """Several patterns, of which one must fit."""

    __slots__ = ("_plain", "globs")

    def __init__(self, texts: tuple[str, ...]) -> None:
        self.globs = tuple(map(_glob, texts))
        self._plain = all(text == fold(text) for text in texts)

    def told(self, text: str) -> Truth:
        """Whether a text fits any; None if only what it looks like does."""
        if any(glob.fits(text) for glob in self.globs):
            return True
        looks = fold(text)
        if self._plain and looks == text:
            return False  # neither looks like anything else
        return None if any(glob.folded is not None and glob.folded.fits(looks) for glob in self.globs) else False


@lru_cache(maxsize=20_000)
def fold(text: str) -> str:
    """Return what a text looks like: compatibility forms, case, invisible characters and look-alikes undone."""
    if text.isascii():
        return text.casefold()
    wide = unicodedata.normalize("NFKC", text).casefold()
    seen = "".join([character for character in wide if unicodedata.category(character) not in {"Cf", "Mn", "Cc"}])
    return unicodedata.normalize("NFKC", seen).translate(_LOOK_ALIKES)


@lru_cache(maxsize=20_000)
def _glob(text: str) -> Glob:
    return Glob(text)


@lru_cache(maxsize=20_000)
def _compiled(piece: str) -> re.Pattern[str]:
    return re.compile(re.escape(piece).replace(r"\?", "."), re.DOTALL)
