"""Time grows with the text and no faster, whatever the text."""

import gc
import time

import pytest

from airside.guards.finding import Place
from airside.guards.normalise.readings import Readings
from airside.guards.secrets.detector import detector

_UNITS = (
    "key=",
    "key=abcd1 ",
    'password="',
    "ghp_ ",
    "://a:",
    "-----BEGIN RSA PRIVATE KEY-----",
    "eyJhbGciOi.",
    "machine a login ",
    "curl -u a:",
    "LS0tLS1CRUdJTi",
    "PuTTY-User-Key-File-2: ",
    "Bearer aaaaaaaaaaaaaaaaaaa1",
    ":5432:",
    "eyJhbGciOi",
    "test_a(): ",
    "a",
    "пароль: ",
)


class _Plain(Readings):
    """Only the text as it came, so that what is timed is this detector."""

    texts = property(lambda self: (self.raw,))  # type: ignore[assignment]  # made when asked for, otherwise


def _seconds(text: str) -> float:
    best = 1e9
    gc.disable()  # it would count the objects of other tests
    try:
        for _ in range(3):
            begin = time.process_time()
            detector().find(_Plain(text), Place.RESULT)
            best = min(best, time.process_time() - begin)
    finally:
        gc.enable()
    return best


@pytest.mark.parametrize("unit", _UNITS)
def test_ten_times_the_text_takes_about_ten_times_the_time(unit: str) -> None:
    short = (unit * 10_000)[:10_000]
    assert _seconds(short * 10) <= 16 * _seconds(short) + 0.01
