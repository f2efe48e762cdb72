"""What is let out of a text that is still being written holds no part of a secret, wherever the text is cut."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.guards.finding import Finding, Place
from airside.guards.normalise.readings import Readings
from airside.guards.secrets.detector import detector
from airside.guards.secrets.unfinished import HOLD_CHARS, NAME_CHARS, open_at
from tests.guards.secrets.samples import drawn

_PROSE = "The order was shipped on Monday, and the driver called twice. " * 6
_PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + "".join(
    drawn("[A-Za-z0-9+/]{64}", Random(line)) + "\n" for line in range(8)
)
_BLOCK = _PEM + "-----END RSA PRIVATE KEY-----"
_SECRETS = (
    "ghp_" + drawn("[A-Za-z0-9]{36}", Random(1)),
    _BLOCK,
    "password: Winter2024!x",
    'api_key = "' + drawn("[A-Za-z0-9]{40}", Random(2)) + '"',
    "postgres://app:tr0ub4dor@db.internal/app",
    "Authorization: Bearer " + drawn("[A-Za-z0-9]{40}", Random(3)),
    "machine git.internal login deploy password 0penSesame",
    "curl -u admin:0penSesame7 https://api.internal",
    "пароль: Зима2024!x",
    "- name: DB_PASSWORD\n  value: 0penSesame7\n",
)


def _found(text: str) -> list[Finding]:
    return list(detector().find(Readings(text), Place.ANSWER))


def _out(text: str) -> int:
    held = open_at(text)
    return len(text) if held is None else held


@pytest.mark.parametrize("secret", _SECRETS)
def test_no_cut_lets_part_of_a_secret_out(secret: str) -> None:
    text = f"{_PROSE}\n{secret}\n{_PROSE}"
    whole = _found(text)
    assert whole
    for cut in range(len(_PROSE) - 5, len(_PROSE) + len(secret) + 60):
        first = text[:cut]
        out = _out(first)
        known = [(finding.start, finding.end) for finding in _found(first)]
        for finding in whole:
            if finding.start < out:
                covered = any(start <= finding.start and finding.end <= end for start, end in known)
                assert covered, (cut, out, text[finding.start : out])


@given(
    st.lists(st.sampled_from((*_SECRETS, "so", "it", "goes", "—", "日本語", "\n")), min_size=1, max_size=6), st.data()
)
def test_no_cut_of_any_text_lets_part_of_a_secret_out(parts: list[str], data: st.DataObject) -> None:
    text = " ".join(parts)
    cut = data.draw(st.integers(0, len(text)))
    out = _out(text[:cut])
    known = [(finding.start, finding.end) for finding in _found(text[:cut])]
    for finding in _found(text):
        if finding.start < out:
            assert any(start <= finding.start and min(finding.end, out) <= end for start, end in known)


def test_prose_goes_out_but_for_its_last_word() -> None:
    assert open_at(_PROSE.rstrip()) == len(_PROSE.rstrip()) - len("twice.")
    assert open_at(_PROSE) is None
    assert open_at("") is None
    assert open_at("東京は日本の首都です") is None


def test_what_is_held_back_is_bounded() -> None:
    assert open_at("a" * 100_000) == 100_000 - HOLD_CHARS
    text = "my key " + _PROSE
    assert len(text) > NAME_CHARS
    assert open_at(text) is None


def test_a_private_key_is_held_from_its_beginning_until_its_end() -> None:
    assert open_at(f"see\n{_PEM}") == len("see\n")
    assert open_at(f"see\n{_BLOCK}\n{_PROSE}") is None
    public = _PEM.replace("PRIVATE", "PUBLIC")
    assert _out(f"see\n{public}{_PROSE}") > len(public)
