"""Private keys as files write them: PEM (RFC 7468), OpenSSH, PGP, SSH2 and PuTTY, whole or in part."""

import re
from typing import Final, NamedTuple

BLOCK_CHARS_MAX: Final = 65_536
_BEGIN: Final = re.compile(r"-{4,5} ?BEGIN ([A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?)(?:, [A-Z]{1,10})? ?-{4,5}")
_BODY_CHARS_MIN: Final = 40
_BODY: Final = re.compile(r"(?:[A-Za-z0-9+/=:,.\-\s>|#*\"']|\\[nrt]|[()@<]){1,65536}")
_PUTTY: Final = re.compile(r"PuTTY-User-Key-File-[0-9]: ")
_PUTTY_END: Final = re.compile(r"Private-MAC: ?[0-9a-f]{40,64}|Private-Hash: ?[0-9a-f]{40}")


class Block(NamedTuple):
    """Characters [start, end) of a private key; `closed` says whether its end was there."""

    start: int
    end: int
    closed: bool


def pem(text: str, at: int) -> Block | None:
    """Return the private key whose BEGIN line stands at a place in the text; None if none does.

    Without an END line, it goes on as far as its body does.
    """
    begin = _BEGIN.match(text, at)
    if begin is None:
        return None
    label = begin.group(1)
    stop = text.find("BEGIN ", begin.end(), begin.end() + BLOCK_CHARS_MAX)
    near = text[begin.end() : stop if stop >= 0 else begin.end() + BLOCK_CHARS_MAX]
    body, end, _ = near.partition(f"END {label}")
    if end:
        tail = begin.end() + len(body) + len(end)
        while tail < len(text) and text[tail] in "- ":
            tail += 1
            if text[tail - 1] == "-" and text[tail : tail + 1] != "-":
                break
        if sum(character.isalnum() for character in body[:400]) >= _BODY_CHARS_MIN // 2 and not _elided(body):
            return Block(at, tail, True)
        return None
    found = _BODY.match(near)
    if found is None or sum(character.isalnum() for character in found.group()[:400]) < _BODY_CHARS_MIN:
        return None
    last = begin.end() + found.end()
    while last > begin.end() and text[last - 1] in " \t\r\n\"'-#*|>\\":
        last -= 1
    return Block(at, last, False)


def putty(text: str, at: int) -> Block | None:
    """Return the PuTTY key that begins at a place in the text, to its MAC or as far as it goes."""
    if _PUTTY.match(text, at) is None:
        return None
    stop = text.find("PuTTY-User", at + 1, at + BLOCK_CHARS_MAX)
    last = stop if stop >= 0 else min(len(text), at + BLOCK_CHARS_MAX)
    end = _PUTTY_END.search(text, at, last)
    return Block(at, last, False) if end is None else Block(at, end.end(), True)


def _elided(body: str) -> bool:
    """Whether a block shows only where a key would stand."""
    low = body.lower()
    return len(body) < 200 and any(mark in low for mark in ("...", "your", "xxxx", "<", "example", "${", "{{"))
