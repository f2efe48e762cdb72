"""Names for things: prefixed, unguessable, and sortable by the time they were made."""

import os
import time
from functools import lru_cache

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]  # two at once: ids are made with every call
_RANDOM_SHIFTS = range(70, -1, -10)


def new_id(prefix: str) -> str:
    """Return `prefix_` plus 26 characters: 48 bits of milliseconds, then 80 random bits (the ULID layout)."""
    value = int.from_bytes(os.urandom(10))
    random = "".join([_PAIRS[(value >> shift) & 1023] for shift in _RANDOM_SHIFTS])
    return f"{prefix}_{_time(time.time_ns() // 1_000_000)}{random}"


@lru_cache(maxsize=1)
def _time(ms: int) -> str:
    """Return an instant as 10 characters, the same for all ids of a millisecond."""
    return "".join([_PAIRS[(ms >> shift) & 1023] for shift in range(40, -1, -10)])


def new_secret(prefix: str) -> str:
    """Return `prefix_` plus 52 characters that carry 256 random bits, for tokens and keys."""
    value = int.from_bytes(os.urandom(32))
    return prefix + "_" + "".join([_ALPHABET[(value >> shift) & 31] for shift in range(0, 260, 5)])
