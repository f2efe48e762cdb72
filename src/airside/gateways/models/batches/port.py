"""The port to a provider's batch API: hand questions in, look how they stand, fetch the answers, call it off."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct


class Item(Struct, frozen=True):
    """One question: the call it belongs to, and its body in the provider's language."""

    call_id: str
    body: bytes


class Standing(Struct, frozen=True):
    """How a batch stands. `whole` is whether each item must have an answer; what ended early left some undone."""

    ended: bool
    whole: bool = False
    files: tuple[str, ...] = ()


class Answered(Struct, frozen=True):
    """What the provider says of one item: a status as HTTP has it and a body; `undone` items were never answered."""

    status: int
    body: bytes
    undone: bool = False


class BatchProvider(Protocol):
    """A provider that answers batches. Every failure is an AirsideError; `unbilled` in its details: nothing ran."""

    name: str

    async def submit(self, batch_id: str, items: Sequence[Item]) -> str:
        """Hand the items in and return the provider's name of the batch."""
        ...

    async def look(self, upstream_id: str) -> Standing:
        """Return how a batch stands."""
        ...

    async def results(self, standing: Standing) -> Mapping[str, Answered]:
        """Return the answers of an ended batch by call id."""
        ...

    async def cancel(self, upstream_id: str) -> None:
        """Ask the provider to stop; what it has answered by then is charged."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
