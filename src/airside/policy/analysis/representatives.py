"""Values that stand for all others: two values that no condition of a policy tells apart need not both be tried.

Patterns that are literal, or begin or end with one star, cut text into classes each of which has a representative here;
of patterns with stars inside, only pairs are intersected.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import combinations, pairwise
from typing import Any, Final

from airside.policy.conditions import ArgumentIs

ABSENT: Final = object()
"""The argument is not there."""

PAIRS_MAX = 40_000
FRESH: Final = "other_x7"
"""A text that no sensible pattern names."""


def texts(globs: Iterable[str]) -> list[str]:
    """Return texts of which at least one fits each satisfiable combination of patterns, and one that fits none."""
    known = list(dict.fromkeys(globs))
    found = {FRESH}
    starred = [glob for glob in known if "*" in glob]
    for glob in known:
        found.add(_filled(glob, ""))
        if "*" in glob:
            found.add(_filled(glob, FRESH))
    for count, (one, other) in enumerate(combinations(starred, 2)):
        if count >= PAIRS_MAX:
            break
        found.update(_both(one, other))
    return sorted(text for text in found if text)


def told_exactly(globs: Iterable[str]) -> bool:
    """Whether `texts` has a representative of every class, so that finding nothing is a proof."""
    globs = list(globs)
    starred = [glob for glob in globs if "*" in glob]
    if len(starred) ** 2 > 2 * PAIRS_MAX and any(glob.startswith("*") for glob in starred):
        return False
    return all("?" not in glob and "*" not in glob.strip("*") and not _infix(glob) for glob in globs)


def values(conditions: Iterable[ArgumentIs]) -> list[Any]:
    """Return values of an argument, ABSENT among them, that the conditions may tell apart."""
    known = list(_flat(conditions))
    found: list[Any] = [ABSENT, FRESH, 0, None]
    globs = [glob for is_ in known for glob in is_.matches or ()]
    found += texts(globs) if globs else []
    numbers: set[Decimal] = set()
    for is_ in known:
        for value in [*(is_.one_of or ()), *([] if is_.equals is None else [is_.equals])]:
            found.append(value)
            if isinstance(value, int | Decimal) and not isinstance(value, bool):
                numbers.add(Decimal(value))
        numbers |= {bound for bound in (is_.at_most, is_.at_least, is_.above, is_.below) if bound is not None}
        for folder in is_.under_path or ():
            found += [folder, folder.rstrip("/") + "/x", "/" + FRESH]
        for host in is_.host_in or ():
            found += [f"https://{_filled(host, 'x')}/", "https://other-x7.example/"]
        if is_.length_max is not None:
            found += ["x" * is_.length_max, "x" * (is_.length_max + 1)] if is_.length_max < 10_000 else []
    return _distinct([*found, *[_plain(number) for number in _around(numbers)]])


def _flat(conditions: Iterable[ArgumentIs]) -> Iterator[ArgumentIs]:
    for is_ in conditions:
        yield is_
        if is_.not_ is not None:
            yield is_.not_


def _around(bounds: set[Decimal]) -> list[Decimal]:
    ordered = sorted(bounds)
    if not ordered:
        return []
    between = [(one + other) / 2 for one, other in pairwise(ordered)]
    return [ordered[0] - 1, *ordered, *between, ordered[-1] + 1]


def _plain(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


def _distinct(found: Sequence[Any]) -> list[Any]:
    kept: dict[Any, Any] = {}
    for value in found:
        plain = _plain(value) if isinstance(value, Decimal) else value
        kept.setdefault((type(plain).__name__, repr(plain)), plain)
    return list(kept.values())


def _filled(glob: str, star: str) -> str:
    return glob.replace("*", star).replace("?", "x")


def _infix(glob: str) -> bool:
    return glob.startswith("*") and glob.endswith("*") and len(glob.strip("*")) > 0


def _both(one: str, other: str) -> Iterator[str]:
    """Yield texts that fit both of two patterns, if their ends agree."""
    a_head, _, a_rest = one.partition("*")
    b_head, _, b_rest = other.partition("*")
    head = a_head if len(a_head) >= len(b_head) else b_head
    if not (head.startswith(a_head) and head.startswith(b_head)):
        return
    a_tail, b_tail = a_rest.rpartition("*")[2], b_rest.rpartition("*")[2]
    tail = a_tail if len(a_tail) >= len(b_tail) else b_tail
    if not (tail.endswith(a_tail) and tail.endswith(b_tail)):
        return
    middles = [piece for rest in (a_rest, b_rest) for piece in rest.split("*")[:-1] if piece]
    yield (head + FRESH.join(["", *middles, ""]) + tail).replace("?", "x")
