"""Canaries: a word of no meaning in the system prompt, one for each run. Whoever says it has read the system prompt.

A canary is an HMAC of the run under a key of the installation, so that every process knows it and nothing stores it. It
is made of letters that neither leetspeak nor look-alikes write in another way.
"""

import base64
import codecs
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from airside.core.run import Identity
from airside.guards.finding import Finding, Guard
from airside.guards.normalise.readings import Reading, Readings

RULE: Final = "canary"
LETTERS: Final = "cdfhjknpqrvx"
CHARS: Final = 20  # 71 bits
_DOMAIN: Final = b"airside canary v1\x00"
_NO_ALNUM: Final = bytes(code for code in range(128) if not chr(code).isalnum())


class Canaries:
    """The canary of each run. `wanted` says whether an agent, by its name, has one in its prompts."""

    def __init__(self, key: bytes, wanted: Callable[[str], bool]) -> None:
        self._key = key
        self._wanted = wanted

    def of(self, who: Identity) -> str:
        """Return the canary that stands in this run's prompts; empty if its agent has none."""
        if not self._wanted(who.agent):
            return ""
        digest = hmac.digest(self._key, _DOMAIN + f"{who.tenant_id}/{who.run_id}".encode(), "sha256")
        return "".join(LETTERS[byte % len(LETTERS)] for byte in digest[:CHARS])


def leaked(canary: str, readings: Readings) -> Sequence[Finding]:
    """Return where a canary stands in a text: plain, in an encoding, backwards, spaced out or cut by punctuation.

    An empty canary is nowhere. Time is linear in the text.
    """
    if not canary:
        return ()
    found = {(one.start, one.end): one for one in _found(canary, readings)}
    return tuple(found[span] for span in sorted(found))


def _found(canary: str, readings: Readings) -> Iterator[Finding]:
    exact, folded = _forms(canary)
    yield from _in(readings.raw, exact, case=True)
    yield from _in(readings.folded, folded)
    for reading in readings.decoded:
        yield from _in(reading, folded)


def _in(reading: Reading, forms: Mapping[str, tuple[str, ...]], *, case: bool = False) -> Iterator[Finding]:
    """Yield where a form stands in a reading, of which only ASCII letters and digits count."""
    squeezed = reading.text.encode("ascii", "ignore").translate(None, _NO_ALNUM)
    if not case:
        squeezed = squeezed.lower()
    offsets: list[int] | None = None
    for form, via in forms.items():
        at = squeezed.find(form.encode())
        while at >= 0:
            if offsets is None:
                offsets = [index for index, char in enumerate(reading.text) if char.isascii() and char.isalnum()]
            start, end = reading.span(offsets[at], offsets[at + len(form) - 1] + 1)
            yield Finding(guard=Guard.LEAKAGE, rule=RULE, kind=RULE, start=start, end=end, via=reading.via + via)
            at = squeezed.find(form.encode(), at + len(form))


@lru_cache(maxsize=1_024)
def _forms(canary: str) -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, tuple[str, ...]]]:
    """Return the spellings by which a canary is known, each with what made it: those in which case counts, and not."""
    backwards = canary[::-1]
    exact: dict[str, tuple[str, ...]] = {}
    folded: dict[str, tuple[str, ...]] = {}
    for plain, how in ((canary, ()), (backwards, ("reversed",))):
        turned = codecs.encode(plain, "rot13")
        folded |= {plain: how, turned: ("rot13", *how)}
        for spelled in (plain, plain.upper()):
            data = spelled.encode()
            exact |= dict.fromkeys(_base64(data), ("base64", *how))
            folded |= {
                data.hex(): ("hex", *how),
                "".join(f"x{byte:x}" for byte in data): ("hex", *how),
                "".join(f"u00{byte:x}" for byte in data): ("escapes", *how),
                "".join(str(byte) for byte in data): ("entities", *how),
                base64.b32encode(data).rstrip(b"=").decode().casefold(): ("base32", *how),
            }
    return MappingProxyType(exact), MappingProxyType(folded)


def _base64(data: bytes) -> Iterator[str]:
    """Yield what of the data's base64 is certain, wherever in a longer text it stands."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + data).rstrip(b"=").decode()
        first = -(-before * 8 // 6)  # characters that what stands before takes part in
        last = (before + len(data)) * 8 // 6  # the next one takes in what follows
        yield text[first:last]
