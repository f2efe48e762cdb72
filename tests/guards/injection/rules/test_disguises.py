"""An attack in disguise is found like the attack itself."""

import pytest

from airside.guards.finding import Place
from airside.guards.injection.rules import detector
from airside.guards.normalise.readings import Readings
from benchmarks.guards.disguises import DISGUISES
from tests.guards.injection.rules.attacks import BENIGN, DIRECT, INDIRECT

RULES = detector()
ATTACKS = (*DIRECT["en"], *DIRECT["de"], *INDIRECT["en"], *INDIRECT["de"])
SHARE_MIN = 0.9  # of all attacks in all disguises
SHARE_OF_EACH_MIN = 0.8  # marks of chat templates and of settings are gone when letters stand apart


def _share(disguise: str) -> float:
    found = [bool(RULES.find(Readings(DISGUISES[disguise](attack)), Place.RESULT)) for attack in ATTACKS]
    return sum(found) / len(found)


@pytest.mark.parametrize("disguise", DISGUISES)
def test_attacks_in_disguise_are_found(disguise: str) -> None:
    assert _share(disguise) >= SHARE_OF_EACH_MIN


def test_nearly_all_attacks_are_found_in_nearly_all_disguises() -> None:
    shares = [_share(disguise) for disguise in DISGUISES]
    assert len(shares) >= 12
    assert sum(shares) / len(shares) >= SHARE_MIN


def test_a_finding_says_what_it_was_hidden_in() -> None:
    said = {
        disguise: RULES.find(Readings(DISGUISES[disguise](ATTACKS[0])), Place.RESULT)[0].via for disguise in DISGUISES
    }
    assert said["plain"] == ()
    for disguise in ("base64", "hex", "rot13", "reversed", "leet", "tags", "spaced"):
        assert disguise in said[disguise]
    assert len(said["base64 twice"]) == 2


@pytest.mark.parametrize("disguise", DISGUISES)
def test_ordinary_texts_in_disguise_are_left_alone(disguise: str) -> None:
    flagged = [
        text for text in (*BENIGN["en"], *BENIGN["de"]) if RULES.find(Readings(DISGUISES[disguise](text)), Place.RESULT)
    ]
    assert flagged == []
