"""Trains the injection classifier; prints what it learnt from, and how it does on what it did not learn from.

    python -m scripts.injection_training --packages VENV/lib/python3.11/site-packages [--write]

`--packages` is an environment with what requirements.training.lock names. The same packages, data and seed give the
same weights.
"""

import argparse
import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import zstandard
from sklearn.linear_model import LogisticRegression

from airside.guards.injection import classifier
from airside.guards.injection.classifier.model import WEIGHTS, Model, Weights, load
from airside.guards.injection.classifier.words import read
from airside.guards.normalise.readings import Readings
from scripts.injection_training import generated, held_out, learning, sources
from scripts.injection_training.sources import Text

SEED: Final = 1
GENERATED_ATTACKS: Final = 9_000
PENALTY: Final = 1.0
ROUNDS: Final = 1
HELD_PERCENT: Final = 15
UNIT: Final = 0.01
BY_LENGTH: Final = 0.3
SINGLE_WEIGHT_MAX: Final = 1.5
"""What one word may weigh: words that stand for attacks in one source mean nothing in another."""

FALSE_ALARMS_MAX: Final = 0.001
"""On innocent texts of the validation part. The mark is 0.003; texts of unseen kinds have more."""

ATTACKS_AMONG_TEXTS: Final = 0.01
"""How common attacks are taken to be where a probability is told."""


def held(text: Text) -> bool:
    """Whether a text is for validation: its group decides, so that near copies stand on one side."""
    name = hashlib.sha256(f"{text.source}/{text.group}".encode()).hexdigest()
    return text.held or int(name, 16) % 100 < HELD_PERCENT


def main() -> None:
    """Learn, choose, tell, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    tests = held_out.tests(given.packages, given.data)
    texts = gathered(given.packages, given.data, tests)
    validation = [text for text in texts if held(text)]
    pool = sources.pool(given.packages, random.Random(SEED), held)
    learnt = learning.learn([text for text in texts if not held(text)], pool, PENALTY, ROUNDS, SEED)
    weights = chosen(learnt, validation)
    tell_scores(Model(weights), validation, tests)
    data = zstandard.ZstdCompressor(level=19).compress(msgspec.json.encode(weights))
    print(json.dumps({"n-grams": len(weights.ngrams), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}))
    if given.write:
        load(data)
        Path(classifier.__file__).with_name(WEIGHTS).write_bytes(data)


def gathered(packages: Path, data: Path, tests: dict[str, list[tuple[str, bool]]]) -> list[Text]:
    """Return all texts, each once, without what is like a test's; prints where they come from."""
    every = [*sources.every(packages, data, SEED), *generated.every(GENERATED_ATTACKS, SEED)]
    kept, out = held_out.without_tests(every, (text for side in tests.values() for text, _ in side))
    once = list({tuple(held_out.words(text.text)) or (text.text,): text for text in kept}.values())
    counts = Counter((text.source, text.attack) for text in once)
    for source in sorted({text.source for text in every}):
        digest = hashlib.sha256(
            "\0".join(text.text for text in once if text.source == source).encode("utf-8", "replace")
        )
        told = {
            "source": source,
            "licence": sources.LICENCES[source],
            "attacks": counts[source, True],
            "innocent": counts[source, False],
            "like a test, taken out": out[source],
            "sha256": digest.hexdigest()[:16],
        }
        print(json.dumps(told), flush=True)
    return once


def chosen(learnt: learning.Learnt, validation: Sequence[Text]) -> Weights:
    """Return the model rounded, with the threshold and the probabilities that fit the validation part."""
    rounded = {ngram: round(_bounded(ngram, weight) / UNIT) for ngram, weight in sorted(learnt.weights.items())}
    names = [ngram for ngram, weight in rounded.items() if weight]
    weights = Weights(
        version=hashlib.sha256(json.dumps(rounded, sort_keys=True).encode()).hexdigest()[:12],
        bias=round(learnt.bias, 4),
        unit=UNIT,
        by_length=BY_LENGTH,
        flag_at=0.0,
        slope=1.0,
        offset=0.0,
        ngrams=tuple(names),
        weights=tuple(rounded[ngram] for ngram in names),
    )
    evidence = evidences(Model(weights), [text.text for text in validation])
    attack = np.array([text.attack for text in validation])
    share = attack.mean()
    importance = np.where(attack, ATTACKS_AMONG_TEXTS / share, (1 - ATTACKS_AMONG_TEXTS) / (1 - share))
    fitted = LogisticRegression(C=1e6).fit(evidence.reshape(-1, 1), attack, sample_weight=importance)
    return msgspec.structs.replace(
        weights,
        flag_at=round(float(np.quantile(evidence[~attack], 1 - FALSE_ALARMS_MAX, method="higher")) + UNIT, 2),
        slope=round(float(fitted.coef_[0][0]), 4),
        offset=round(float(fitted.intercept_[0]), 4),
    )


def _bounded(ngram: str, weight: float) -> float:
    alone = " " in ngram and " " not in ngram.strip()  # without any space: a run of script that has none
    return max(-SINGLE_WEIGHT_MAX, min(SINGLE_WEIGHT_MAX, weight)) if alone else weight


def evidences(model: Model, texts: Iterable[str]) -> Any:
    """Return the evidence in each text."""
    return np.array([model.worst(read(Readings(text).folded.text)).evidence for text in texts])


def tell_scores(model: Model, validation: Sequence[Text], tests: dict[str, list[tuple[str, bool]]]) -> None:
    """Print what is found, and wrongly found, in each source's validation part and in each test side."""
    sides = {
        f"validation, {source}": [(text.text, text.attack) for text in validation if text.source == source]
        for source in sorted({text.source for text in validation})
    }
    for name, side in {**sides, **{f"test, {name}": side for name, side in tests.items()}}.items():
        found = evidences(model, [text for text, _ in side]) >= model.flag_at
        attack = np.array([is_attack for _, is_attack in side])
        told: dict[str, Any] = {"side": name, "attacks": int(attack.sum()), "innocent": int((~attack).sum())}
        if attack.any():
            told["recall"] = round(float(found[attack].mean()), 4)
        if not attack.all():
            told["false alarms"] = int(found[~attack].sum())
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
