"""What waits for the next batch: an intent, an outcome or a refusal, and who waits for its commit."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from airside.core.call import Call, CallState
from airside.core.ports import Closing, Entry, Opening, Refused, Sealed


@dataclass(eq=False, slots=True, kw_only=True)
class Operation:
    """One operation. `doubtful` is set once a commit that held it may have happened without our knowing."""

    future: "asyncio.Future[Any]"
    deadline_s: float
    doubtful: bool = False
    call: Call = field(init=False)

    @property
    def approval_id(self) -> str:
        """The approval that is consumed with the operation, or empty."""
        return ""

    @property
    def bytes_sealed(self) -> int:
        """How much content it brings, by which batches are kept to a size."""
        return 0


@dataclass(eq=False, slots=True, kw_only=True)
class Open(Operation):
    """Reserve and write an intent."""

    opening: Opening

    def __post_init__(self) -> None:
        self.call = self.opening.call

    @property
    def approval_id(self) -> str:
        """The approval that the intent consumes."""
        return self.call.approval_id

    @property
    def bytes_sealed(self) -> int:
        """The size of the request's parts."""
        return sum([len(content.blob) for content in self.opening.contents])


@dataclass(eq=False, slots=True, kw_only=True)
class Close(Operation):
    """Settle and write an outcome.

    `late` is set when nobody waits for it any more: it is not delivered, and applies to its own try only.
    """

    closing: Closing
    late: bool = False

    def __post_init__(self) -> None:
        self.call = self.closing.call

    @property
    def bytes_sealed(self) -> int:
        """The size of the answer."""
        return len(self.closing.outcome.blob) if self.closing.outcome else 0


@dataclass(eq=False, slots=True, kw_only=True)
class Refuse(Operation):
    """Write down a call that did not leave."""

    refused_call: Call
    state: CallState
    event: Entry
    outcome: Sealed | None
    error: Refused

    def __post_init__(self) -> None:
        self.call = self.refused_call
