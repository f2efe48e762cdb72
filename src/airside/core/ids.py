"""Names for things: prefixed, unguessable, and sortable by the time they were made."""

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]  # two at once: ids are made with every call


def new_id(prefix: str) -> str:
    """Return `prefix_` plus 26 characters: 48 bits of milliseconds, then 80 random bits (the ULID layout)."""
    value = ((time.time_ns() // 1_000_000) << 80) | int.from_bytes(os.urandom(10))
    return prefix + "_" + "".join([_PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10)])


def new_secret(prefix: str) -> str:
    """Return `prefix_` plus 52 characters that carry 256 random bits, for tokens and keys."""
    value = int.from_bytes(os.urandom(32))
    return prefix + "_" + "".join([_ALPHABET[(value >> shift) & 31] for shift in range(0, 260, 5)])
