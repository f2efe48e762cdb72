"""Every detector is asked once about a text, and whatever fails is told."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from airside.core.errors import AirsideError, Code
from airside.guards.finding import Finding, Guard, Place
from airside.guards.normalise.readings import Readings
from airside.guards.patterns import Pattern, PatternSet
from airside.guards.scanner import FINDINGS_MAX, OFF_LOOP_BYTES, Scanner

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


async def test_others_have_their_turn_while_one_has_thousands_of_texts() -> None:
    scanner = Scanner([Many(0)], text_bytes_max=1_000_000, verdicts_max=10)
    turns = 0

    async def beat() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beating = asyncio.create_task(beat())
    for number in range(1_000):
        await scanner.scan(f"{number} " + "word " * 400, Place.USER)
    beating.cancel()
    assert turns > 50


async def test_texts_with_very_many_findings_are_not_remembered() -> None:
    for count, remembered in ((FINDINGS_MAX, True), (FINDINGS_MAX + 1, False)):
        scanner = Scanner([Many(count)], text_bytes_max=1_000, verdicts_max=10)
        assert len(await scanner.scan("x" * 100, Place.USER)) == count
        assert (scanner.remembered("x" * 100, Place.USER) is not None) is remembered


class Many:
    """Finds so many things in any text."""

    guard = Guard.SECRETS
    places = frozenset(Place)

    def __init__(self, count: int) -> None:
        self.count = count

    def find(self, readings: Readings, place: Place) -> list[Finding]:
        return [Finding(guard=Guard.SECRETS, rule="r", kind="K", start=at, end=at + 1) for at in range(self.count)]
