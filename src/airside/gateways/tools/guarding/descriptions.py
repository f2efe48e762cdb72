"""What foreign sources say of their tools is checked when they are listed: agents read it, and anybody may write it.

A tool whose words set a guard off is marked (`Tool.suspect`), and operators are told; what blocks leaves it out.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec.structs import replace

from airside.core.errors import AirsideError
from airside.core.lru import Lru
from airside.core.ports import Notices
from airside.core.run import Identity
from airside.gateways.tools.catalogue import LeftOut, Listed
from airside.gateways.tools.guarding.document import Path, document, with_texts
from airside.guards.finding import Place
from airside.guards.service import Guards, blocking

SUSPICIOUS: Final = "tool.suspicious"
KNOWN_MAX: Final = 10_000
_WORDS: Final = frozenset({"description", "title"})

OnListed = Callable[[str, Sequence[Listed], Sequence[LeftOut]], list[LeftOut]]
"""Takes over the tools of a source, and what it left out; returns what is left out in all."""


class Descriptions:
    """Stands in front of the catalogue."""

    def __init__(self, guards: Guards, notices: Notices, tenant: str, on_listed: OnListed) -> None:
        self._guards = guards
        self._notices = notices
        self._who = Identity(tenant, "", 0, "", "", "", (), False, 0)
        self._on_listed = on_listed
        self._known: Lru[tuple[str, str, str], Listed | LeftOut] = Lru(KNOWN_MAX)

    def __call__(self, source: str, tools: Sequence[Listed], left_out: Sequence[LeftOut] = ()) -> list[LeftOut]:
        """Hand a source's tools on as they may exist here; return all that cannot."""
        checked = [self._checked(source, listed) for listed in tools]
        fit = [one for one in checked if isinstance(one, Listed)]
        return self._on_listed(source, fit, [*left_out, *[one for one in checked if isinstance(one, LeftOut)]])

    def _checked(self, source: str, listed: Listed) -> Listed | LeftOut:
        """Return a tool as it may exist; one whose definition has not changed was checked already."""
        at = (source, listed.tool.name, listed.fingerprint)
        known = self._known.get(at) if listed.fingerprint else None
        if isinstance(known, LeftOut):
            return known
        if known is not None:
            return self._like(listed, known)
        made = self._made(source, listed)
        if listed.fingerprint:
            self._known.put(at, made)
        return made

    def _like(self, listed: Listed, known: Listed) -> Listed:
        """Return a tool with the words and marks of its earlier self: its manifest may say something else by now."""
        words, tool = known.tool, listed.tool
        changed = replace(
            tool, description=words.description, schema=words.schema, returns=words.returns, suspect=words.suspect
        )
        return replace(listed, tool=changed)

    def _made(self, source: str, listed: Listed) -> Listed | LeftOut:
        tool = listed.tool
        said: dict[str, Any] = {
            "description": tool.description,
            "schema": dict(tool.schema),
            "returns": dict(tool.returns),
        }
        try:
            read = document(said)
            judged = self._guards.judge_now(self._who, read.text, Place.DESCRIPTION)
        except AirsideError as error:
            return LeftOut(tool.name, f"what it says of itself cannot be checked: {error.message}")
        if not judged:
            return listed
        rules = tuple(sorted({one.finding.rule for one in judged}))
        body = {"key": f"{source}/{tool.name}", "source": source, "tool": tool.name, "rules": list(rules)}
        stop = blocking(judged)
        self._notices.tell(self._who.tenant_id, SUSPICIOUS, {**body, "left_out": stop is not None})
        if stop is not None:
            why = f"what it says of itself sets off the {stop.finding.guard.value} guard (rule {stop.finding.rule})"
            return LeftOut(tool.name, why)
        texts: dict[Path, str] = {}
        for at, found in read.by_piece(judged):
            piece = read.pieces[at]
            if not piece.is_key and piece.path[-1] in _WORDS:
                texts[piece.path] = self._guards.redacted(read.of_piece(at), found)
        said = with_texts(said, texts, {})
        changed = replace(
            tool, description=said["description"], schema=said["schema"], returns=said["returns"], suspect=rules
        )
        return replace(listed, tool=changed)
