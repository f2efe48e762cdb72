"""The ledger of one run: all it has seen, by how far it may be trusted. A whitelist: what is not in it is unknown.

Grows call by call in the order of their outcomes; the user's prompt and what people have endorsed stand before. Which
result counts as trusted is said by the manifest of its tool, and taken back where the run itself may have put a value
there: a result inherits the taint of its call's arguments, and what was written and is read back stays what it was.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from airside.core.call import Effect
from airside.core.policy import VOUCHED, Link, Origin
from airside.core.tool import ArgumentRole, FieldLabel, Tool
from airside.policy.arguments import role_of
from airside.policy.provenance.corpus import Corpus, Place, is_short
from airside.policy.provenance.credentials import credentials
from airside.policy.provenance.declared import Declared
from airside.policy.provenance.entities import Entity, Kind, entities
from airside.policy.provenance.paths import Leaf, leaves, of_path
from airside.policy.provenance.records import Anchored, Belonging, add_listed, add_owned
from airside.policy.provenance.secrets import Secrets
from airside.policy.provenance.text import framed, plain

PROMPT: Final = "prompt"
LINKS_MAX: Final = 2_000
"""Arguments with more values than this are not looked at one by one: the rest is of unknown origin."""

_SELECTING = frozenset({ArgumentRole.QUERY, ArgumentRole.ID})
_SINGLING = frozenset({ArgumentRole.ID, ArgumentRole.TARGET, None})
"""Roles in which a short value singles something out: `7` may be a mail here and a file there, so lists must tell."""

_UNLABELLED: Final = FieldLabel()
_SECRET_CHARS_MIN = 4


class Made(Struct, frozen=True, kw_only=True):
    """A tool call that has an outcome. `tool` is its manifest, None when it is not known any more.

    `result` is a JSON value, None for a failure, whose words are `error`.
    """

    call_id: str
    name: str
    tool: Tool | None
    arguments: Any = None
    result: Any = None
    error: str = ""


class Ledger:
    """What a run has seen. `principal` is what is known for certain of whom the run is for."""

    def __init__(self, declared: Declared | None = None, principal: Mapping[str, str] | None = None) -> None:
        self._declared = declared or Declared()
        self._principal = dict(principal or {})
        self.prompt = Corpus(prose=True)
        self.endorsed = Corpus()
        self.trusted = Corpus()
        self.owned = Belonging()
        self.untrusted = Corpus()
        self.anchored = Anchored()
        self.listed = Belonging()
        self.secrets = Secrets()
        self._written = Corpus()
        self._stored = Corpus()
        self._written_texts: list[str] = []
        self._taints: dict[str, None] = {}

    @property
    def taints(self) -> tuple[str, ...]:
        """What the run has come across: `untrusted`, `secret`, and each with the tool that it came from."""
        return tuple(self._taints)

    def add_prompt(self, value: Any) -> None:
        """Take in the user's own words: any JSON value."""
        for leaf in leaves(value):
            self.prompt.add(leaf.value, Place(PROMPT, leaf.name))

    def add_foreign(self, value: Any, source: str) -> None:
        """Take in what somebody else wrote and the run was begun with."""
        for leaf in leaves(value, keys=True):
            self.untrusted.add(leaf.value, Place(source, leaf.name))
            self._taint("untrusted", source)

    def endorse(self, value: Any, source: str) -> None:
        """Take in a value that a person has vouched for."""
        for leaf in leaves(value):
            self.endorsed.add(leaf.value, Place(source, leaf.name))

    def add(self, made: Made) -> None:
        """Take in a call with its outcome."""
        links = self.links(made.tool, made.arguments)
        doubtful = {link.argument: link for link in links if link.origin not in VOUCHED}
        flows = any(link.role not in _SELECTING for link in doubtful.values())
        for leaf in leaves(made.arguments):
            if leaf.name in doubtful:
                self._note(made, leaf, doubtful[leaf.name])
        if made.error:
            self.untrusted.add(made.error, Place(made.call_id, "error"))
            self._taint("untrusted", made.name)
        if made.result is None:
            return
        labels = made.tool.results if made.tool is not None and not made.tool.local else {}
        for leaf in leaves(made.result, keys=True):
            self._add_field(made, leaf, of_path(labels, leaf.path) or _UNLABELLED, inherits=flows)
        self._add_records(made)

    def links(self, tool: Tool | None, arguments: Any) -> list[Link]:
        """Return where each value of some arguments comes from."""
        found: list[Link] = []
        for leaf in leaves(arguments):
            role = role_of(tool, leaf.name) if tool is not None else None
            if len(found) >= LINKS_MAX:
                break
            origin, place = self._origin(tool, leaf, role)
            found.append(Link(leaf.name, role or "", origin, place.source, place.field))
        return found

    def knows(self, entity: Entity) -> bool:
        """Whether something that a text names comes from where it may be relied on."""
        corpora = (self.prompt, self.endorsed, self.trusted)
        return any(corpus.names(entity) is not None for corpus in corpora)

    def _origin(self, tool: Tool | None, leaf: Leaf, role: ArgumentRole | None) -> tuple[Origin, Place]:
        """Return where one value comes from: the best that can be said of it."""
        value = leaf.value
        if (place := self._in_prompt(value, role)) is not None:
            return Origin.PROMPT, place
        if (place := self.endorsed.whole(value)) is not None:
            return Origin.ENDORSED, place
        if tool is not None:
            for origin, records in (
                (Origin.OWNED, self.owned),
                (Origin.ANCHORED, self.anchored),
                (Origin.TRUSTED, self.listed),
            ):
                if (place := records.find(tool.name, leaf.name, value)) is not None:
                    return origin, place
        if not (role in _SINGLING and is_short(value)) and (place := self.trusted.whole(value)) is not None:
            return Origin.TRUSTED, place
        if (place := self.untrusted.find(value)) is not None:
            return Origin.UNTRUSTED, place
        return Origin.UNKNOWN, Place("")

    def _in_prompt(self, value: Any, role: ArgumentRole | None) -> Place | None:
        if role is ArgumentRole.AMOUNT:
            return self.prompt.amount(value)
        place = self.prompt.find(value)
        if place is not None or not isinstance(value, str) or role is ArgumentRole.CONTENT:
            return place
        # `Bob <bob@example.com>` is whom the address names, whatever the words around it say.
        addresses = [entity for entity in entities(plain(value)) if entity.kind is Kind.EMAIL]
        return self.prompt.names(addresses[0]) if len(addresses) == 1 and value.strip().endswith(">") else None

    def _add_field(self, made: Made, leaf: Leaf, label: FieldLabel, *, inherits: bool) -> None:
        place = Place(made.call_id, f"{made.name}.{leaf.name}".strip("."))
        text = str(leaf.value)
        if label.secret:
            self._taint("secret", made.name)
            if len(text) >= _SECRET_CHARS_MIN:
                self.secrets.add(text, f"{made.name}.{leaf.name}")
        for credential in credentials(text):
            self._taint("secret", made.name)
            self.secrets.add(credential, f"{made.name}.{leaf.name}")
        if label.trusted and not inherits and not self._was_written(leaf.value):
            self.trusted.add(leaf.value, place)
            return
        self.untrusted.add(leaf.value, place)
        self._taint("untrusted", made.name)

    def _note(self, made: Made, leaf: Leaf, link: Link) -> None:
        """Remember a value that nobody vouched for: results may echo it, and records may come to hold it.

        A record holds the key that it was looked up by anyway; that is no sign that somebody wrote it there.
        """
        place = Place(made.call_id, leaf.name)
        self._written.add(leaf.value, place)
        self._written_texts.append(framed(plain(str(leaf.value))))
        if link.role not in _SELECTING or made.tool is None or made.tool.effect is not Effect.READ:
            self._stored.add(leaf.value, place)

    def _was_written(self, value: Any) -> bool:
        """Whether a value may be an echo of what the run has put into an argument without being vouched for."""
        if not self._written_texts:
            return False
        if self._written.find(value) is not None:
            return True
        said = framed(plain(str(value)))
        return any(len(text) > 6 and text in said for text in self._written_texts)

    def _add_records(self, made: Made) -> None:
        if made.tool is None or made.tool.local:
            return
        for anchor in self._declared.anchors:
            if anchor.tool == made.name:
                self.anchored.add(anchor, made.result, self.prompt, self._stored, made.call_id)
        for listing in self._declared.listings:
            if listing.tool == made.name:
                add_listed(self.listed, listing, made.result, self._stored, made.call_id)
        for relation in self._declared.relations:
            if relation.tool == made.name:
                add_owned(self.owned, relation, made.result, self._principal, self._stored, made.call_id)

    def _taint(self, kind: str, source: str) -> None:
        self._taints.setdefault(kind)
        self._taints.setdefault(f"{kind}:{source}")
