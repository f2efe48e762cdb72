"""The writer's memory of what admission and settlement ask for with every call: live attempts, and open calls.

Both are only ever read from here while nobody else can have changed them: what is known goes as soon as another process
has committed, a transaction of this one was run, or a batch has failed. What is not known is asked of the database.
"""

from typing import NamedTuple

CALLS_MAX = 50_000


class Held(NamedTuple):
    """What an open call holds, and its row."""

    row: int
    kind: str
    nanousd: int
    tokens: int
    output_tokens: int
    nodes: tuple[str, ...]


class Standings:
    """Attempts that may make calls, by (tenant, run, attempt), and open calls, by (tenant, run, call)."""

    def __init__(self) -> None:
        self._live: set[tuple[str, str, int]] = set()
        self._open: dict[tuple[str, str, str], Held] = {}

    def is_live(self, tenant_id: str, run_id: str, attempt: int) -> bool:
        """Whether an attempt is known to pass the fence."""
        return (tenant_id, run_id, attempt) in self._live

    def passed(self, tenant_id: str, run_id: str, attempt: int) -> None:
        """Remember an attempt that has just passed the fence."""
        self._live.add((tenant_id, run_id, attempt))

    def opened(self, tenant_id: str, run_id: str, call_id: str, held: Held) -> None:
        """Remember a call that has just been opened."""
        if len(self._open) >= CALLS_MAX or len(self._live) >= CALLS_MAX:
            self.forget()
        self._open[tenant_id, run_id, call_id] = held

    def take(self, tenant_id: str, run_id: str, call_id: str) -> Held | None:
        """Return what a call holds if it is known to be open, and forget it, because it is about to be closed."""
        return self._open.pop((tenant_id, run_id, call_id), None)

    def forget(self) -> None:
        """Drop everything."""
        self._live.clear()
        self._open.clear()
