"""The manifest of a tool: what it does to the world, as its owner declares it.

What is not declared is taken at its worst: it executes, cannot be undone, and must not be sent twice.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from airside.core.call import Effect


class Tool(Struct, frozen=True, kw_only=True):
    """A tool as agents see it (`name`, `description`, JSON Schema of its arguments) and as policy sees it.

    `idempotent`: the tool honours the idempotency key it is given, so a call whose outcome is unknown may be re-sent.
    `amount_argument` names the argument that carries money; `amount_unit` is `usd` or `cents`.
    `timeout_s` bounds one execution. `local` tools run inside the agent's process and are only gated.
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
