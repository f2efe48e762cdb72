"""Texts that we write ourselves: attacks, alone and inside documents, and innocent texts full of the same words.

The parts stand in phrases/*.txt, a file a language. A line is a pattern: `{a|b}` stands for a or b, `<name>` for a line
of the part of that name. Nothing of a test's texts went into them.
"""

import json
import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from scripts.injection_training.sources import Text

LANGUAGES: Final = ("en", "de", "fr", "es", "it", "pt", "ja", "zh", "ru", "ar")
_PART: Final = re.compile(r"<([a-z0-9]+)>")
_CHOICE: Final = re.compile(r"(?<!\\)\{([^{}]*)\}")
_BAR: Final = re.compile(r"(?<!\\)\|")
_DEPTH: Final = 12


@cache
def _parts(language: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    path = Path(__file__).with_name("phrases") / f"{language}.txt"
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        if line.startswith("[") and line.endswith("]") and line[1:-1].isidentifier():
            found[line[1:-1]] = []
        else:
            found[list(found)[-1]].append(line)
    return found


def phrase(language: str, part: str, rng: random.Random) -> str:
    """Return a text by a pattern of a part."""
    parts = _parts(language)
    text = f"<{part}>"
    for _ in range(_DEPTH):
        before = text
        text = _PART.sub(lambda found: rng.choice(parts[found[1]]) if found[1] in parts else found[0], text)
        text = _CHOICE.sub(lambda found: rng.choice(_BAR.split(found[1])), text)
        if text == before:
            break
    text = re.sub(r" +([.,!?])", r"\1", re.sub(r" {2,}", " ", text.replace("\\|", "|"))).strip()
    return re.sub(r"([.!?] +|^)([a-zà-ÿа-я])", lambda found: found[1] + found[2].upper(), text)


def attack(language: str, rng: random.Random) -> str:
    """Return an attack by itself, sometimes in capitals or without punctuation."""
    text = phrase(language, "attack", rng)
    style = rng.random()
    if style < 0.06:
        return text.upper()
    return text.lower().rstrip(".!") if style < 0.2 else text


def innocent(language: str, rng: random.Random) -> str:
    """Return an innocent text of one to four sentences."""
    return " ".join(phrase(language, "innocent", rng) for _ in range(rng.choice((1, 1, 1, 2, 3, 4))))


def email(body: str, rng: random.Random) -> str:
    """Return a text as an e-mail."""
    subject = phrase("en", "topic", rng)
    return (
        f"From: {rng.choice(_PEOPLE)}@firm.example\nTo: {rng.choice(_PEOPLE)}@client.example\nSubject: {subject}\n"
        f"Date: 2026-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}\n\n{rng.choice(('Hi', 'Dear', 'Hello'))} "
        f"{rng.choice(_PEOPLE).title()},\n\n{body}\n\n{rng.choice(('Best regards', 'Thanks', 'Kind regards'))},\n"
        f"{rng.choice(_PEOPLE).title()}"
    )


def record(body: str, rng: random.Random) -> str:
    """Return a text as a field of what a tool gives back."""
    field = rng.choice(("description", "notes", "comment", "body", "content", "bio", "review", "message", "title"))
    held = {
        "id": rng.randint(1, 99_999),
        "status": rng.choice(("open", "closed", "pending", "ok")),
        field: body,
        "author": rng.choice(_PEOPLE),
        "created_at": f"2026-03-{rng.randint(10, 28)}T{rng.randint(10, 23)}:00:00Z",
        "tags": [phrase("en", "topic", rng)],
    }
    return json.dumps(held, indent=rng.choice((None, 2)), ensure_ascii=False)


def ticket(body: str, rng: random.Random) -> str:
    """Return a text as a ticket."""
    return (
        f"Ticket #{rng.randint(100, 9_999)} [{rng.choice(('bug', 'question', 'billing'))}] "
        f"{phrase('en', 'topic', rng)}\nReporter: {rng.choice(_PEOPLE)}\nPriority: P{rng.randint(1, 4)}\n\n{body}\n\n"
        f"Steps to reproduce:\n1. Open the page\n2. {phrase('en', 'mild', rng)}\n"
    )


def code(body: str, rng: random.Random) -> str:
    """Return a text as a comment in code."""
    mark = rng.choice(("#", "//", "--"))
    name = rng.choice(("load", "override", "system_prompt", "ignore_errors", "run", "reset_password", "act_as_user"))
    return f"{mark} {body}\ndef {name}(self, previous, instructions=None):\n    return self.{name}_all(previous)\n"


def log(body: str, rng: random.Random) -> str:
    """Return a text among lines of a log."""
    lines = []
    for _ in range(rng.randint(2, 8)):
        at = f"2026-04-0{rng.randint(1, 9)} {rng.randint(10, 23)}:{rng.randint(10, 59)}:01"
        level, name = rng.choice(("INFO", "WARN", "ERROR")), rng.choice(("system", "auth", "worker", "prompt-service"))
        lines.append(f"{at} {level} {name}: {phrase('en', 'mildfact', rng)}")
    lines.insert(rng.randrange(len(lines)), f"2026-04-05 12:00:00 INFO user input: {body}")
    return "\n".join(lines)


def page(body: str, rng: random.Random) -> str:
    """Return a text as a paragraph of a page of documentation."""
    others = [innocent("en", rng) for _ in range(rng.randint(2, 6))]
    others.insert(rng.randrange(len(others) + 1), body)
    return f"# {phrase('en', 'topic', rng).title()}\n\n" + "\n\n".join(others)


def html(body: str, rng: random.Random) -> str:
    """Return a text inside a web page."""
    hidden = rng.choice(("", ' style="display:none"', ' class="note"'))
    before = f"<h1>{phrase('en', 'topic', rng)}</h1><p>{innocent('en', rng)}</p>"
    return f"<html><body>{before}<div{hidden}>{body}</div></body></html>"


def plain(body: str, _: random.Random) -> str:
    """Return a text as it is."""
    return body


_PEOPLE: Final = (
    "anna",
    "bob",
    "chen",
    "dmitri",
    "emma",
    "fatima",
    "george",
    "hiroshi",
    "ines",
    "jan",
    "kofi",
    "lucia",
)
_CARRIERS: Final[tuple[Callable[[str, random.Random], str], ...]] = (email, record, ticket, code, log, page, html)


def every(count: int, seed: int) -> list[Text]:
    """Return that many attacks and twice as many innocent texts; half of all are English."""
    rng = random.Random(seed)
    found: list[Text] = []
    for number in range(3 * count):
        language = "en" if rng.random() < 0.5 else rng.choice(LANGUAGES[1:])
        is_attack = number % 3 == 0
        body = (attack if is_attack else innocent)(language, rng)
        carried = rng.random() < 0.35
        carrier = rng.choice(_CARRIERS) if carried else plain
        kind = f"{carrier.__name__}/{language}"
        found.append(Text(carrier(body, rng), is_attack, "generated", f"{kind}/{number}"))
    return found
