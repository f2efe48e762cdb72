"""Random numbers and identifiers that repeat in every attempt of a run, so that a replay asks what was asked before.

`secrets` and `os.urandom` are left alone: what must be unguessable stays so.
"""

import random
import sys
import time
import uuid
from typing import Final

_CLOCK_START_100NS: Final = 0x01B2_1DD2_1381_4000  # from 1582-10-15, where UUID time begins, to 1970
_NODE_MULTICAST: Final = 1 << 40  # marks a node that is not a network card (RFC 9562 §6.10)


class _Identifiers:
    """The source behind `uuid.uuid4` and `uuid.uuid1`."""

    def __init__(self) -> None:
        self._source = random.Random(int.from_bytes(random.SystemRandom().randbytes(16)))  # noqa: S311 - meant to repeat
        self._node = 0
        self._last_100ns = 0

    def seed(self, seed: int) -> None:
        self._source.seed(f"uuid:{seed}")
        self._node = self._source.getrandbits(48) | _NODE_MULTICAST
        self._last_100ns = 0

    def uuid4(self) -> uuid.UUID:
        """Generate a random UUID."""
        return uuid.UUID(int=self._source.getrandbits(128), version=4)

    def uuid1(self, node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
        """Generate a UUID from the time; equal instants are told apart by counting on."""
        instant = max(time.time_ns() // 100 + _CLOCK_START_100NS, self._last_100ns + 1)
        self._last_100ns = instant
        low, mid, high = instant & 0xFFFF_FFFF, (instant >> 32) & 0xFFFF, (instant >> 48) & 0x0FFF
        sequence = 0 if clock_seq is None else clock_seq
        fields = (low, mid, high, (sequence >> 8) & 0x3F, sequence & 0xFF, self._node if node is None else node)
        return uuid.UUID(fields=fields, version=1)


_identifiers = _Identifiers()


def install() -> None:
    """Take the place of `uuid.uuid4` and `uuid.uuid1`, before an agent's modules take copies of them."""
    uuid.uuid4 = _identifiers.uuid4
    uuid.uuid1 = _identifiers.uuid1


def seed(seed: int) -> None:
    """Begin the run's sequence: global `random`, numpy's global state if it is there, and identifiers."""
    random.seed(seed)
    _identifiers.seed(seed)
    numpy_random = getattr(sys.modules.get("numpy"), "random", None)
    if numpy_random is not None:
        numpy_random.seed(seed & 0xFFFF_FFFF)
