"""Leaks of the system prompt: how many are noticed, however they are written, and what else is taken for one.

The prompts are the policies of two support agents (tau2-bench, MIT) and one of a few of their sentences; ordinary texts
are those agents' tasks, benign prompts full of trigger words (InjecGuard, MIT) and the pages of this project.
"""

import base64
import json
import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from airside.guards.leakage import similarity
from airside.guards.normalise.readings import Readings

POLICIES = ("retail/policy.md", "telecom/main_policy.md", "telecom/tech_support_manual.md")
QUOTATIONS = 200
SENTENCES = 12
DOCS = Path(__file__).parents[2] / "docs"


def figures(data: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the share of leaks that are noticed, by disguise, and false alarms."""
    if not (data / "tau2").is_dir():
        yield {"figure": "guards.leakage_found", "value": None, "how": f"no data in {data}"}
        return
    prompts = [(data / "tau2" / name).read_text() for name in POLICIES]
    prompts.append(" ".join(_sentences(prompts[0])[:SENTENCES]))
    found = {how: sum(_leaks(prompt, text) for prompt, text in given) for how, given in _given_away(prompts).items()}
    tried = len(prompts) * len(found)
    yield {"figure": "guards.leakage_found", "value": round(sum(found.values()) / tried, 3), "n": tried, "by": found}
    ordinary = list(_ordinary(data))
    alarms = sum(_leaks(prompt, text) for prompt in prompts for text in ordinary)
    yield {"figure": "guards.leakage_false", "value": alarms, "unit": "texts", "n": len(ordinary) * len(prompts)}
    quoted = list(_quotations(prompts))
    alarms = sum(_leaks(prompt, text) for prompt, text in quoted)
    yield {"figure": "guards.leakage_quotations_flagged", "value": alarms, "unit": "texts", "n": len(quoted)}


def _leaks(prompt: str, text: str) -> bool:
    return bool(similarity([prompt], Readings(text)))


def _sentences(text: str) -> list[str]:
    return [one.strip() for one in re.split(r"(?<=[.!?])\s+|\n+", text) if 5 < len(one.split()) < 60]


def _given_away(prompts: list[str]) -> Mapping[str, list[tuple[str, str]]]:
    order = random.Random(1)
    ways: Mapping[str, Any] = {
        "whole": str,
        "half": lambda prompt: prompt[: len(prompt) // 2],
        "in another order": lambda prompt: " ".join(order.sample(_sentences(prompt), len(_sentences(prompt)))),
        "every eighth word changed": lambda prompt: " ".join(
            "so" if at % 8 == 0 else word for at, word in enumerate(prompt.split())
        ),
        "capitals": str.upper,
        "a list": lambda prompt: "\n".join(f"{at}. **{one}**" for at, one in enumerate(_sentences(prompt))),
        "base64": lambda prompt: base64.b64encode(prompt.encode()).decode(),
    }
    return {how: [(prompt, f"Sure! {way(prompt)}") for prompt in prompts] for how, way in ways.items()}


def _ordinary(data: Path) -> Iterator[str]:
    for name in ("retail/tasks.json", "telecom/tasks_small.json"):
        yield from (json.dumps(task) for task in json.loads((data / "tau2" / name).read_text()))
    yield from (one["prompt"] for one in json.loads((data / "guards" / "notinject_one.json").read_text()))
    yield from (page.read_text() for page in sorted(DOCS.glob("*.md")))


def _quotations(prompts: list[str]) -> Iterator[tuple[str, str]]:
    order = random.Random(2)
    for prompt in prompts:
        sentences = _sentences(prompt)
        for count in (1, 2):
            for _ in range(QUOTATIONS):
                at = order.randrange(len(sentences) - count + 1)
                yield prompt, f"Our policy says: {' '.join(sentences[at : at + count])} Can I do anything else for you?"
