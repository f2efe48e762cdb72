"""Who may use which secret, where: nobody, unless a grant of the configuration says so. Pure decisions, no I/O."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from airside.config.secrets import GrantSettings
from airside.core.errors import AirsideError, Code
from airside.secrets.handle import SCHEME, Handle, Place, handles_in

Path = tuple[str, ...]
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):[/\\]+([^/?#\s\"'<>]*)")
_HOST = re.compile(r"([A-Za-z0-9.-]+)(?::[0-9]*)?")


class Asker(NamedTuple):
    """On whose behalf a tool is called."""

    tenant_id: str
    agent: str
    tool: str


class Use(NamedTuple):
    """A handle in the arguments of a call, to be replaced on the way out: which text, and where in it."""

    path: Path
    text: str
    place: Place
    handle: Handle


class Grants:
    """The grants of an installation, whose first tenant is `home`."""

    def __init__(self, grants: Sequence[GrantSettings], home: str) -> None:
        self._grants = grants
        self._home = home

    def named(self, asker: Asker) -> Mapping[str, str]:
        """Return the handles that a hosted function may ask for by name; an earlier grant beats a later one."""
        found: dict[str, str] = {}
        for grant in self._of(asker):
            if grant.name and not grant.secret.endswith("*"):
                found.setdefault(grant.name, grant.secret)
        return found

    def uses(self, asker: Asker, arguments: Any) -> list[Use]:
        """Return the handles in a call's arguments that are to be replaced by their values.

        A text that is a handle must be granted at its place. Within a longer text, handles are only looked for where
        the tool has a grant at all; elsewhere they stay the text they are. Raises `secret_denied`, which says nothing
        of what exists, and `invalid_arguments` for what begins like a handle and is none.
        """
        grants = [grant for grant in self._of(asker) if grant.arguments]
        found: list[Use] = []
        for path, text in _texts(arguments, ()):
            here = [grant for grant in grants if _at(grant.arguments, path)]
            places = [place for place in handles_in(text) if here or (place.start, place.end) == (0, len(text))]
            found += [Use(path, text, place, _granted(place, here, path, arguments)) for place in places]
        return found

    def _of(self, asker: Asker) -> list[GrantSettings]:
        return [
            grant
            for grant in self._grants
            if _named(grant.tools, asker.tool)
            and _named(grant.agents, asker.agent)
            and _named(grant.tenants or [self._home], asker.tenant_id)
        ]


def _granted(place: Place, here: Sequence[GrantSettings], path: Path, arguments: Any) -> Handle:
    where = ".".join(path)[:100]
    if place.handle is None:
        raise AirsideError(Code.INVALID_ARGUMENTS, f"{where}: this begins like the handle of a secret and is none")
    allowing = [grant for grant in here if _fits(grant.secret, str(place.handle))]
    if not allowing:
        raise AirsideError(Code.SECRET_DENIED, f"{where}: no grant allows this handle for this tool at this place")
    hosts = {host.lower() for grant in allowing for host in grant.hosts}
    if hosts and all(grant.hosts for grant in allowing) and not _hosts_of(arguments) <= hosts:
        raise AirsideError(Code.SECRET_DENIED, f"{where}: an address in this call is not one this secret may go to")
    return place.handle


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for at, item in enumerate(value):
            yield from _texts(item, (*path, str(at)))


def _hosts_of(arguments: Any) -> set[str]:
    """Return the hosts that addresses in the arguments name.

    What clients could read differently (user names, backslashes, brackets) count as an unknown host that no grant has.
    """
    found = set()
    for _, text in _texts(arguments, ()):
        for address in _ADDRESS.finditer(text):
            plain = _HOST.fullmatch(address[2])
            if f"{address[1]}://" != SCHEME:
                found.add(plain[1].lower() if plain else "?")
    return found


def _at(patterns: Sequence[str], path: Path) -> bool:
    """Whether a pattern leads to a place: segment by segment, `*` is any one; a lone `*` is every place."""
    for pattern in patterns:
        segments = pattern.split(".")
        if pattern == "*" or (
            len(segments) == len(path) and all(map(lambda own, part: own in {"*", part}, segments, path))
        ):
            return True
    return False


def _named(patterns: Sequence[str], name: str) -> bool:
    return any(_fits(pattern, name) for pattern in patterns)


def _fits(pattern: str, text: str) -> bool:
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern
