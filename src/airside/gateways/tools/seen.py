"""A tool as its source tells it, beside what the manifests say of it: drafts for people, and what has drifted. Pure.

Everything drafted is a guess by names and by what the source claims, marked as such, and not in force until a person
has looked at it: a draft has `declared: false`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import yaml
from msgspec import Struct

from airside.core.tool import Tool
from airside.gateways.tools.manifest import Manifests

_READING: Final = ("get", "list", "search", "find", "read", "fetch", "show", "describe", "query", "count", "lookup")
_ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "recipient": ("to", "cc", "bcc", "recipient", "recipients", "email", "phone", "iban", "payee", "assignee"),
    "amount": ("amount", "price", "total", "sum", "quantity", "limit_usd", "value_usd"),
    "query": ("query", "q", "search", "filter", "filters", "keywords", "page", "limit", "cursor", "sort", "order_by"),
    "content": ("body", "text", "message", "content", "note", "subject", "title", "comment", "description", "reason"),
    "target": ("path", "file", "url", "host", "repo", "repository", "owner", "branch", "account", "channel", "bucket"),
}
_BY_NAME: Final = {name: role for role, names in _ROLES.items() for name in names}


class Status(StrEnum):
    """How a tool stands to the manifests."""

    DECLARED = "declared"
    UNDECLARED = "undeclared"  # nobody has said anything of it
    DRAFTED = "drafted"  # a draft that nobody has confirmed
    CHANGED = "changed"  # it is not what was confirmed: undeclared again


class Seen(Struct, frozen=True, kw_only=True):
    """A tool as its source tells it now. `hints` are the source's own claims, `method` that of an HTTP operation."""

    native: str
    tool: Tool
    fingerprint: str
    status: Status
    hints: Mapping[str, bool] = {}
    method: str = ""

    @property
    def full(self) -> str:
        """The name under which a manifest speaks of it."""
        return f"{self.tool.source}/{self.native}"


class Unreached(Struct, frozen=True):
    """A source that could not be asked, or a tool that cannot exist here, and why."""

    name: str
    why: str


def status(manifests: Manifests, source: str, native: str, fingerprint: str, *, itself: bool = False) -> Status:
    """Return how a tool stands to the manifests; `itself` if its source declares it, as `@tool` does."""
    match = manifests.of(source, native)
    if match is None:
        return Status.DECLARED if itself else Status.UNDECLARED
    if match.entry.fingerprint and match.entry.fingerprint != fingerprint:
        return Status.CHANGED
    return Status.DECLARED if match.entry.declared else Status.DRAFTED


def draft(tools: Sequence[Seen]) -> str:
    """Return a manifest file for a person to go through, with every guess marked as a hint."""
    lines = [
        "# Drafted by `airside tools scan`. Nothing here is in force while it says `declared: false`: look at each",
        "# tool, correct what is wrong, and take that line out. Arguments without a role count as critical, results",
        "# that are not called trusted as untrusted.",
        "tools:" if tools else "tools: {}",
    ]
    for seen in tools:
        lines += _entry(seen)
    return "\n".join(lines) + "\n"


def report(tools: Iterable[Seen], manifests: Manifests, *, strict: bool) -> Iterator[str]:
    """Yield what a check has to complain of; `strict` also about tools that nobody has declared."""
    tools = list(tools)
    for seen in tools:
        if seen.status is Status.CHANGED:
            yield f"{seen.full}: it is not what was confirmed; it counts as undeclared until its fingerprint is renewed"
        elif strict and seen.status is not Status.DECLARED:
            yield f"{seen.full}: it is {seen.status}"
    for name in manifests.unused([seen.full for seen in tools]):
        yield f"{name}: a manifest speaks of it, and no source has it"


def _entry(seen: Seen) -> Iterator[str]:
    effect, why = _effect(seen)
    first = seen.tool.description.partition("\n")[0]
    yield f"  {_scalar(seen.full)}:" + (f"  # {first[:100]}" if first else "")
    yield "    declared: false"
    yield f"    effect: {effect}  # hint: {why}"
    if "destructiveHint" in seen.hints and effect != "read":
        yield f"    reversible: false  # hint: destructiveHint is {str(seen.hints['destructiveHint']).lower()}"
    if seen.hints.get("idempotentHint"):
        yield "    idempotent: false  # hint: idempotentHint is true; true only if it honours an idempotency key"
    if roles := _roles(seen.tool.schema):
        yield "    roles:  # hint: by the names of arguments"
        yield from (f"      {_scalar(name)}: {role}" for name, role in roles.items())
    yield f"    fingerprint: {seen.fingerprint}"


def _effect(seen: Seen) -> tuple[str, str]:
    read_only = seen.hints.get("readOnlyHint")
    if read_only is not None:
        return ("read" if read_only else "write"), f"readOnlyHint is {str(read_only).lower()}"
    if seen.method:
        return ("read" if seen.method in {"GET", "HEAD"} else "write"), f"its method is {seen.method}"
    if seen.native.lower().startswith(_READING):
        return "read", "its name"
    return "execute", "nothing is known of it"


def _roles(schema: Mapping[str, Any]) -> dict[str, str]:
    properties = schema.get("properties")
    names = list(properties) if isinstance(properties, Mapping) else []
    found = {}
    for name in names:
        plain = name.lower().replace("-", "_")
        if role := _BY_NAME.get(plain) or ("id" if plain == "id" or plain.endswith(("_id", "_ids", "id")) else ""):
            found[name] = role
    return found


def _scalar(text: str) -> str:
    """Return a text as YAML has it, quoted if it must be."""
    return yaml.safe_dump(text, default_flow_style=True, width=10_000).removesuffix("\n...\n").strip()
