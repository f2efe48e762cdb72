"""Finding the passages of long texts that answer a question: Okapi BM25 over overlapping windows of lines.

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with the usual k1 and b.
Pure, small and without an index: it searches what one run has kept, some megabytes at most.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

K1 = 1.5
B = 0.75
PASSAGE_CHARS = 600
TEXT_CHARS_MAX = 4_000_000
_WORD = re.compile(r"\w+")


class Passage(Struct, frozen=True):
    """A piece of a source text: where it begins (in characters), what it says, and how well it fits (0 = not)."""

    source: str
    start: int
    text: str
    score: float = 0.0


def cut(source: str, text: str, *, chars: int = PASSAGE_CHARS) -> list[Passage]:
    """Return a text in pieces of about `chars` characters that end where lines or words do; bounded by its limit."""
    text = text[:TEXT_CHARS_MAX]
    pieces, start = [], 0
    while start < len(text):
        end = _end(text, start, chars)
        pieces.append(Passage(source, start, text[start:end]))
        start = end
    return pieces


def best(question: str, passages: Sequence[Passage], *, count: int) -> list[Passage]:
    """Return the `count` best passages for a question, best first; those that share no word with it are left out."""
    wanted = set(_words(question))
    said = [list(_words(passage.text)) for passage in passages]
    bags = [Counter(word for word in words if word in wanted) for words in said]
    mean = sum(map(len, said)) / len(said) if said else 0.0
    holding = Counter(word for bag in bags for word in bag)  # in one pass: both texts may be as long as a body may be
    weights = {word: _rarity(count, len(bags)) for word, count in holding.items()}
    scored = [
        Passage(passage.source, passage.start, passage.text, _score(bag, len(words) / mean if mean else 1.0, weights))
        for passage, bag, words in zip(passages, bags, said, strict=True)
    ]
    found = sorted(scored, key=lambda passage: -passage.score)[:count]
    return [passage for passage in found if passage.score > 0]


def _score(bag: Counter[str], length: float, weights: dict[str, float]) -> float:
    """Return how well a passage fits by its words that were asked for; `length` is its share of the mean."""
    return sum(weights[word] * n * (K1 + 1) / (n + K1 * (1 - B + B * length)) for word, n in bag.items())


def _rarity(holding: int, all_passages: int) -> float:
    return math.log(1 + (all_passages - holding + 0.5) / (holding + 0.5))


def _words(text: str) -> Iterable[str]:
    return _WORD.findall(text.casefold())


def _end(text: str, start: int, chars: int) -> int:
    """Return where a piece that begins at `start` ends: at a line's end in its second half, else at a blank."""
    hard = start + chars
    if hard >= len(text):
        return len(text)
    for mark in ("\n", " "):
        found = text.rfind(mark, start + chars // 2, hard)
        if found >= 0:
            return found + 1
    return hard
