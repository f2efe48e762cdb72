"""Whether an answer gives the system prompt away: how much of it stands there, in whatever encoding.

Source: Schleimer, Wilkerson and Aiken, "Winnowing: Local Algorithms for Document Fingerprinting" (2003): of the hashes
of every five words in a row, the least of each window is kept, so that eight words in common are always found. The
words are those of the folded text. A sentence or two in common are a quotation and no leak; so is a small part of a
long prompt, from which an agent is meant to answer.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from airside.guards.finding import Finding, Guard
from airside.guards.normalise.reading import Reading
from airside.guards.normalise.readings import Readings

RULE: Final = "system_prompt"
WORDS_MIN: Final = 40
"""Words in common that are no quotation any more."""

SHARE_MIN: Final = 0.4
"""Part of the system prompt that must stand in the answer,"""

WORDS_ANYWAY: Final = 250
"""unless so many words do."""

SHORT_WORDS_MIN: Final = 20
SHORT_SHARE_MIN: Final = 0.8
"""Of a short system prompt nearly all of it is one, if that is more than a sentence."""

TOLD_CHARS_MIN: Final = 64
"""Shorter answers hold no twenty words."""

SYSTEM_CHARS_MAX: Final = 262_144
_GRAM: Final = 5
_WINDOW: Final = 4
_GAP_CHARS: Final = 48  # that a window may leave between two fingerprints of one passage
_WORD: Final = re.compile(r"[^\W_\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|[^\W_]")


def similarity(system_texts: Sequence[str], readings: Readings) -> Sequence[Finding]:
    """Return where an answer gives system texts away; nothing if it does not. Time is linear in the answer.

    `score` is the share of the system text that stands there.
    """
    prompt = _prompt("\n".join(system_texts)[:SYSTEM_CHARS_MAX])
    if prompt.words < SHORT_WORDS_MIN:
        return ()
    return tuple(found for reading in (readings.folded, *readings.decoded) for found in _in(reading, prompt))


class _Prompt:
    """The fingerprints of a system text, and how many words it has."""

    def __init__(self, text: str) -> None:
        words = _WORD.findall(Readings(text).folded.text)
        grams = _grams(words)
        self.words = len(words)
        self.marks = frozenset(min(grams[at : at + _WINDOW]) for at in range(max(1, len(grams) - _WINDOW + 1)) if grams)


@lru_cache(maxsize=256)
def _prompt(text: str) -> _Prompt:
    return _Prompt(text)


def _in(reading: Reading, prompt: _Prompt) -> Iterator[Finding]:
    grams = _grams(_WORD.findall(reading.text))
    if prompt.marks.isdisjoint(grams):
        return
    words_at = [match.span() for match in _WORD.finditer(reading.text)]
    spans = [(words_at[at][0], words_at[at + _GRAM - 1][1]) for at, gram in enumerate(grams) if gram in prompt.marks]
    passages = list(_passages(spans))
    words = sum(len(_WORD.findall(reading.text, start, end)) for start, end in passages)
    share = min(1.0, words / prompt.words)
    much = words >= WORDS_ANYWAY or (words >= WORDS_MIN and share >= SHARE_MIN)
    if much or (words >= SHORT_WORDS_MIN and share >= SHORT_SHARE_MIN):
        start, end = reading.span(passages[0][0], passages[-1][1])
        yield Finding(
            guard=Guard.LEAKAGE, rule=RULE, kind=RULE, start=start, end=end, score=round(share, 3), via=reading.via
        )


def _passages(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the passages that fingerprints belong to."""
    begun, until = -1, -1
    for start, end in spans:
        if begun >= 0 and start <= until + _GAP_CHARS:
            until = max(until, end)
            continue
        if begun >= 0:
            yield begun, until
        begun, until = start, end
    if begun >= 0:
        yield begun, until


def _grams(words: Sequence[str]) -> list[int]:
    """Return a hash of every few words in a row; it is known in this process only."""
    return list(map(hash, zip(*[words[at:] for at in range(_GRAM)], strict=False)))
