"""The labelled prompts of bench-routing: was the weak model right, was the strong one, what would each have cost."""

import csv
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from airside.gateways.models.routing.features import Features, Seen, features

WEAK, STRONG = "mixtral-8x7b", "gpt-4-1106"
FIELD_BYTES_MAX = 1_048_576
BYTES_PER_TOKEN = 4
LETTER_TOKENS = 1  # an answer to a multiple-choice question
_DOLLARS_PER_MTOK = {WEAK: (0.60, 0.60), STRONG: (10.0, 30.0)}  # input, output
_TRUTH = {"True": 1.0, "False": 0.0}


class Prompt(Struct, frozen=True):
    """One question: its domain, its features, whether each model was right (1.0 or 0.0), and what each costs (USD)."""

    domain: str
    features: Features
    weak: float
    strong: float
    weak_usd: float
    strong_usd: float


def mmlu(folder: Path) -> list[Prompt]:
    """Return the questions of every `mmlu_DOMAIN.csv` in a folder; the answer is a letter, one token."""
    return [
        _prompt(file.stem.removeprefix("mmlu_"), text, weak, strong, LETTER_TOKENS, LETTER_TOKENS)
        for file in sorted(folder.glob("mmlu_*.csv"))
        for text, weak, strong, *_ in _rows(file)
    ]


def gsm8k(file: Path) -> list[Prompt]:
    """Return the sums of a GSM8K file, which has the models' answers too: their tokens are counted."""
    return [
        _prompt("gsm8k", text, weak, strong, _tokens(answers[0]), _tokens(answers[1]))
        for text, weak, strong, *answers in _rows(file)
    ]


def _rows(file: Path) -> Iterator[list[str]]:
    csv.field_size_limit(FIELD_BYTES_MAX)
    with file.open(newline="", encoding="utf-8") as lines:
        reader = csv.reader(lines)
        next(reader)
        yield from reader


def _prompt(domain: str, text: str, weak: str, strong: str, weak_tokens: int, strong_tokens: int) -> Prompt:
    size = _tokens(text)
    return Prompt(
        domain,
        features(Seen(text)),
        _TRUTH[weak],
        _TRUTH[strong],
        _usd(WEAK, size, weak_tokens),
        _usd(STRONG, size, strong_tokens),
    )


def _tokens(text: str) -> int:
    return len(text.encode()) // BYTES_PER_TOKEN + 1


def _usd(model: str, input_tokens: int, output_tokens: int) -> float:
    per_input, per_output = _DOLLARS_PER_MTOK[model]
    return (input_tokens * per_input + output_tokens * per_output) / 1e6
