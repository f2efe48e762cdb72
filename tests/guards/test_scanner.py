"""Every detector is asked once about a text, and whatever fails is told."""

import threading
from collections.abc import Sequence

import pytest

from airside.core.errors import AirsideError, Code
from airside.guards.finding import Finding, Guard, Place
from airside.guards.normalise.readings import Readings
from airside.guards.patterns import Pattern, PatternSet
from airside.guards.scanner import OFF_LOOP_BYTES, Scanner

KEYS = PatternSet([Pattern(rule="key", expression="sk_[a-z]{4}", keywords=("sk_",))])


class Keys:
    """Finds keys, and remembers in which threads it was asked."""

    guard = Guard.SECRETS
    places = frozenset({Place.USER, Place.RESULT})

    def __init__(self) -> None:
        self.threads: list[int] = []

    def find(self, readings: Readings, place: Place) -> Sequence[Finding]:
        """Return the keys in every form of a text."""
        self.threads.append(threading.get_ident())
        if "raise" in readings.raw.text:
            raise RuntimeError("a detector that fails")
        found = []
        for reading in readings.texts:
            for match in KEYS.find(reading):
                start, end = reading.span(match.start, match.end)
                found.append(
                    Finding(guard=self.guard, rule="key", kind="SECRET", start=start, end=end, via=reading.via)
                )
        return found


def scanner(keys: Keys, verdicts_max: int = 100) -> Scanner:
    return Scanner([keys], text_bytes_max=1_000_000, verdicts_max=verdicts_max)


async def test_a_text_is_scanned_once_for_each_place() -> None:
    keys = Keys()
    scans = scanner(keys)
    assert scans.remembered("sk_abcd", Place.USER) is None
    [found] = await scans.scan("sk_abcd", Place.USER)
    assert (found.start, found.end) == (0, 7)
    assert await scans.scan("sk_abcd", Place.USER) == (found,)
    assert len(keys.threads) == 1
    assert scans.remembered("sk_abcd", Place.USER) == (found,)
    assert scans.remembered("sk_abcd", Place.RESULT) is None
    assert await scans.scan("sk_abcd", Place.SYSTEM) == ()
    assert len(keys.threads) == 1


async def test_what_is_remembered_is_bounded() -> None:
    scans = scanner(Keys(), verdicts_max=2)
    for text in ("one", "two", "three"):
        await scans.scan(text, Place.USER)
    assert scans.remembered("one", Place.USER) is None
    assert scans.remembered("three", Place.USER) == ()
    none = scanner(Keys(), verdicts_max=0)
    await none.scan("one", Place.USER)
    assert none.remembered("one", Place.USER) is None


async def test_long_texts_leave_the_loop() -> None:
    keys = Keys()
    scans = scanner(keys)
    await scans.scan("short", Place.USER)
    [found] = await scans.scan("é" * OFF_LOOP_BYTES + "sk_abcd", Place.USER)
    assert found.start == OFF_LOOP_BYTES
    assert keys.threads[0] == threading.get_ident()
    assert keys.threads[1] != threading.get_ident()


async def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(AirsideError) as refused:
        await scanner(Keys()).scan("é" * 500_001, Place.USER)
    assert refused.value.code is Code.LIMIT_EXCEEDED


async def test_a_detector_that_fails_is_not_passed_over() -> None:
    scans = scanner(Keys())
    with pytest.raises(RuntimeError):
        await scans.scan("raise", Place.USER)
    assert scans.remembered("raise", Place.USER) is None


async def test_what_several_forms_show_counts_once() -> None:
    [found] = await scanner(Keys()).scan("so: sk_abcd &amp; more", Place.USER)
    assert found.via == ()


@pytest.mark.parametrize("text", ["", "\ud800", "\x00" * 10, "\udcff\udcfe sk_abcd"])
async def test_any_text_has_a_verdict(text: str) -> None:
    found = await scanner(Keys()).scan(text, Place.RESULT)
    assert len(found) == text.count("sk_abcd")
