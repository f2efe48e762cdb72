"""What would leave with a call and must not: secrets, and links, addresses or accounts that nobody vouches for."""

from collections.abc import Iterator
from typing import Any, Final

from airside.core.call import Effect
from airside.core.tool import ArgumentRole, Tool
from airside.policy.arguments import role_of
from airside.policy.provenance.entities import reaching
from airside.policy.provenance.ledger import Ledger
from airside.policy.provenance.paths import leaves
from airside.policy.provenance.text import plain

LEAVES_MAX: Final = 100


def sends(tool: Tool) -> bool:
    """Whether a call of a tool may tell somebody something: by a recipient, over the network, or nobody knows."""
    return bool(
        tool.hosts
        or not tool.declared
        or tool.effect is Effect.EXECUTE
        or ArgumentRole.RECIPIENT in tool.roles.values()
    )


def leaving(ledger: Ledger, tool: Tool, arguments: Any) -> list[str]:
    """Return what would leave with a call, by argument: `body: unknown link`, `body: secret get_user.card`."""
    if not sends(tool):
        return []
    found: dict[str, None] = {}
    for leaf in leaves(arguments, keys=True):
        if not isinstance(leaf.value, str | int) or isinstance(leaf.value, bool):
            continue
        text = str(leaf.value)
        for name in ledger.secrets.found_in(text):
            if ledger.prompt.find(leaf.value) is None:
                found[f"{leaf.name}: secret {name}"] = None
        for thing in _unvouched(ledger, tool, leaf.name, text):
            found[f"{leaf.name}: unknown {thing}"] = None
        if len(found) >= LEAVES_MAX:
            break
    return list(found)[:LEAVES_MAX]


def _unvouched(ledger: Ledger, tool: Tool, name: str, text: str) -> Iterator[str]:
    role = role_of(tool, name)
    if role is ArgumentRole.RECIPIENT:
        return  # whom it goes to is a matter of the argument's own origin
    for entity in reaching(plain(text)):
        if not ledger.knows(entity):
            yield entity.kind
