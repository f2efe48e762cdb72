"""Remembers which contents the journal already holds, so that a long history is sealed once and not with every call."""

from collections.abc import Iterable

ENTRIES_MAX = 30_000
"""About 4 MB of ids; a conversation of a thousand messages, thirty at once."""


class DurableContents:
    """A bounded set of content ids in two generations, the older of which is dropped when the younger is full.

    What was used lately is in the younger one. An id that was dropped is merely stored again.
    """

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()
        self._young_max = max(1, entries_max // 2)

    def __contains__(self, content_id: bytes) -> bool:
        return content_id in self._young or content_id in self._old

    def add(self, content_ids: Iterable[bytes]) -> None:
        """Remember contents, once the transaction that stores them has committed; those known are used again."""
        self._young.update(content_ids)
        if len(self._young) > self._young_max:
            self._old, self._young = self._young, set()
