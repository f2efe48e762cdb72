"""How good the guards are on labelled texts: counts by guard, measures made of them, and how long each text took."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from airside.guards.cases.written import Case
from airside.guards.finding import Guard, Mode, Place
from airside.guards.scanner import Scanner
from airside.guards.verdict import Modes, Where, strongest

_QUIET = frozenset({Mode.OFF, Mode.OBSERVE})


class Counts(Struct):
    """Texts by what should have been said of them and what was."""

    hits: int = 0
    misses: int = 0
    false_alarms: int = 0
    clear: int = 0

    def add(self, *, wanted: bool, found: bool) -> None:
        """Count one text."""
        if wanted:
            self.hits, self.misses = self.hits + found, self.misses + (not found)
        else:
            self.false_alarms, self.clear = self.false_alarms + found, self.clear + (not found)

    @property
    def precision(self) -> float | None:
        """Share of alarms that were right; None where there was none."""
        return _share(self.hits, self.hits + self.false_alarms)

    @property
    def recall(self) -> float | None:
        """Share of what was to be found that was; None where there was nothing."""
        return _share(self.hits, self.hits + self.misses)

    @property
    def false_alarm_rate(self) -> float | None:
        """Share of harmless texts that were flagged; None where there was none."""
        return _share(self.false_alarms, self.false_alarms + self.clear)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None without anything to find."""
        return (
            _share(2 * self.hits, 2 * self.hits + self.false_alarms + self.misses) if self.recall is not None else None
        )


def measure(cases: Iterable[Case], scanner: Scanner, modes: Modes) -> Mapping[str, Any]:
    """Return counts by guard over all texts, and the median and 99th percentile of the time (ms) that one took.

    A text counts as found by a guard if one of its findings is flagged or more.
    """
    by_guard = {guard: Counts() for guard in Guard}
    took_ms: list[float] = []
    for case in cases:
        place = Place(case.place)
        began = time.perf_counter()
        findings = scanner.scan_now(case.text, place)
        took_ms.append((time.perf_counter() - began) * 1_000)
        judged = modes.judge(findings, Where(case.agent, case.stage, place))
        wanted = {expected.guard for expected in case.expect}
        for guard, counts in by_guard.items():
            mine = [one for one in judged if one.finding.guard is guard]
            counts.add(wanted=guard.value in wanted, found=strongest(mine) not in _QUIET)
    took_ms.sort()
    return {
        "texts": len(took_ms),
        "ms_p50": _at(took_ms, 0.50),
        "ms_p99": _at(took_ms, 0.99),
        "guards": {guard.value: _row(counts) for guard, counts in by_guard.items() if _said_anything(counts)},
    }


def _row(counts: Counts) -> Mapping[str, Any]:
    return {
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
        "false_alarm_rate": counts.false_alarm_rate,
        "hits": counts.hits,
        "misses": counts.misses,
        "false_alarms": counts.false_alarms,
        "clear": counts.clear,
    }


def _said_anything(counts: Counts) -> bool:
    return bool(counts.hits or counts.misses or counts.false_alarms)


def _at(values: list[float], share: float) -> float | None:
    return round(values[min(len(values) - 1, int(len(values) * share))], 4) if values else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
