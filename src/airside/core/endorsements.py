"""What people have vouched for: the port by which provenance learns of it."""

from collections.abc import Sequence
from typing import Protocol

from airside.core.run import Identity


class Endorsements(Protocol):
    """Values that a reviewer has endorsed for a run, or put into a call of it by an edit."""

    async def of(self, who: Identity) -> Sequence[bytes]:
        """Return the values of this run, each as canonical JSON."""
        ...
