"""Every rule finds keys of its form, made from the rule itself, and not what only nearly has it."""

from random import Random

import pytest
import re2

from airside.guards.finding import Finding, Place
from airside.guards.normalise.readings import Readings
from airside.guards.secrets.detector import detector
from airside.guards.secrets.formats import AROUND, NAMED, TOKENS
from airside.guards.secrets.formats.form import Around, Named, Token
from tests.guards.secrets.samples import SUMMED, drawn

_SAMPLES = 3
_TRIES = 200


def _found(text: str) -> list[Finding]:
    return list(detector().find(Readings(text), Place.RESULT))


def _spans(text: str) -> dict[str, list[str]]:
    spans: dict[str, list[str]] = {}
    for finding in _found(text):
        spans.setdefault(text[finding.start : finding.end], []).append(finding.rule)
    return spans


def _key(token: Token, prefix: str, random: Random) -> str:
    """Return a key that passes the rule's own check, as a provider would issue."""
    for _ in range(_TRIES):
        made = SUMMED[token.rule](prefix, random) if token.rule in SUMMED else prefix + drawn(token.body, random)
        if re2.fullmatch(re2.escape(prefix) + token.body, made) and (token.check is None or token.check(made)):
            return made
    raise AssertionError(f"no sample of {token.rule} passes its own check")


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token.rule)
def test_a_key_is_found_by_what_it_begins_with(token: Token) -> None:
    random = Random(token.rule)
    for prefix in token.prefixes[:4]:
        for _ in range(_SAMPLES):
            key = _key(token, prefix, random)
            secret = key.removeprefix(prefix) if prefix.endswith("=") else key
            for text in (f'see "{key}" there', f"({key})"):
                assert any(secret in span for span in _spans(text)), (token.rule, text)


@pytest.mark.parametrize("token", [token for token in TOKENS if token.sure], ids=lambda token: token.rule)
def test_a_key_whose_checksum_fits_is_surer(token: Token) -> None:
    random = Random(7)
    key = _key(token, token.prefixes[0], random)
    right = max(finding.score for finding in _found(key) if finding.rule == token.rule)
    cut = key[:12] + ("A" if key[12] != "A" else "B") + key[13:]
    if token.rule == "azure_account_key":  # 64 bytes are all that it has to be
        assert right > 0.9
        return
    wrong = [finding.score for finding in _found(cut) if finding.rule == token.rule]
    assert right > 0.9
    assert all(score < right for score in wrong)


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token.rule)
def test_what_only_nearly_is_a_key_is_not_one(token: Token) -> None:
    random = Random(token.rule)
    prefix = token.prefixes[0]
    key = _key(token, prefix, random)
    body = key[len(prefix) :]
    near = {
        "after a letter": f"x{key}",
        "cut short": prefix + body[:3],
        "repeated": prefix + "a" * len(body),
        "a space within": f"{prefix}{body[:2]} {body[4:6]}",
    }
    for how, text in near.items():
        rules = [finding.rule for finding in _found(text)]
        assert token.rule not in rules, (how, text)


@pytest.mark.parametrize("around", AROUND, ids=lambda around: around.rule)
def test_a_key_is_found_by_a_mark_inside_it(around: Around) -> None:
    random = Random(around.rule)
    for _ in range(_SAMPLES):
        key = drawn(around.body, random)
        assert any(key in span or span in key for span in _spans(f'see "{key}" there')), key
        assert around.rule not in [finding.rule for finding in _found(f"see {key[: len(key) // 2]} there")]


@pytest.mark.parametrize("named", NAMED, ids=lambda named: named.rule)
def test_a_key_is_found_by_the_name_beside_it(named: Named) -> None:
    random = Random(named.rule)
    for name in named.names:
        found = 0
        for _ in range(10):
            key = drawn(named.body, random)
            label = name.upper().replace("-", "_").replace(".", "_")
            text = f'{label}_API_SECRET = "{key}"\n'
            found += any(span in key for span in _spans(text))
        assert found >= 8, (named.rule, name)  # a few that are drawn look like a number or a word


@pytest.mark.parametrize("named", NAMED, ids=lambda named: named.rule)
def test_what_lacks_the_shape_of_a_provider_is_not_its_key(named: Named) -> None:
    text = f"{named.names[0]}_api_secret = get_the_value(of_it)\n{named.names[0]}_url = 'https://example.com/a/b'\n"
    assert not _found(text)


def test_there_are_rules_for_many_providers() -> None:
    rules = [form.rule for form in (*TOKENS, *AROUND, *NAMED)]
    assert len(rules) == len(set(rules))
    assert len({form.provider for form in (*TOKENS, *AROUND, *NAMED)}) >= 150
    assert all(form.source for form in (*TOKENS, *AROUND, *NAMED))
    assert {token.rule for token in TOKENS if token.sure} <= set(SUMMED)
