"""Sums and counts over time: what they are called, how they stand, and what a call adds to them."""

import hashlib
import hmac
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from airside.core import canonical
from airside.core.money import usd
from airside.core.policy import Counter
from airside.policy.arguments import found
from airside.policy.conditions import Count, Period, Sum
from airside.policy.globs import Globs
from airside.policy.periods import period_start_us
from airside.policy.seen import Seen
from airside.policy.truth import Truth

UNLIMITED: Final = 2**62
"""The limit of a counter that is only added to."""
_ADDED_MAX: Final = 2**60


class Place(Struct, frozen=True):
    """Where policies of one file count: the layer's name, its time zone, and the key under which values are named."""

    layer: str = ""
    zone: str = "UTC"
    salt: bytes = b""


class Window(Struct, frozen=True):
    """One sum or count. Equal definitions in one file are one window, so that rules share it."""

    name: str
    per: Period
    by: str
    money: bool
    globs: Globs
    place: Place

    def counter(self, seen: Seen, limit: int = UNLIMITED) -> Counter | None:
        """Return what a call adds; None if it cannot be told what, or to which sum."""
        if self.name not in seen.counters:
            seen.counters[self.name] = self._counter(seen)
        counter = seen.counters[self.name]
        return counter if counter is None or limit == UNLIMITED else replace(counter, limit=limit)

    def _counter(self, seen: Seen) -> Counter | None:
        added = self._added(seen)
        name = self._counter_name(seen)
        if added is None or name is None or not seen.facts.at_us:
            return None
        return Counter(name, period_start_us(self.per, self.place.zone, seen.facts.at_us), added, UNLIMITED)

    def over(self, seen: Seen, limit: int) -> Truth:
        """Whether the sum with this call is above a limit; None if it cannot be told."""
        counter = self.counter(seen)
        if counter is None:
            return None
        moved = seen.facts.moved.get(counter.name)
        return None if moved is None else moved + counter.amount > limit

    def _added(self, seen: Seen) -> int | None:
        if not self.money:
            return 1
        dollars = seen.money.dollars
        return None if dollars is None or dollars > _ADDED_MAX // 10**9 else usd(dollars)

    def _counter_name(self, seen: Seen) -> str | None:
        who = seen.call.who
        keys: list[Any] = [who.run_id] if self.per is Period.RUN else []
        kind, _, of = self.by.partition(".")
        if kind == "agent":
            keys.append(who.agent)
        elif kind == "principal":
            keys.append(who.principal.get(of))
        elif kind == "argument":
            values = found(seen.call.arguments, of)
            keys.append(values[0][1] if len(values) == 1 else None)
        if any(key is None or isinstance(key, dict | list | tuple) for key in keys):
            return None
        if not keys:
            return self.name
        said = canonical.encode([str(key) for key in keys])
        return f"{self.name}_{hmac.new(self.place.salt, said, hashlib.sha256).hexdigest()[:32]}"


def window_of(condition: Sum | Count, tools: tuple[str, ...], place: Place) -> Window:
    """Return the window of a rule that is about these tools."""
    own = condition.tools or tools
    money = isinstance(condition, Sum)
    said = [place.layer, place.zone, money, condition.per.value, condition.by, sorted(own)]
    name = "sum_" + hashlib.sha256(canonical.encode(said)).hexdigest()[:20]
    return Window(name, condition.per, condition.by, money, Globs(own), place)


def limit_of(condition: Sum | Count) -> int:
    """Return the limit of a condition, in nano-dollars or calls."""
    limit = condition.at_most if condition.at_most is not None else condition.above
    assert limit is not None, "a window has a limit"
    return usd(limit) if isinstance(condition, Sum) else int(limit)
