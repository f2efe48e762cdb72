"""Cases: what must be found, what else may not be, and what the text becomes."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from airside.config.guards import GuardSettings
from airside.core.errors import AirsideError
from airside.guards.cases import trial
from airside.guards.cases.measure import Counts, measure
from airside.guards.cases.written import Case, Expected, load
from airside.guards.finding import Finding, Guard, Place
from airside.guards.normalise.readings import Readings
from airside.guards.scanner import Scanner
from airside.guards.verdict import Modes


class Words:
    """A detector that finds words."""

    def __init__(self, guard: Guard, *words: str) -> None:
        self.guard = guard
        self.places = frozenset(Place)
        self._words = words

    def find(self, readings: Readings, place: Place) -> Sequence[Finding]:
        text = readings.raw.text
        return [
            Finding(
                guard=self.guard, rule=word, kind=word.upper(), start=text.index(word), end=text.index(word) + len(word)
            )
            for word in self._words
            if word in text
        ]


SCANNER = Scanner(
    [Words(Guard.SECRETS, "hunter"), Words(Guard.PERSONAL, "ada", "bob")], text_bytes_max=1_000, verdicts_max=10
)
MODES = Modes(GuardSettings(modes={"secrets": "redact", "personal": "tokenise"}))


def tried(**case: object) -> list[str]:
    (one,) = trial.run([Case.model_validate(case)], SCANNER, MODES)
    assert one.passed is (not one.wrong)
    return list(one.wrong)


def test_what_must_be_found_is_and_nothing_else() -> None:
    assert not tried(text="hello")
    assert not tried(text="hunter for ada", expect=[{"guard": "secrets"}, {"guard": "personal", "kind": "ADA"}])
    assert tried(text="hello", expect=[{"guard": "secrets", "rule": "hunter"}]) == ["not found: secrets hunter"]
    assert tried(text="hunter") == ["also found: secrets/hunter at characters 0 to 6, which redacts"]


@pytest.mark.parametrize(
    "expected", [{"kind": "OTHER"}, {"rule": "other"}, {"found": "hunte"}, {"mode": "block"}, {"guard": "personal"}]
)
def test_every_part_of_what_is_expected_counts(expected: dict[str, str]) -> None:
    assert tried(text="hunter", expect=[{"guard": "secrets"} | expected])


def test_one_finding_may_meet_two_expectations_and_two_findings_one() -> None:
    assert not tried(text="hunter", expect=[{"guard": "secrets"}, {"guard": "secrets", "kind": "HUNTER"}])
    assert not tried(text="ada bob", expect=[{"guard": "personal"}])


def test_what_a_text_becomes_is_compared() -> None:
    expect = [{"guard": "secrets"}, {"guard": "personal"}]
    assert not tried(text="hunter, ada", expect=expect, becomes="[HUNTER], <ADA_1>")
    assert tried(text="hunter, ada", expect=expect, becomes="hunter") == ["it becomes '[HUNTER], <ADA_1>'"]


def test_observed_findings_are_no_alarm() -> None:
    quiet = Modes(GuardSettings(modes={"secrets": "observe", "personal": "off"}))
    (one,) = trial.run([Case(text="hunter and ada")], SCANNER, quiet)
    assert one.passed


def test_measures_are_those_of_the_counts() -> None:
    cases = [
        Case(text="hunter", expect=(Expected(guard="secrets"),)),
        Case(text="nothing", expect=(Expected(guard="secrets"),)),
        Case(text="hunter again"),
        *[Case(text=f"harmless {number}") for number in range(7)],
    ]
    found = measure(cases, SCANNER, MODES)
    secrets = found["guards"]["secrets"]
    assert (secrets["precision"], secrets["recall"], secrets["f1"]) == (0.5, 0.5, 0.5)
    assert secrets["false_alarm_rate"] == 1 / 8
    assert (found["texts"], set(found["guards"])) == (10, {"secrets"})
    assert 0 < found["ms_p50"] <= found["ms_p99"]


def test_measures_of_nothing_are_no_numbers() -> None:
    nothing = Counts()
    assert (nothing.precision, nothing.recall, nothing.f1, nothing.false_alarm_rate) == (None, None, None, None)
    assert measure([], SCANNER, MODES) == {"texts": 0, "ms_p50": None, "ms_p99": None, "guards": {}}


def test_a_file_without_cases_is_refused(tmp_path: Path) -> None:

    file = tmp_path / "cases.yaml"
    file.write_text("cases: []\n", "utf-8")
    with pytest.raises(AirsideError, match="cases"):
        load(file)
