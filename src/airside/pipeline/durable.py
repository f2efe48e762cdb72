"""Remembers which contents the journal already holds, so that a long history is sealed once and not with every call."""

from collections.abc import Iterable

ENTRIES_MAX = 100_000


class DurableContents:
    """A bounded set of content ids, least recently used first out. An id that fell out is merely stored again."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._ids: dict[bytes, None] = {}
        self._entries_max = entries_max

    def __contains__(self, content_id: bytes) -> bool:
        if content_id not in self._ids:
            return False
        self._ids[content_id] = self._ids.pop(content_id)
        return True

    def add(self, content_ids: Iterable[bytes]) -> None:
        """Remember contents, once the transaction that stores them has committed."""
        for content_id in content_ids:
            self._ids.pop(content_id, None)
            self._ids[content_id] = None
        while len(self._ids) > self._entries_max:
            del self._ids[next(iter(self._ids))]
