"""What a classifier sees of a prompt: its words and word pairs, hashed, and a few facts about its shape.

The vector is sparse and of length 1, so that long and short prompts weigh alike; repeated words count by the root of
their number. Hashes are CRC-32, the same in every process. Making a vector takes a few tenths of a millisecond at most,
because no more than HEAD_CHARS + TAIL_CHARS of a text are looked at. A fitted classifier names VERSION: with other
features its weights mean nothing.
"""

import re
from collections.abc import Iterable, Mapping
from math import log2, sqrt
from zlib import crc32

from msgspec import Struct

VERSION = "words-1"
BUCKETS = 1 << 16
KNOWN_BITS = 1 << 18
HEAD_CHARS = 2_400
TAIL_CHARS = 600
_MASK = BUCKETS - 1
_KNOWN_MASK = KNOWN_BITS - 1
_words = re.compile(r"\w+|[^\w\s]").findall
_digits = re.compile(r"\d").findall
_CODE = re.compile(r"```|\bdef |\bclass |\bimport |\bSELECT\b|[{};]\s*$|=>|#include|</\w+>", re.MULTILINE)

Vector = Mapping[int, float]


class Seen(Struct, frozen=True):
    """What is looked at: the text of the last turn of the user, and the shape of the conversation around it."""

    text: str
    turns: int = 1
    tools: int = 0
    structured: bool = False


class Features(Struct, frozen=True):
    """A prompt as the classifier takes it: its vector, and the hashes of its single words, to tell what is new."""

    vector: Vector
    words: frozenset[int]


def features(seen: Seen) -> Features:
    """Return the features of a prompt; an empty one has those of its shape."""
    text = excerpt(seen.text)
    words = [word.encode() for word in _words(text.lower())]
    counts: dict[int, int] = {}
    known: set[int] = set()
    before = b"^"
    for word in words:
        for name in (word, before + b" " + word):
            bucket = crc32(name) & _MASK
            counts[bucket] = counts.get(bucket, 0) + 1
        known.add(crc32(word) & _KNOWN_MASK)
        before = word
    for fact in _facts(seen, text):
        bucket = crc32(fact.encode()) & _MASK
        counts[bucket] = counts.get(bucket, 0) + 1
    norm = 1.0 / sqrt(sum(counts.values()))  # the squares of the roots of the counts
    return Features({bucket: sqrt(count) * norm for bucket, count in counts.items()}, frozenset(known))


def excerpt(text: str) -> str:
    """Return what is looked at of a text: its beginning and its end."""
    if len(text) <= HEAD_CHARS + TAIL_CHARS:
        return text
    return text[:HEAD_CHARS] + "\n" + text[-TAIL_CHARS:]


def _facts(seen: Seen, text: str) -> Iterable[str]:
    """Yield the shape as words that no text contains (they hold a tab)."""
    yield f"\tlength {int(2 * log2(len(seen.text) + 1))}"
    yield f"\tturns {min(seen.turns, 8)}"
    if seen.tools:
        yield f"\ttools {int(log2(seen.tools))}"
    if seen.structured:
        yield "\tstructured"
    if _CODE.search(text):
        yield "\tcode"
    yield f"\tdigits {int(10 * len(_digits(text)) / (len(text) + 1))}"
