"""What guards ask of the outside: who keeps values behind placeholders, and who keeps account of a run's risk."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from airside.core.run import Identity
from airside.guards.finding import Finding, Place


class Value(NamedTuple):
    """A value that a placeholder stands for, and its kind: `PERSON`, `EMAIL`."""

    kind: str
    text: str


class Placeholders(Protocol):
    """Names values for one run, the same value always by the same placeholder: `<PERSON_1>`."""

    async def names(self, who: Identity, values: Sequence[Value]) -> Mapping[Value, str]:
        """Return the placeholder of each value, made durable before it is returned; values that get none are left out.

        New ones are numbered in the order of `values`. Raises AirsideError if they cannot be made durable.
        """
        ...

    async def values(self, who: Identity, text: str) -> Mapping[str, Value]:
        """Return what the placeholders in a text stand for, of those that this run was given; others are left out."""
        ...


class Risks(Protocol):
    """Remembers what a run has come across. Taking in never blocks a call and never fails."""

    def rose(self, who: Identity, place: Place, finding: Finding) -> None:
        """Take in a finding that makes the run riskier."""
        ...

    async def of(self, who: Identity) -> float:
        """Return how risky a run is, from 0 to 1; raises AirsideError if that cannot be known."""
        ...
