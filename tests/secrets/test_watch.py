"""Values are found and cut out in every encoding that is looked for, in time, and nothing else is touched."""

import base64
import codecs
import html
import json
import random
import string
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.core import canonical
from airside.secrets.forms import weak
from airside.secrets.handle import Handle
from airside.secrets.watch import Watch
from tests.secrets.parts import HandClock

NAME = "secret://house/github"
VALUES = [
    "gh-4Gk1zP0tQ9xW+7/Lm==",
    "correct horse battery staple 9",
    'p"ass\\w/o<rd>&#1234567',
    "0123456789012345",
    "Zürich-Schlüssel-4711-ß",
]


def watch(*values: str) -> Watch:
    made = Watch(HandClock(), 3_600)
    for number, value in enumerate(values):
        made.remember("acme", Handle("house", "github" if not number else f"other{number}"), f"v{number}", value)
    return made


def spellings(value: str) -> dict[str, str]:
    raw = value.encode()
    escaped = "".join(f"\\u{ord(char):04x}" for char in value)
    return {
        "raw": value,
        "upper": value.upper() if value.upper().lower() == value.lower() else value,
        "swapped": value.swapcase() if value.isascii() else value,
        "base64": base64.b64encode(raw).decode(),
        "base64 after 1": base64.b64encode(b"x" + raw + b"yz").decode(),
        "base64 after 2": base64.b64encode(b"xy" + raw + b"z").decode(),
        "basic auth": base64.b64encode(b"admin:" + raw).decode(),
        "base64 urlsafe": base64.urlsafe_b64encode(b"k" + raw).decode(),
        "base64 twice": base64.b64encode(b"q" + base64.b64encode(raw)).decode(),
        "base64 of hex": base64.b64encode(raw.hex().encode()).decode(),
        "base64 of utf-16": base64.b64encode(value.encode("utf-16-le")).decode(),
        "mime": base64.encodebytes(b"x" * 50 + raw).decode(),
        "base32": base64.b32encode(b"abc" + raw).decode(),
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        "hex pairs": raw.hex(":"),
        "percent": quote(value, safe=""),
        "percent all": "".join(f"%{byte:02x}" for byte in raw),
        "json escapes": escaped,
        "json text": json.dumps({"a": value}),
        "json in json": json.dumps(json.dumps(value)),
        "python escapes": "".join(f"\\x{byte:02x}" for byte in raw),
        "html": html.escape(value),
        "html entities": "".join(f"&#{byte};" for byte in raw),
        "quoted printable": "".join(f"={byte:02X}" for byte in raw),
        "reversed": value[::-1] if value.isascii() else value,
        "rot13": codecs.encode(value, "rot13") if any(char.isalpha() for char in value) else value,
        "utf-16": value.encode("utf-16-le").decode("latin-1") if value.isascii() else value,
        "spaced": " ".join(value) if value.isascii() else value,
        "zero width": "\u200b".join(value) if value.isascii() else value,
        "in lines": "\n".join(value[at : at + 4] for at in range(0, len(value), 4)) if value.isascii() else value,
        "dashed": "-".join(value) if value.isascii() else value,
    }


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("how", list(spellings("x" * 9)))
def test_every_spelling_is_found_and_cut_out(value: str, how: str) -> None:
    secret = watch(value)
    spelled = spellings(value)[how]
    text = f"before {spelled} after"
    assert secret.found_in("acme", text) == (NAME,), how
    clean, names = secret.text("acme", text)
    assert names == (NAME,)
    assert NAME in clean
    assert secret.found_in("acme", clean) == ()
    assert clean.startswith("before ")
    assert clean.endswith(" after")
    body = canonical.encode({"a": [1, {"b": text}], "c": "untouched"})
    redacted = secret.json("acme", body)
    assert redacted.names == (NAME,)
    assert redacted.times >= 1
    found = canonical.parse(redacted.data, bytes_max=10_000)
    assert found["c"] == "untouched"
    assert secret.found_in("acme", redacted.data.decode()) == ()


