"""JSON values by the paths of their leaves: `to`, `lines.0.account`; patterns say `*` for any item or key."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

LEAVES_MAX: Final = 20_000
DEPTH_MAX: Final = 64


class Leaf(NamedTuple):
    """A scalar and where it stands."""

    path: tuple[str, ...]
    value: Any

    @property
    def name(self) -> str:
        """The path as text."""
        return ".".join(self.path)


def leaves(value: Any, *, keys: bool = False) -> Iterator[Leaf]:
    """Yield the scalars of a JSON value, at most LEAVES_MAX; nothing for null and what is empty.

    With `keys`, the names of members are values too: whoever writes a result writes them.
    """
    count = 0
    waiting: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, Mapping):
            if len(path) < DEPTH_MAX:
                waiting += [((*path, str(key)), inner) for key, inner in reversed(list(item.items()))]
            if keys:
                for key in item:
                    count += 1
                    yield Leaf((*path, str(key)), str(key))
        elif isinstance(item, list | tuple):
            if len(path) < DEPTH_MAX:
                waiting += [((*path, str(index)), inner) for index, inner in reversed(list(enumerate(item)))]
        elif item is not None and item != "":
            count += 1
            yield Leaf(path, item)
        if count >= LEAVES_MAX:
            return


@lru_cache(maxsize=4_096)
def split(pattern: str) -> tuple[str, ...]:
    """Return the steps of a written path; the empty path is the whole."""
    return tuple(pattern.split(".")) if pattern else ()


def fits(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    """Whether a path is the one that a pattern names, or lies below it."""
    if len(pattern) > len(path):
        return False
    return all(want in ("*", have) for want, have in zip(pattern, path, strict=False))


def of_path(labels: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """Return what labels say of a path: the longest fitting pattern counts, of equally long ones the more exact."""
    best, rank = None, (-1, -1)
    for written, label in labels.items():
        pattern = split(written)
        if fits(pattern, path):
            exact = sum(step != "*" for step in pattern)
            if (len(pattern), exact) > rank:
                best, rank = label, (len(pattern), exact)
    return best
