"""Puts cases to the guards as the settings have them, and says in words what is not as it must be."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from airside.guards.cases.written import Case, Expected
from airside.guards.finding import Finding, Mode, Place
from airside.guards.scanner import Scanner
from airside.guards.verdict import Judged, Modes, Where, label, rewritten

_LOUD = frozenset({Mode.FLAG, Mode.TOKENISE, Mode.REDACT, Mode.BLOCK})


class Trial(Struct, frozen=True):
    """What a case came to: `wrong` is empty if it passed."""

    name: str
    wrong: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether everything was as the case says."""
        return not self.wrong


def run(cases: Iterable[Case], scanner: Scanner, modes: Modes) -> Iterator[Trial]:
    """Try every case."""
    for number, case in enumerate(cases, 1):
        place = Place(case.place)
        judged = modes.judge(scanner.scan_now(case.text, place), Where(case.agent, case.stage, place))
        yield Trial(case.name or f"case {number}", tuple(_wrong(case, judged)))


def _wrong(case: Case, judged: Sequence[Judged]) -> Iterator[str]:
    left = list(judged)
    for expected in case.expect:
        met = [one for one in left if _is(expected, one, case.text)]
        if met:
            left = [one for one in left if one not in met]
        elif not any(_is(expected, one, case.text) for one in judged):
            yield f"not found: {_said(expected)}"
    for one in left:
        if one.mode in _LOUD:
            finding = one.finding
            span = f"characters {finding.start} to {finding.end}"
            yield f"also found: {finding.guard.value}/{finding.rule} at {span}, which {one.mode.value}s"
    becomes = rewritten(case.text, judged, replacement)
    if case.becomes is not None and becomes != case.becomes:
        yield f"it becomes {becomes!r}"


def replacement(finding: Finding, mode: Mode, found: str) -> str:
    """Return what stands in the place of a value: without a run, every placeholder has the number 1."""
    return f"<{finding.kind}_1>" if mode is Mode.TOKENISE else label(finding, mode, found)


def _is(expected: Expected, one: Judged, text: str) -> bool:
    finding = one.finding
    return (
        finding.guard.value == expected.guard
        and expected.rule in ("", finding.rule)
        and expected.kind in ("", finding.kind)
        and expected.found in ("", text[finding.start : finding.end])
        and expected.mode in (None, one.mode.value)
    )


def _said(expected: Expected) -> str:
    found = repr(expected.found) if expected.found else ""
    return " ".join(filter(None, [expected.guard, expected.rule, expected.kind, found, expected.mode]))
