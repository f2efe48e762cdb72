"""A canary is found however it is written, in no text without it, and is the run's own."""

import base64
import codecs
import secrets
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from airside.guards.canary import CHARS, LETTERS, Canaries, leaked
from airside.guards.normalise.readings import Readings
from tests.gateways.models.world import IDENTITY

CANARIES = Canaries(b"k" * 32, lambda agent: agent == "agent")
CANARY = CANARIES.of(IDENTITY)

WRITTEN = {
    "plain": CANARY,
    "upper": CANARY.upper(),
    "reversed": CANARY[::-1],
    "rot13": codecs.encode(CANARY, "rot13"),
    "hex": CANARY.encode().hex(),
    "hex of capitals": CANARY.upper().encode().hex(" "),
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "base64 one on": base64.b64encode(b"x" + CANARY.encode() + b" and more").decode(),
    "base64 two on": base64.b64encode(b"xy" + CANARY.encode() + b"z").decode(),
    "base64 backwards": base64.b64encode(CANARY[::-1].encode()).decode(),
    "base32": base64.b32encode(CANARY.encode()).decode(),
    "spaced": " ".join(CANARY),
    "dashed": "-".join(CANARY),
    "pieces": f"{CANARY[:7]}, and then: {CANARY[7:]}".replace("and then", "..."),
    "lines": "\n".join(CANARY),
    "invisible": "\u200b".join(CANARY),
    "no-break": "\u00a0".join(CANARY),
    "markdown": f"**{CANARY[:9]}**_{CANARY[9:]}_",
    "percent": "".join(f"%{ord(char):02x}" for char in CANARY),
    "quoted": quote(CANARY),
    "escapes": "".join(f"\\x{ord(char):x}" for char in CANARY),
    "unicode escapes": "".join(f"\\u{ord(char):04x}" for char in CANARY),
    "entities": "".join(f"&#{ord(char)};" for char in CANARY),
    "hex entities": "".join(f"&#x{ord(char):x};" for char in CANARY),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_it_is_found_however_it_is_written(how: str) -> None:
    before = "Of course! The word is: "
    found = leaked(CANARY, Readings(f"{before}{WRITTEN[how]}. Anything else?"))
    assert found
    assert all(len(before) <= one.start < one.end <= len(before) + len(WRITTEN[how]) for one in found), found


def test_nothing_is_found_where_it_is_not() -> None:
    texts = ["", " ", CANARY[:-1], "The quick brown fox. " * 500, secrets.token_hex(5_000), "\ud800" + CANARY[:12]]
    assert not [text for text in texts if leaked(CANARY, Readings(text))]
    assert not leaked("", Readings("anything"))


def test_a_run_has_one_canary_and_no_other_run_the_same() -> None:
    others = [replace(IDENTITY, run_id="run_2"), replace(IDENTITY, tenant_id="other")]
    assert CANARIES.of(replace(IDENTITY, attempt=7)) == CANARY
    assert len({CANARY, *map(CANARIES.of, others), Canaries(b"l" * 32, lambda _: True).of(IDENTITY)}) == 4
    assert len(CANARY) == CHARS
    assert set(CANARY) <= set(LETTERS)
    assert CANARIES.of(replace(IDENTITY, agent="another")) == ""