@given(st.text(min_size=8, max_size=60), st.text(max_size=40), st.text(max_size=40))
def test_whatever_the_value_it_never_comes_through_as_it_is(value: str, before: str, after: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    secret = watch(value)
    clean, _ = secret.text("acme", before + value + after)
    assert value not in clean.replace(NAME, "") or value in NAME
    body = canonical.encode({"text": (before + value + after).encode(errors="replace").decode()})
    assert value.encode() not in secret.json("acme", body).data.replace(NAME.encode(), b"")


@pytest.mark.parametrize("how", ["keys", "numbers", "over texts", "as bytes"])
def test_values_that_hide_in_the_structure_are_found(how: str) -> None:
    value = "0123456789012345" if how == "numbers" else "gh4Gk1zP0tQ9xW"
    bodies = {
        "keys": {value: 1},
        "numbers": {"n": 10123456789012345},
        "over texts": {"a": [value[:7], value[7:]]},
        "as bytes": {"a": list(value.encode())},
    }
    redacted = watch(value).json("acme", canonical.encode(bodies[how]))
    assert redacted.names == (NAME,)
    assert watch(value).found_in("acme", redacted.data.decode()) == ()
    canonical.parse(redacted.data, bytes_max=10_000)


def test_ordinary_text_is_left_alone() -> None:
    words = "production database credentials must be rotated; see the Password field of the account settings page. "
    secret = watch("production-database", "password1", *VALUES)
    body = canonical.encode({"text": words * 50, "numbers": list(range(200)), "hash": "a" * 64})
    assert secret.json("acme", body).data == body
    assert weak("production-database")
    assert weak("password1")
    assert not weak(VALUES[0])


def test_a_plain_value_is_still_found_as_it_is() -> None:
    assert watch("production-database").found_in("acme", "is production-database ok") == (NAME,)
    assert watch("hunter2!").found_in("acme", f"x{base64.b64encode(b'hunter2!').decode()}") == (NAME,)


def test_values_are_forgotten_after_their_time_and_old_versions_are_not_before() -> None:
    clock = HandClock()
    made = Watch(clock, 100)
    made.remember("acme", Handle("house", "github"), "v1", VALUES[0])
    clock.s += 50
    made.remember("acme", Handle("house", "github"), "v2", VALUES[1])
    assert made.found_in("acme", VALUES[0]) == (NAME,)
    clock.s += 60
    made.remember("acme", Handle("house", "other"), "v1", VALUES[2])
    assert made.found_in("acme", VALUES[0]) == ()
    assert made.found_in("acme", VALUES[1]) == (NAME,)


def big(size: int) -> bytes:
    chance = random.Random(4)
    words = ["".join(chance.choices(string.ascii_letters, k=chance.randint(2, 10))) for _ in range(2_000)]
    lines = [" ".join(chance.choices(words, k=12)) for _ in range(1_000)]
    text, rows = [], 0
    while rows < size:
        text.append(chance.choice(lines))
        rows += len(text[-1]) + 3
    return canonical.encode(text)


@pytest.mark.parametrize("values", [3, 200])
def test_ten_megabytes_are_searched_in_time(values: int) -> None:
    secrets = [f"value-{number}-{random.Random(number).randbytes(16).hex()}" for number in range(values)]
    secret, body = watch(*secrets), big(10_000_000)
    secret.json("acme", b'"warm"')
    began = time.process_time()
    assert secret.json("acme", body).data is body
    assert time.process_time() - began < 3  # about 0.1 s
    hidden = big(1_000_000).replace(b'",', b" " + base64.b64encode(b"xy" + secrets[-1].encode()) + b'",', 3)
    began = time.process_time()
    redacted = secret.json("acme", hidden)
    assert time.process_time() - began < 10
    assert redacted.times == 3


def test_a_flood_of_hits_takes_linear_time() -> None:
    value = VALUES[0]
    began = time.process_time()
    redacted = watch(value).json("acme", canonical.encode([value * 20_000]))
    assert redacted.times >= 1
    assert value.encode() not in redacted.data
    assert time.process_time() - began < 5
