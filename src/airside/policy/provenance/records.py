"""Records that vouch for their own values: anchored by a key that the user named, or owned by whom the run is for."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airside.policy.provenance.corpus import Corpus, Place
from airside.policy.provenance.declared import Anchor, Listing, Relation
from airside.policy.provenance.paths import fits, leaves, split
from airside.policy.provenance.text import plain, words

_EXTENSION = re.compile(r"\.[a-z0-9]{1,5}$")
_FIELDS_MAX = 10_000


class Belonging:
    """Values by the arguments (`TOOL.PATH`) that they are good for."""

    def __init__(self) -> None:
        self._good_for: dict[str, Corpus] = {}

    def add(self, arguments: Iterable[str], value: Any, place: Place) -> None:
        """Take in a value."""
        for argument in arguments:
            self._good_for.setdefault(argument, Corpus()).add(value, place)

    def find(self, tool: str, path: str, value: Any) -> Place | None:
        """Return where a value stands, if it is good for an argument."""
        if not self._good_for:
            return None
        exact = split(path)
        for argument, corpus in self._good_for.items():
            name, _, pattern = argument.partition(".")
            if name in ("*", tool) and fits(split(pattern), exact) and (place := corpus.whole(value)) is not None:
                return place
        return None


class Anchored:
    """The values of records whose keys the user named; a key that names two records vouches for neither."""

    def __init__(self) -> None:
        self._named: dict[tuple[str, str, str], dict[str, Belonging]] = {}

    def add(self, anchor: Anchor, result: Any, prompt: Corpus, written: Corpus, source: str) -> None:
        """Take in the records of a result; what the run itself has `written` without being vouched for counts not."""
        for path, record in _records(result, anchor.record):
            identities = _fields(record, anchor.identity or anchor.values[0])
            if not identities:
                continue
            values = [leaf for field in anchor.values for leaf in _fields(record, field)]
            for key in _keys(anchor, record, prompt):
                known = self._named.setdefault((anchor.tool, anchor.record, key), {})
                belonging = known.setdefault(plain(str(identities[0][1])), Belonging())
                for field, value in values:
                    if written.whole(value) is None:
                        belonging.add(anchor.arguments, value, Place(source, _named(anchor.tool, path, field)))

    def find(self, tool: str, path: str, value: Any) -> Place | None:
        """Return the record that vouches for the value of an argument."""
        for known in self._named.values():
            if len(known) == 1:
                (belonging,) = known.values()
                if (place := belonging.find(tool, path, value)) is not None:
                    return place
        return None


def add_owned(
    owned: Belonging, relation: Relation, result: Any, principal: Mapping[str, str], written: Corpus, source: str
) -> None:
    """Take in the values of the records of a result that belong to the principal."""
    whose = principal.get(relation.principal, "")
    if not whose:
        return
    for path, record in _records(result, relation.record):
        owners = [value for _, value in _fields(record, relation.owner)]
        if not owners or any(plain(str(owner)) != plain(whose) for owner in owners):
            continue
        for field in relation.values:
            for name, value in _fields(record, field):
                if written.whole(value) is None:
                    owned.add(relation.arguments, value, Place(source, _named(relation.tool, path, name)))


def add_listed(listed: Belonging, listing: Listing, result: Any, written: Corpus, source: str) -> None:
    """Take in what a list of one's own house holds."""
    for field, value in _fields(result, listing.field):
        if written.whole(value) is None:
            listed.add(listing.arguments, value, Place(source, _named(listing.tool, (), field)))


def _keys(anchor: Anchor, record: Any, prompt: Corpus) -> Iterator[str]:
    """Yield the keys of a record that the user named."""
    for field in anchor.keys:
        for _, value in _fields(record, field):
            text = plain(str(value))
            for spelling in (text, _EXTENSION.sub("", text)):
                if len("".join(words(spelling))) > 3 and prompt.find(spelling) is not None:
                    yield f"{field}={' '.join(words(spelling))}"
            if anchor.beginning and (run := prompt.beginning(_EXTENSION.sub("", text))):
                yield f"{field}={run}*"


def _records(result: Any, pattern: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    waiting: list[tuple[tuple[str, ...], Any]] = [((), result)]
    for step in split(pattern):
        waiting = [below for path, item in waiting for below in _below(path, item, step)][:_FIELDS_MAX]
    yield from waiting


def _fields(record: Any, pattern: str) -> list[tuple[str, Any]]:
    """Return the scalars at and below a field; a step `@key` stands for the names of an object's members."""
    steps = split(pattern)
    if steps and steps[-1] == "@key":
        places = _records(record, ".".join(steps[:-1]))
        return [(f"{'.'.join(path)}.{name}", name) for path, at in places if isinstance(at, Mapping) for name in at]
    found = []
    for path, at in _records(record, pattern):
        found += [(".".join((*path, *leaf.path)), leaf.value) for leaf in leaves(at)]
    return found[:_FIELDS_MAX]


def _named(tool: str, path: tuple[str, ...], field: str) -> str:
    return ".".join(part for part in (tool, *path, field) if part)


def _below(path: tuple[str, ...], item: Any, step: str) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(item, Mapping):
        names = list(item) if step == "*" else [step] if step in item else []
        return [((*path, str(name)), item[name]) for name in names]
    if isinstance(item, list | tuple):
        wanted = range(len(item)) if step == "*" else [int(step)] if step.isdigit() and int(step) < len(item) else []
        return [((*path, str(index)), item[index]) for index in wanted]
    return []
