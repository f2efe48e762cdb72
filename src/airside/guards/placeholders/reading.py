"""What the owner of a run reads: values in the place of placeholders, but not inside links.

Whoever writes an answer could otherwise put a placeholder into a link, and the owner's own browser would carry the
value away: nothing that a link tells its server is put back, unless its host is one that the settings allow.
"""

import bisect
from collections.abc import Mapping, Sequence
from typing import Final

from airside.guards.output.links import LINKS_MAX, fits, links
from airside.guards.placeholders.spelling import found_in, put_back_where

_CLOSED_BY: Final = {'"': '"', "'": "'", "<": ">"}
_PLAIN: Final = str.maketrans("<>", "xx")


def put_back_for_owner(text: str, values: Mapping[str, str], hosts: Sequence[str] = ()) -> str:
    """Return a text with values in the place of placeholders; those in links stay, but for links to these hosts."""
    if not values or "<" not in text:
        return text
    kept = _Links(text, hosts)
    return put_back_where(text, values, lambda at: at not in kept)


def readable(text: str, hosts: Sequence[str] = ()) -> list[tuple[str, int]]:
    """Return the placeholders of a text that its owner may read as values, and where they begin."""
    found = found_in(text)
    if not found:
        return []
    kept = _Links(text, hosts)
    return [(name, at) for name, at in found if at not in kept]


class _Links:
    """Where the links of a text stand, placeholders taken for parts of them."""

    def __init__(self, text: str, hosts: Sequence[str]) -> None:
        names = found_in(text)
        plain = _plain(text, names)
        found = links(plain)
        spans = [(link.start, _end(plain, link.start, link.end)) for link in found if not fits(link.host, hosts)]
        if len(found) == LINKS_MAX:
            spans.append((found[-1].start, len(text)))  # the rest was not looked at
        self._starts = [start for start, _ in spans]
        self._ends: list[int] = []
        for _, end in spans:
            self._ends.append(max(end, self._ends[-1] if self._ends else 0))

    def __contains__(self, at: int) -> bool:
        before = bisect.bisect_right(self._starts, at)
        return before > 0 and at < self._ends[before - 1]


def _plain(text: str, names: Sequence[tuple[str, int]]) -> str:
    """Return a text of the same length whose placeholders are words."""
    pieces: list[str] = []
    last = 0
    for name, at in names:
        pieces += (text[last:at], name.translate(_PLAIN))
        last = at + len(name)
    return "".join(pieces) + text[last:]


def _end(text: str, start: int, end: int) -> int:
    """Return where a link ends that may hold spaces because it stands in quotes or in angle brackets."""
    closing = _CLOSED_BY.get(text[start - 1 : start])
    if closing is None:
        return end
    closed = text.find(closing, end)
    return closed if closed >= 0 else len(text)
