"""Personal data: precision and recall by kind on a public measuring set and on made-up texts, phones, false alarms."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from airside.config.personal import PersonalSettings
from airside.core.errors import AirsideError
from airside.guards.detector import Detector
from airside.guards.finding import Finding, Place
from airside.guards.normalise.readings import Readings
from airside.guards.personal.detector import detector
from airside.guards.personal.names import Names
from benchmarks.guards.personal_material import Sample, benign, phones, samples

_SET = "guards/presidio_synth_even_templates.json"
_BENIGN = "guards/notinject_one.json"
_KINDS = {
    "EMAIL_ADDRESS": "EMAIL",
    "CREDIT_CARD": "CARD",
    "IBAN_CODE": "IBAN",
    "US_SSN": "NATIONAL_ID",
    "PHONE_NUMBER": "PHONE",
    "IP_ADDRESS": "IP",
    "US_DRIVER_LICENSE": "DRIVER_LICENCE",
    "STREET_ADDRESS": "ADDRESS",
    "PERSON": "PERSON",
    "GPE": "LOCATION",
}
_STRUCTURED = ("EMAIL", "CARD", "IBAN", "NATIONAL_ID")
_SAME = {"TAX_ID": "NATIONAL_ID"}

Text = tuple[str, list[tuple[str, int, int]]]


class Score:
    """Counts by kind: a find counts if it overlaps what is to be found, and as exact if it is just that."""

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.exact: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.false: Counter[str] = Counter()

    def add(self, wanted: Sequence[tuple[str, int, int]], found: Iterable[Finding]) -> None:
        found = list(found)
        for kind, start, end in wanted:
            over = [one for one in found if _kind(one.kind) == kind and one.start < end and start < one.end]
            self.hits[kind] += bool(over)
            self.missed[kind] += not over
            self.exact[kind] += any((one.start, one.end) == (start, end) for one in over)
        for one in found:
            if not any(_kind(one.kind) == kind and one.start < end and start < one.end for kind, start, end in wanted):
                self.false[_kind(one.kind)] += 1

    def of(self, kinds: Sequence[str]) -> Mapping[str, float]:
        hits, missed, false = (sum(count[kind] for kind in kinds) for count in (self.hits, self.missed, self.false))
        precision, recall = hits / max(hits + false, 1), hits / max(hits + missed, 1)
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        exact = sum(self.exact[kind] for kind in kinds) / max(hits, 1)
        return {"precision": precision, "recall": recall, "f1": f1, "exact": exact, "values": hits + missed}


def figures(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the figures of personal data; those of sets that are missing say so."""
    personal = detector(PersonalSettings())
    yield from _generated(personal)
    path = folder / _SET
    if not path.exists():
        for name in ("guards.pii_structured_f1", "guards.pii_phone_recall", "guards.pii_person_f1"):
            yield {"figure": name, "value": None, "reason": f"{_SET} is not here"}
        return
    texts = [_read(one) for one in json.loads(path.read_text())]
    score = _scored(personal, texts, {kind for kind in _KINDS.values() if kind not in {"PERSON", "LOCATION"}})
    yield _line("guards.pii_structured_f1", score.of(_STRUCTURED), set=path.name)
    for kind in (*_STRUCTURED, "PHONE", "IP", "DRIVER_LICENCE", "ADDRESS"):
        yield _line(f"guards.pii_{kind.lower()}_f1", score.of((kind,)), set=path.name)
    yield from _phones(personal, score, folder)
    yield from _names(texts)


def _generated(personal: Detector) -> Iterator[Mapping[str, Any]]:
    made = [*samples(), *phones()]
    score = _scored(personal, [_text(one) for one in made], {*_STRUCTURED, "PHONE"})
    yield _line("guards.pii_generated_f1", score.of(_STRUCTURED), set="made up, seed 5")
    yield _line("guards.pii_generated_phone_f1", score.of(("PHONE",)), set="made up, seed 9")
    flagged = sum(bool(personal.find(Readings(text), Place.USER)) for text in benign())
    yield {"figure": "guards.pii_numbers_flagged", "value": flagged / 2_000, "texts": 2_000}


def _phones(personal: Detector, score: Score, folder: Path) -> Iterator[Mapping[str, Any]]:
    texts = [one["prompt"] for one in json.loads((folder / _BENIGN).read_text())] if (folder / _BENIGN).exists() else []
    texts += benign()
    flagged = sum(any(one.kind == "PHONE" for one in personal.find(Readings(text), Place.USER)) for text in texts)
    recall = score.of(("PHONE",))["recall"]
    yield {"figure": "guards.pii_phone_recall", "value": recall, "benign_flagged": round(flagged / len(texts), 5)}


def _names(texts: Sequence[Text]) -> Iterator[Mapping[str, Any]]:
    """Yield what the extra `pii` adds, if it is installed: a bare detector of names, without the structured kinds."""
    try:
        names = Names(PersonalSettings())
    except AirsideError as error:
        yield {"figure": "guards.pii_person_f1", "value": None, "reason": error.message}
        return
    begun = time.process_time()
    score = _scored(names, texts, {"PERSON", "LOCATION"})
    spent = time.process_time() - begun
    size = sum(len(text) for text, _ in texts)
    yield _line("guards.pii_person_f1", score.of(("PERSON",)), model=names.model, ms_per_4kb=spent / size * 4_096_000)
    yield _line("guards.pii_location_f1", score.of(("LOCATION",)), model=names.model)


def _scored(asked: Detector, texts: Iterable[Text], kinds: set[str]) -> Score:
    score = Score()
    for text, wanted in texts:
        found = asked.find(Readings(text), Place.USER)
        score.add([one for one in wanted if one[0] in kinds], [one for one in found if _kind(one.kind) in kinds])
    return score


def _read(one: Mapping[str, Any]) -> Text:
    spans = [
        (_KINDS[span["entity_type"]], span["start_position"], span["end_position"])
        for span in one["spans"]
        if span["entity_type"] in _KINDS
    ]
    return one["full_text"], spans


def _text(one: Sample) -> Text:
    return one.text, [(_kind(one.kind), one.start, one.end)] if one.kind else []


def _kind(kind: str) -> str:
    return _SAME.get(kind, kind)


def _line(name: str, score: Mapping[str, float], **more: Any) -> Mapping[str, Any]:
    rest = {key: round(value, 4) for key, value in score.items() if key != "f1"}
    return {"figure": name, "value": round(score["f1"], 4)} | rest | more
