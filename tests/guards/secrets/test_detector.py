"""Secrets are found at their exact place wherever they stand, and what only looks like one is left alone."""

import json
from base64 import b64encode
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.guards.finding import Finding, Guard, Place
from airside.guards.normalise.readings import Readings
from airside.guards.secrets.detector import detector
from benchmarks.guards.secrets_material import negatives, positives
from tests.guards.secrets.samples import SUMMED, drawn

_TOKEN = SUMMED["github_token"]("ghp_", Random(5))
_JWT = ".".join(
    b64encode(part).decode().rstrip("=").replace("+", "-").replace("/", "_")
    for part in (b'{"alg":"HS256","typ":"JWT"}', b'{"sub":"4711","exp":1900000000}', Random(6).randbytes(32))
)


def _found(text: str) -> list[Finding]:
    return list(detector().find(Readings(text), Place.USER))


def _spans(text: str) -> list[str]:
    return [text[finding.start : finding.end] for finding in _found(text)]


@given(st.text(), st.text())
def test_a_planted_key_is_found_at_its_place_in_any_text(before: str, after: str) -> None:
    text = f"{before} {_TOKEN} {after}"
    start = len(before) + 1
    assert any(finding.start == start and finding.end == start + len(_TOKEN) for finding in _found(text))


@pytest.mark.parametrize(
    "text",
    [
        _TOKEN,
        f"{_TOKEN}.",
        f"é{_TOKEN}ü",
        f"東京{_TOKEN}東京",
        json.dumps({"text": f"line\n{_TOKEN}\nline"}),
        f"https://x.io/?token={_TOKEN}&page=2",
        f"https://{_TOKEN}@github.com/acme/x.git",
        f"a%3D{_TOKEN}",
        f"\ud800{_TOKEN}",
        f"'{_TOKEN}'",
        f"<{_TOKEN}>",
    ],
)
def test_a_key_is_found_next_to_anything(text: str) -> None:
    assert _TOKEN in _spans(text)


def test_what_is_not_seen_does_not_hide_a_key() -> None:
    split = _TOKEN[:10] + "\u200b" + _TOKEN[10:20] + "\u2060" + _TOKEN[20:]
    assert any(split in span for span in _spans(f"see {split} there"))


@pytest.mark.parametrize(
    ("text", "secret", "rule"),
    [
        (f"token {_JWT} ok", _JWT, "json_web_token"),
        ("redis://:s3cr3tpw@cache:6379", "s3cr3tpw", "url_password"),
        ("amqp://app:p%40ss1word@mq/", "p%40ss1word", "url_password"),
        ("machine x.io login bob password 0pen7sesame", "0pen7sesame", "netrc_password"),
        ("db.internal:5432:app:app:0pen7sesame\n", "0pen7sesame", "pgpass_password"),
        ("curl -s -u bob:0pen7sesame https://x.io", "0pen7sesame", "command_password"),
        ("mysql -h db -u root -p0pen7sesame shop", "0pen7sesame", "command_password"),
        ("bob:$6$saltsalt$" + "Ab1/" * 20 + ":19000:", "$6$saltsalt$" + "Ab1/" * 20, "password_hash"),
        ('{"auths":{"x.io":{"auth":"Ym9iOjBwZW43c2VzYW1l"}}}', "Ym9iOjBwZW43c2VzYW1l", "basic_auth"),
        ("Authorization: Basic Ym9iOjBwZW43c2VzYW1l", "Ym9iOjBwZW43c2VzYW1l", "basic_auth"),
        ("//npm.x.io/:_authToken=3f9a6c1d20b84e7fa5d1", "3f9a6c1d20b84e7fa5d1", "generic_key"),
        ('password = "correct7horse"', "correct7horse", "generic_password"),
        ("contraseña: abeja4verde!", "abeja4verde!", "generic_password"),
    ],
)
def test_a_secret_is_found_by_where_it_stands(text: str, secret: str, rule: str) -> None:
    found = [(text[finding.start : finding.end], finding.rule) for finding in _found(text)]
    assert (secret, rule) in found


def _block(label: str, lines: int = 6, end: bool = True) -> str:
    body = "\n".join(drawn("[A-Za-z0-9+/]{64}", Random(line)) for line in range(lines))
    return f"-----BEGIN {label}-----\n{body}" + (f"\n-----END {label}-----" if end else "")


@pytest.mark.parametrize(
    "label", ["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "EC PRIVATE KEY", "PGP PRIVATE KEY BLOCK"]
)
def test_a_private_key_is_found_as_a_whole(label: str) -> None:
    block = _block(label)
    assert _spans(f"here:\n{block}\nthat was it") == [block]
    escaped = json.dumps({"private_key": block + "\n"})
    assert any(json.dumps(block)[1:-1] in span for span in _spans(escaped))
    cut = _block(label, end=False)
    assert _spans(f"here:\n{cut}") == [cut]
    assert not _spans(_block("PUBLIC KEY"))
    assert not _spans(_block("CERTIFICATE"))


def test_a_private_key_within_base64_is_found() -> None:
    wrapped = b64encode(_block("RSA PRIVATE KEY").encode()).decode()
    assert wrapped in _spans(f"client-key-data: {wrapped}\n")
    assert not _spans("client-certificate-data: " + b64encode(_block("CERTIFICATE").encode()).decode())


def test_generated_secrets_are_found_in_many_files_and_languages() -> None:
    texts = list(positives(1_500, seed=21))
    exact = sum(text.secret in _spans(text.text) for text in texts)
    assert exact >= 0.95 * len(texts)


def test_what_only_looks_like_a_secret_is_left_alone() -> None:
    for text in negatives(1_500, seed=22):
        assert not _found(text.text), text.text


@pytest.mark.parametrize("place", Place)
def test_every_place_is_looked_at(place: Place) -> None:
    found = detector().find(Readings(_TOKEN), place)
    assert [finding.guard for finding in found] == [Guard.SECRETS]
    assert {finding.kind for finding in found} == {"SECRET"}


def test_one_secret_is_one_finding() -> None:
    assert len(_found(f'github_token = "{_TOKEN}"')) == 1
    assert len(_found(f"Authorization: Bearer {_JWT}")) == 1


@given(st.text(alphabet=st.characters(codec=None, categories=None), max_size=300))
def test_no_text_makes_it_fail(text: str) -> None:
    for finding in _found(text):
        assert 0 <= finding.start < finding.end <= len(text)
