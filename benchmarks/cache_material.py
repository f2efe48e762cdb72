"""Questions for the cache benchmark: hand-written groups, rules that bend a question, and real prompts.

`cache_questions/*.txt` holds 100 groups over five domains: a question (`=`), four rewordings (`+`) and five questions
that look alike and have another answer (`-`). They were written before the verifier. Half of the groups, by a hash of
the question, was looked at while its rules were written (`tuning`); the other half is what is reported.
"""

import csv
import hashlib
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

FOLDER = Path(__file__).parent / "cache_questions"

_NAMES = ("Spain", "Kenya", "Toyota", "Chicago", "Oracle", "Portugal", "Samsung", "Bolivia")
_PAIRS = (
    "before after, with without, increase decrease, cheapest fastest, cheapest dearest, best worst, first last, "
    "minimum maximum, enable disable, open close, turn on~turn off, buy sell, to from, above below, over under, "
    "safe unsafe, long short, high low, early late, most least, always never, more less, start stop, import export, "
    "today tomorrow, yesterday today, Monday Tuesday, January June, weekends weekdays, days hours, dollar euro, "
    "Celsius Fahrenheit, USD GBP, mother father, increase reduce, raise lower, install uninstall, upload download, "
    "lend borrow, win lose, push pull, all some, any every, must may, read write, arrive depart, child adult"
)
_OPPOSITES = tuple(tuple(pair.strip().split("~" if "~" in pair else " ")) for pair in _PAIRS.split(","))
_TRANSLATED = (
    ("How do I reset my password?", "¿Cómo puedo restablecer mi contraseña?"),
    ("How do I cancel my subscription?", "Wie kann ich mein Abonnement kündigen?"),
    ("What is compound interest?", "Qu'est-ce que les intérêts composés ?"),
    ("What are the symptoms of diabetes?", "¿Cuáles son los síntomas de la diabetes?"),
    ("Is the museum open on Mondays?", "Ist das Museum montags geöffnet?"),
    ("When will I get my refund?", "Quand vais-je recevoir mon remboursement ?"),
    ("How do I delete my account?", "Come posso eliminare il mio account?"),
    ("Do I need a visa for Japan?", "Preciso de visto para o Japão?"),
    ("How do I exit vim?", "Wie beende ich vim?"),
    ("What is an index fund?", "¿Qué es un fondo indexado?"),
    ("Is breakfast included in the room price?", "Le petit-déjeuner est-il inclus dans le prix de la chambre ?"),
    ("What is a race condition?", "什么是竞态条件？"),
)


class Group(Struct, frozen=True):
    """A question, what means the same, and what does not."""

    question: str
    same: tuple[str, ...]
    other: tuple[str, ...]
    domain: str

    @property
    def tuning(self) -> bool:
        """Whether the verifier's rules may have been written with this group in view."""
        return hashlib.sha256(self.question.encode()).digest()[0] % 2 == 0


def groups() -> list[Group]:
    """Return the hand-written groups."""
    found = []
    for file in sorted(FOLDER.glob("*.txt")):
        for block in file.read_text().split("\n= "):
            lines = block.removeprefix("= ").splitlines()
            same = tuple(line[2:] for line in lines[1:] if line.startswith("+ "))
            other = tuple(line[2:] for line in lines[1:] if line.startswith("- "))
            found.append(Group(lines[0], same, other, file.stem))
    return found


def bent(question: str) -> Iterator[tuple[str, str]]:
    """Yield near-misses of a question that rules can make, each with the kind of change."""
    for number in re.finditer(r"(?<![\d.,])[1-9]\d*(?![\d,]*\.\d)", question):
        value = int(number[0])
        for other in (value + 1, value * 10, value + 100):
            yield "number", question[: number.start()] + str(other) + question[number.end() :]
    for left, right in _OPPOSITES:
        for here, there in ((left, right), (right, left)):
            changed = re.sub(rf"\b{here}\b", there, question)
            if changed != question:
                yield "opposite", changed
    swap = re.sub(r"\bfrom (\w+) to (\w+)", r"from \2 to \1", question)
    swap = swap if swap != question else re.sub(r"\b(\w+) to ([A-Z]\w+)", r"\2 to \1", question)
    if swap != question:
        yield "direction", swap
    yield from _negated(question)
    yield from _renamed(question)
    for there, here in ((" am", " pm"), (" pm", " am")):
        if re.search(rf"\d{there}\b", question):
            yield "time", re.sub(rf"(\d){there}\b", rf"\1{here}", question)
    start = question[:1].lower() + question[1:]
    for asked, instead in (("How do I", "Why do I"), ("When", "Where"), ("Why", "How"), ("What", "Who"), ("Is", "Was")):
        if question.startswith(asked + " "):
            yield "question", instead + question[len(asked) :]
    yield "added", question.rstrip("?.") + " for my grandmother?"
    yield "added", f"If I am under 18, {start}"
    yield "added", question.rstrip("?.") + " except on Sundays?"
    yield "invisible", question[:5] + "\u200b" + question[5:]
    yield "homoglyph", question.replace("o", "\u043e", 1)


def _negated(question: str) -> Iterator[tuple[str, str]]:
    changed = re.sub(
        r"\b(is|are|can|do|does|should|will|did|was) (I |you |the |my |a |an |it |tap |vitamin )?(\w+)",
        r"\1 \2not \3",
        question,
        count=1,
        flags=re.IGNORECASE,
    )
    if changed != question:
        yield "negation", changed


def _renamed(question: str) -> Iterator[tuple[str, str]]:
    for name in list(re.finditer(r"(?<=[a-z,] )[A-Z][a-zA-Z]+", question))[:2]:
        for other in _NAMES[:3]:
            if other != name[0]:
                yield "entity", question[: name.start()] + other + question[name.end() :]


def translated() -> list[tuple[str, str]]:
    """Return questions with their translations: an answer in another language is a wrong one."""
    return list(_TRANSLATED)


def reworded(question: str) -> Iterator[str]:
    """Yield rewordings that rules can make: courtesies, contractions, another way to begin."""
    start = question[:1].lower() + question[1:]
    yield f"Hi, {start} Thanks!"
    yield f"Could you please tell me: {start}"
    yield question.rstrip("?.")
    if question.startswith("How do I "):
        rest = question[9:].rstrip("?")
        yield f"What is the best-known way to {rest}?".replace("best-known ", "")
        yield f"What do I need to do to {rest}?"
    if question.startswith("What is "):
        yield question.replace("What is", "What's", 1)


def real_prompts(data: Path) -> list[str]:
    """Return prompts that other people wrote: exam questions, sums, and requests; short enough to be compared.

    Empty if there is no such folder.
    """
    if not data.exists():
        return []
    found: list[str] = []
    for file in sorted((data / "routing" / "mmlu").glob("*.csv")):
        with file.open(newline="") as rows:
            found += [row[0].split("\nA.")[0].strip() for row in csv.reader(rows)][1:]
    with (data / "routing" / "gsm8k_dev.csv").open(newline="") as rows:
        found += [row[0].strip() for row in csv.reader(rows)][1:]
    found += [row["prompt"] for row in json.loads((data / "guards" / "notinject_one.json").read_text())]
    random.Random(1).shuffle(found)
    return list(dict.fromkeys(prompt for prompt in found if 10 <= len(prompt) <= 350))
