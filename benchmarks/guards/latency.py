"""What all default guards cost on one core: texts of 4 KB that were never seen, hostile ones, and ten times as much.

Ordinary texts are put together at random from the documentation, questions of users and, where they are on this
machine, the sets of benign texts; no two are the same. CPU time, each text once, verdicts not remembered.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

from airside.config.guards import GuardSettings
from airside.guards.defaults import detectors
from airside.guards.detector import Detector
from airside.guards.finding import Place
from airside.guards.normalise.readings import Readings
from airside.guards.scanner import Scanner
from benchmarks.guards.latency_material import HOSTILE, SENTENCES

TEXT_BYTES: Final = 4_096
TEXTS: Final = 400
SMALL_BYTES: Final = 40_000
HOSTILE_BYTES: Final = 1_000_000
_MS: Final = 1e6  # nanoseconds

Figures = Iterator[Mapping[str, Any]]


def figures(data: Path, found: Callable[[], Sequence[Detector]] | None = None) -> Figures:
    """Yield what scanning costs; `found` makes other detectors than the default ones."""
    asked = list(found() if found is not None else detectors(GuardSettings()))
    scanner = Scanner(asked, text_bytes_max=1 << 24, verdicts_max=0)
    draw = random.Random(4_096)
    plain, other = list(_ascii(data, draw)), list(_other_scripts(draw))
    yield from _latency(scanner, plain, "")
    yield from _latency(scanner, other, "_other_scripts")
    for kind, texts in (("ascii", plain), ("other_scripts", other)):
        for name, ms in _shares(asked, texts).items():
            yield {"figure": f"guards.share_ms_{kind}_{name}", "value": ms, "unit": "ms"}
    yield from _hostile(scanner)


def _ascii(data: Path, draw: random.Random) -> Iterator[str]:
    here = Path(__file__).resolve().parents[2]
    pieces = [
        piece
        for path in (
            *sorted((here / "docs").glob("*.md")),
            *sorted((here / "benchmarks/cache_questions").glob("*.txt")),
        )
        for piece in path.read_text("utf-8").split("\n\n")
    ]
    prompts, people = data / "guards/notinject_one.json", data / "guards/presidio_synth_even_templates.json"
    if prompts.exists():
        pieces += [entry["prompt"] for entry in json.loads(prompts.read_text("utf-8"))]
    if people.exists():
        pieces += [entry["full_text"] for entry in json.loads(people.read_text("utf-8"))]
    pieces = [piece for piece in pieces if piece.isascii() and len(piece) > 40]
    for _ in range(TEXTS):
        text = ""
        while len(text) < TEXT_BYTES:
            text += draw.choice(pieces) + "\n\n"
        yield text[:TEXT_BYTES]


def _other_scripts(draw: random.Random) -> Iterator[str]:
    for number in range(TEXTS):
        sentences = SENTENCES[number % len(SENTENCES)]
        text = ""
        while len(text.encode()) < TEXT_BYTES:
            words = draw.choice(sentences).split(" ")
            draw.shuffle(words)
            text += " ".join(words) + f" {draw.randrange(100)} "
        yield text.encode()[:TEXT_BYTES].decode("utf-8", "ignore")


def _latency(scanner: Scanner, texts: Sequence[str], which: str) -> Figures:
    for text in texts[:20]:
        scanner.scan_now(text, Place.USER)
    taken = [_ns(lambda text=text: scanner.scan_now(text, Place.USER)) / _MS for text in texts]  # type: ignore[misc]
    about = {"unit": "ms", "texts": len(texts), "bytes": TEXT_BYTES}
    yield {"figure": f"guards.ms_p50_4kb{which}", "value": median(taken), **about}
    yield {"figure": f"guards.ms_p99_4kb{which}", "value": quantiles(taken, n=100)[98], **about}


def _shares(asked: Sequence[Detector], texts: Sequence[str]) -> dict[str, float]:
    """Return what of the median goes where: the forms of a text, then each detector."""
    taken: dict[str, list[float]] = {}
    for text in texts:
        readings = Readings(text)
        taken.setdefault("readings", []).append(_ns(lambda: (readings.texts, readings.folds)) / _MS)  # noqa: B023
        for number, detector in enumerate(asked):
            if Place.USER in detector.places:
                name = f"{detector.guard.value}_{number}_{type(detector).__name__.lower()}"
                spent = _ns(lambda: detector.find(readings, Place.USER))  # noqa: B023 - called at once
                taken.setdefault(name, []).append(spent / _MS)
    return {name: median(times) for name, times in taken.items()}


def _hostile(scanner: Scanner) -> Figures:
    """Yield the worst ratio at ten times the size, and the worst time of a text of 1 MB, each with which it was."""
    ratios: dict[str, float] = {}
    whole: dict[str, float] = {}
    for name, unit in HOSTILE.items():
        small, large = _sized(unit, SMALL_BYTES), _sized(unit, 10 * SMALL_BYTES)
        ratios[name] = _best(scanner, large, 2) / _best(scanner, small, 5)
        whole[name] = _best(scanner, _sized(unit, HOSTILE_BYTES), 1) / _MS
    worst = max(ratios, key=ratios.__getitem__)
    yield {"figure": "guards.linear_10x", "value": ratios[worst], "unit": "times", "worst": worst, "kinds": len(ratios)}
    slowest = sorted(whole, key=whole.__getitem__)
    yield {
        "figure": "guards.ms_1mb_hostile",
        "value": whole[slowest[-1]],
        "unit": "ms",
        "worst": slowest[-1],
        "median": round(median(whole.values()), 1),
        "by_kind": {name: round(whole[name]) for name in reversed(slowest)},
    }


def _sized(unit: str, size: int) -> str:
    text = unit * (size // len(unit.encode("utf-8", "surrogatepass")) + 1)
    return text.encode("utf-8", "surrogatepass")[:size].decode("utf-8", "ignore") if not text.isascii() else text[:size]


def _best(scanner: Scanner, text: str, times: int) -> float:
    return min(_ns(lambda: scanner.scan_now(text, Place.USER)) for _ in range(times))


def _ns(work: Callable[[], object]) -> int:
    began = time.process_time_ns()
    work()
    return time.process_time_ns() - began
