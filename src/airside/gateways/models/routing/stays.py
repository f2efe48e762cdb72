"""A conversation stays with its model, for its style and for the provider's prompt cache; it only ever moves up."""

from airside.core.call import Call
from airside.core.lru import Lru

CONVERSATIONS_MAX = 20_000
Key = tuple[str, str, bytes]


class Stays:
    """Which model each conversation of a run is with, as far as this process remembers."""

    def __init__(self, conversations_max: int = CONVERSATIONS_MAX) -> None:
        self._known: Lru[Key, str] = Lru(conversations_max)

    def of(self, call: Call) -> str:
        """Return the model that the call's conversation is with, or nothing."""
        return self._known.get(_key(call)) or ""

    def stay(self, call: Call, model: str) -> None:
        """Remember the model; the conversation longest unused is forgotten when there are too many."""
        self._known.put(_key(call), model)


def _key(call: Call) -> Key:
    """Return what a conversation is known by: the run and the keyed name of its first item."""
    return call.who.tenant_id, call.who.run_id, call.part_ids[0] if call.part_ids else b""
