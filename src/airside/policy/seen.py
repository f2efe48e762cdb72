"""A call as conditions see it: what several of them look at is worked out once."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from airside.core.call import Call
from airside.core.policy import Counter, Link, Origin
from airside.core.tool import Tool
from airside.policy.amounts import Money, amount_of
from airside.policy.arguments import leaves, role_of


class Seen:
    """One call of a known tool."""

    def __init__(self, call: Call, tool: Tool) -> None:
        self.call = call
        self.tool = tool
        self.facts = call.facts
        self.counters: dict[str, Counter | None] = {}

    @cached_property
    def money(self) -> Money:
        """What the call moves."""
        return amount_of(self.tool, self.call.arguments)

    @cached_property
    def values(self) -> Sequence[tuple[str, Any]]:
        """Every value in the arguments, with its path."""
        return list(leaves("", self.call.arguments)) if self.call.arguments else ()

    @cached_property
    def witnessed(self) -> bool:
        """Whether anybody who knows the run's past was asked."""
        return self.facts.at_us > 0 and bool(self.facts.links or all(_is_absent(value) for _, value in self.values))

    @cached_property
    def links(self) -> Sequence[Link]:
        """The provenance of every argument; one that nobody vouches for in the facts is of unknown origin."""
        known = self.facts.links
        linked = {link.argument for link in known}
        lost = [path for path, value in self.values if not _is_absent(value) and not _covered(path, linked)]
        return [*known, *[Link(path, role_of(self.tool, path) or "", Origin.UNKNOWN) for path in lost]]

    def links_at(self, path: str) -> Sequence[Link]:
        """The provenance of what stands at an exact path, or below or around it."""
        below = path + "."
        return [
            link
            for link in self.links
            if link.argument == path or link.argument.startswith(below) or path.startswith(link.argument + ".")
        ]


def _is_absent(value: Any) -> bool:
    """Whether a value says as much as an argument that is left out: it has no origin."""
    return value is None or (isinstance(value, list | tuple | dict) and not value)


def _covered(path: str, linked: set[str]) -> bool:
    while path not in linked:
        path, dot, _ = path.rpartition(".")
        if not dot:
            return False
    return True
