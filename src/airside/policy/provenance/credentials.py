"""Values that are credentials by their very shape: keys of well-known services, private keys, signed tokens."""

import re
from collections.abc import Sequence
from functools import lru_cache

_SHAPES = re.compile(
    r"\bAKIA[0-9A-Z]{16}\b|\bASIA[0-9A-Z]{16}\b"
    r"|\bsk-[A-Za-z0-9_-]{20,}|\bsk_(?:live|test)_[A-Za-z0-9]{16,}|\brk_live_[A-Za-z0-9]{16,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{40,}|\bglpat-[A-Za-z0-9_-]{20,}"
    r"|\bxox[abeprs]-[A-Za-z0-9-]{10,}|\bAIza[A-Za-z0-9_-]{35}|\bya29\.[A-Za-z0-9_-]{20,}"
    r"|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|\bnpm_[A-Za-z0-9]{36}|\bpypi-[A-Za-z0-9_-]{40,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
    r"|-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[A-Za-z0-9+/=\s]{40,}"
)
TEXT_CHARS_MAX = 1_000_000
REMEMBERED_CHARS_MAX = 4_096
CHARS_MIN = 14  # the shortest of them


def credentials(text: str) -> Sequence[str]:
    """Return the credentials that stand in a text."""
    if len(text) < CHARS_MIN:
        return ()
    return _short(text) if len(text) <= REMEMBERED_CHARS_MAX else _found(text)


def _found(text: str) -> Sequence[str]:
    return tuple(match.group() for match in _SHAPES.finditer(text[:TEXT_CHARS_MAX]))


_short = lru_cache(maxsize=8_192)(_found)
