"""Where in a text that is still being written a secret may have begun: from there on, nothing may go out yet.

The promise, which tests try to break: cut any text anywhere; what stands before `open_at` of the first part holds no
character of a secret of the whole text, unless that secret is found in the first part alone.
"""

import re
from typing import Final

from airside.guards.secrets.blocks import BLOCK_CHARS_MAX
from airside.guards.secrets.heads import first_name

HOLD_CHARS: Final = 16_384
"""The longest secret that is not a block: a run without spaces is held back this far, with the name before it."""

NAME_CHARS: Final = 320
"""How far before a value its name may begin."""

_BEGIN: Final = re.compile(
    r"-{4,5} ?BEGIN (?=[A-Z0-9 ]{0,40}(?:PRIVATE KEY|\Z))|-{4,5} ?BEGIN ?\Z|PuTTY-User-Key-File-"
)
_END: Final = re.compile(
    r"END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?(?:-{5}| -{4})"
    r"|Private-MAC: ?[0-9a-f]{40,64}\b|Private-Hash: ?[0-9a-f]{40}\b"
)
# What is written without spaces: not so the scripts that have none between words.
_RUN: Final = re.compile(
    "[^\\s\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef]*"
)


def open_at(text: str) -> int | None:
    """Return from where on a text's end may belong to a secret that goes on; None if it may all go out.

    In prose it is the last word, or the last few words after a name such as "password"; a private key without its end
    is held as a whole, at most BLOCK_CHARS_MAX.
    """
    run = _run(text)
    places = [place for place in (_block(text), _named(text, run), run) if place is not None and place < len(text)]
    return min(places, default=None)


def _run(text: str) -> int:
    """Return where the last run without spaces begins."""
    tail = text[-HOLD_CHARS:]
    run = _RUN.match(tail[::-1])
    return len(text) - (run.end() if run is not None else 0)


def _named(text: str, run: int) -> int | None:
    """Return where the first name begins whose value may still come or go on."""
    floor = max(0, run - NAME_CHARS)
    name = first_name(text[floor:])
    return None if name is None else floor + name


def _block(text: str) -> int | None:
    """Return where the first private key without its end begins."""
    tail = text[-BLOCK_CHARS_MAX:]
    closed = max((match.end() for match in _END.finditer(tail)), default=0)
    begun = _BEGIN.search(tail, closed)
    return None if begun is None else len(text) - len(tail) + begun.start()
