"""How many secrets the guard finds, and what it takes for one: on a public tool's test cases and on harmless texts."""

import hashlib
import json
import sysconfig
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from airside.guards.finding import Place
from airside.guards.normalise.readings import Readings
from airside.guards.secrets.detector import detector
from benchmarks.guards.secrets_material import Text, negatives, positives

GENERATED = 4_000
HASHES = 600
CHARS_MAX = 60_000


def figures(data: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the figures of FIGURES; `data` is the folder of the sets that are measured against."""
    path = data / "guards" / "secrets_gitleaks.jsonl"
    if path.exists():
        cases = [json.loads(line) for line in path.read_text().splitlines()]
        good = [case["text"] for case in cases if case["label"]]
        bad = [case["text"] for case in cases if not case["label"]]
        yield {"figure": "guards.secrets_recall", "value": _share(good), "texts": len(good), "set": path.name}
        yield {"figure": "guards.secrets_false_of_290", "value": _count(bad), "unit": "texts", "texts": len(bad)}
    benign = [*_fingerprints(), *_documents()]
    yield {
        "figure": "guards.secrets_false_per_1000",
        "value": 1_000 * _count(benign) / len(benign),
        "unit": "texts",
        "texts": len(benign),
        "fingerprints": _count(_fingerprints()),
    }
    generated = list(positives(GENERATED, seed=11))
    yield {"figure": "guards.secrets_generated_recall", "value": sum(map(_exact, generated)) / GENERATED}
    looking = [text.text for text in negatives(GENERATED, seed=12)]
    yield {
        "figure": "guards.secrets_generated_false_per_1000",
        "value": 1_000 * _count(looking) / GENERATED,
        "unit": "texts",
    }


def _found(text: str) -> list[str]:
    return [text[finding.start : finding.end] for finding in detector().find(Readings(text), Place.RESULT)]


def _count(texts: Iterable[str]) -> int:
    return sum(bool(_found(text)) for text in texts)


def _share(texts: list[str]) -> float:
    return _count(texts) / len(texts)


def _exact(text: Text) -> bool:
    return text.secret in _found(text.text)


def _fingerprints() -> Iterator[str]:
    """Yield hashes and UUIDs as they stand in logs, lock files and commit messages."""
    random = Random(600)
    names = (
        "{}",
        "commit {}",
        "sha256: {}",
        "hash={}",
        "see {} for details",
        '"id": "{}"',
        "trace {} failed",
        "order {}",
    )
    for number in range(HASHES // 2):
        digest = hashlib.new(random.choice(("md5", "sha1", "sha256", "sha512")), str(number).encode()).hexdigest()
        yield random.choice(names).format(digest)
        yield random.choice(names).format(uuid.UUID(int=random.getrandbits(128), version=4))


def _documents() -> Iterator[str]:
    """Yield paragraphs of the documentation of installed packages: prose in which no secret should be."""
    folder = Path(sysconfig.get_paths()["purelib"])
    for path in sorted([*folder.glob("*.dist-info/METADATA"), *folder.glob("*.dist-info/licenses/*")]):
        if path.is_file():
            text = path.read_text(errors="replace")[:CHARS_MAX]
            yield from (part for part in text.split("\n\n") if len(part) > 80)
