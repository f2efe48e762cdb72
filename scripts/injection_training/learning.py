"""Learning: windows of texts become sets of n-grams, and a logistic regression weighs them.

Its penalty is L2, which spreads what an attack says over all its words and word pairs; L1 was tried: a tenth of the
n-grams found as much, but rested on single words that mislead in texts of other kinds. The n-grams that say most are
kept, so that the model is small and one pass finds all that count. Windows of innocent texts that a first model takes
for attacks are learnt from in a second round (hard negatives). Of a long attack only the windows count that look like
one, and its worst, since most of it may be harmless.
"""

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from airside.guards.injection.classifier.words import BLOCK_BYTES, read
from airside.guards.normalise.readings import Readings
from scripts.injection_training.sources import Text

WINDOWS_PER_TEXT: Final = 12
WORD_CHARACTERS_MAX: Final = 24
STEM_CHARACTERS: Final = 5
SINGLE_WORD: Final = 0.3
"""How loudly one word speaks beside two or three together: single words mislead most on texts of another kind."""

UNSPACED: Final = 0.7
ATTACKS_MIN: Final = 4
WINDOWS_MIN: Final = 40
NGRAMS_MAX: Final = 30_000
COMMON: Final = 300  # windows; what is in more of them says no more for that
WEIGHT_MIN: Final = 0.02
MINED_PER_ROUND: Final = 12_000
UNLIKE_AN_ATTACK: Final = 0.0
_UNSPACED: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")


class Learnt(NamedTuple):
    """A model: the n-grams with their weights, and the log-odds of a window without any."""

    weights: dict[str, float]
    bias: float


def windows(text: str) -> list[bytes]:
    """Return the windows of a text as the product cuts them."""
    words = read(Readings(text).folded.text)
    count = max(1, -(-len(words) // BLOCK_BYTES) - 1)
    return [words[at * BLOCK_BYTES : (at + 2) * BLOCK_BYTES] for at in range(count)]


def ngrams(window: bytes) -> dict[str, float]:
    """Return one to three words together, beginnings of words, and runs of script without spaces; with loudness."""
    found: dict[str, float] = {}
    tokens = window.decode("utf-8", "ignore").split()
    for at, token in enumerate(tokens):
        runs = _UNSPACED.findall(token)
        if runs or len(token) > WORD_CHARACTERS_MAX:
            for run in runs:
                for size in (2, 3, 4, 5):
                    found.update(dict.fromkeys((run[k : k + size] for k in range(len(run) - size + 1)), UNSPACED))
            continue
        found[f" {token} "] = SINGLE_WORD
        if len(token) >= STEM_CHARACTERS:
            found[f" {token[:STEM_CHARACTERS]}"] = SINGLE_WORD
        if at + 1 < len(tokens):
            found[f" {token} {tokens[at + 1]} "] = 1.0
        if at + 2 < len(tokens):
            found[f" {token} {tokens[at + 1]} {tokens[at + 2]} "] = 1.0
    return found


class Sample(NamedTuple):
    """A window to learn from."""

    ngrams: dict[str, float]
    attack: bool
    text: int


def samples(texts: Sequence[Text], rng: random.Random) -> list[Sample]:
    """Return windows of texts: the first of attacks, any of innocent ones."""
    found = []
    for number, text in enumerate(texts):
        cut = windows(text.text)
        if len(cut) > WINDOWS_PER_TEXT:
            cut = cut[:WINDOWS_PER_TEXT] if text.attack else rng.sample(cut, WINDOWS_PER_TEXT)
        found += [Sample(ngrams(window), text.attack, number) for window in cut]
    return found


def learn(texts: Sequence[Text], pool: Iterable[str], penalty: float, rounds: int, seed: int) -> Learnt:
    """Return a model of texts; `pool` are more innocent texts, of which only those that mislead are learnt from."""
    rng = random.Random(seed)
    known = samples(texts, rng)
    spare = [ngrams(window) for text in pool for window in windows(text)]
    model = _fit(known, penalty, seed)
    for number in range(rounds):
        worst: dict[int, tuple[float, int]] = {}
        scores = [score(model, sample.ngrams) for sample in known]
        for at, sample in enumerate(known):
            if sample.attack:
                worst[sample.text] = max(worst.get(sample.text, (scores[at], at)), (scores[at], at))
        tops = {at for _, at in worst.values()}
        kept = [
            sample
            for at, sample in enumerate(known)
            if not sample.attack or at in tops or scores[at] > UNLIKE_AN_ATTACK
        ]
        misleading = sorted(range(len(spare)), key=lambda at: -score(model, spare[at]))[:MINED_PER_ROUND]
        mined = [Sample(spare[at], False, -1) for at in misleading if score(model, spare[at]) > model.bias]
        chosen = set(misleading)
        spare = [one for at, one in enumerate(spare) if at not in chosen]
        known = kept + mined
        model = _fit(known, penalty, seed)
        print(f"round {number + 1}: {len(known)} windows, {len(mined)} mined, {len(model.weights)} n-grams", flush=True)
    return model


def _fit(known: Sequence[Sample], penalty: float, seed: int) -> Learnt:
    attacks, innocents = Counter[str](), Counter[str]()
    for sample in known:
        (attacks if sample.attack else innocents).update(sample.ngrams.keys())
    kept = {one for one, count in attacks.items() if count >= ATTACKS_MIN}
    kept |= {one for one, count in innocents.items() if count >= WINDOWS_MIN}
    column = {one: at for at, one in enumerate(sorted(kept))}
    rows: list[int] = [0]
    columns: list[int] = []
    values: list[float] = []
    for sample in known:
        for one, loudness in sample.ngrams.items():
            if one in column:
                columns.append(column[one])
                values.append(loudness)
        rows.append(len(columns))
    matrix: Any = sparse.csr_matrix((np.array(values, np.float64), columns, rows), shape=(len(known), len(column)))
    found = LogisticRegression(C=penalty, solver="liblinear", max_iter=100, tol=1e-3, random_state=seed)
    found.fit(matrix, np.array([sample.attack for sample in known]))
    weights = {name: float(weight) * _loudness(name) for name, weight in zip(column, found.coef_[0], strict=True)}
    telling = sorted(weights, key=lambda one: -abs(weights[one]) * min(attacks[one] + innocents[one], COMMON) ** 0.5)
    return Learnt(
        {one: weights[one] for one in telling[:NGRAMS_MAX] if abs(weights[one]) >= WEIGHT_MIN},
        float(found.intercept_[0]),
    )


def _loudness(ngram: str) -> float:
    if " " not in ngram:
        return UNSPACED
    return 1.0 if " " in ngram.strip() else SINGLE_WORD


def score(model: Learnt, found: Iterable[str]) -> float:
    """Return the log-odds of a window."""
    return model.bias + sum(model.weights.get(one, 0.0) for one in found)
