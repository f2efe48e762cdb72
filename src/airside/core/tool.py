"""The manifest of a tool: what it does to the world, as its owner declares it.

What is not declared is taken at its worst: it executes, cannot be undone, must not be sent twice; its arguments are
critical, and what it returns is untrusted.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from airside.core.call import Effect
from airside.core.money import ZERO, NanoUsd

WHOLE: Final = ""
"""The path of a result as a whole, in `Tool.results`."""


class ArgumentRole(StrEnum):
    """What an argument is to the effect: what whoever controls it controls."""

    TARGET = "target"  # what is acted on: a file, an account, a host
    AMOUNT = "amount"  # how much: money, or a number of things
    RECIPIENT = "recipient"  # who gets something
    CONTENT = "content"  # what is said or written
    ID = "id"  # which record
    QUERY = "query"  # what is looked for


CRITICAL: Final = frozenset({ArgumentRole.TARGET, ArgumentRole.AMOUNT, ArgumentRole.RECIPIENT, ArgumentRole.ID})
"""Roles whose values decide whom an effect hits. An argument without a role is critical too."""


class FieldLabel(Struct, frozen=True):
    """What a field of a result is: `trusted` when nobody outside wrote it, `secret` when it must not leave."""

    trusted: bool = False
    secret: bool = False


class Tool(Struct, frozen=True, kw_only=True):
    """A tool as agents see it (`name`, `description`, JSON Schema of its arguments) and as policy sees it.

    `idempotent`: the tool honours the idempotency key it is given, so a call whose outcome is unknown may be re-sent.
    `amount_argument` names the argument that carries money; `amount_unit` is `usd` or `cents`.
    `timeout_s` bounds one execution. `local` tools run inside the agent's process and are only gated.

    `roles` are those of arguments, by their paths (`to`, `lines.*.account`; `*` is any item or key). `results` labels
    fields of the result by their paths, the longest path that fits counts; WHOLE is the result itself. `hosts` are
    where the tool sends something (`api.example.com:443`); empty is nowhere. A result may serve an equal call again for
    `cache_ttl_s` seconds; with `cache_shared` a call of another run of the same tenant too. `invalidates` names tools
    whose cached results are stale once this one has had an effect. `capability` names what it lets an agent do,
    together with other tools, so that they are switched off together when they fail. `cost` is what one call costs.
    `declared` is false until a person has said all this of the tool. `returns` is the JSON Schema of its result, empty
    if none is promised. `suspect` names rules of guards that its own words set off. `source` says where the tool comes
    from: `host`, `airside`, `local`, `mcp:NAME`, `openapi:NAME`, `agent:NAME`.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    effect: Effect = Effect.EXECUTE
    reversible: bool = False
    idempotent: bool = False
    amount_argument: str = ""
    amount_unit: str = "usd"
    timeout_s: float = 30.0
    local: bool = False
    roles: Mapping[str, ArgumentRole] = {}
    results: Mapping[str, FieldLabel] = {}
    hosts: tuple[str, ...] = ()
    cache_ttl_s: float = 0.0
    cache_shared: bool = False
    invalidates: tuple[str, ...] = ()
    capability: str = ""
    cost: NanoUsd = ZERO
    declared: bool = False
    source: str = ""
    returns: Mapping[str, Any] = {}
    suspect: tuple[str, ...] = ()
