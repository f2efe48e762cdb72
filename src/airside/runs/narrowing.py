"""Tokens that may do less: an attempt makes them from its own, for the sub-agents that it runs itself.

Such a token is opaque, like the one it is made from, and kept as a hash; it ends with its attempt, or before. What it
may not do is said in the rules of policy, and judged where all rules are: it narrows, and nothing it says can widen.
"""

import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from airside.core import canonical
from airside.core.clock import SECOND_US
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_secret
from airside.core.ports import Database, Identities, Transaction
from airside.journal.queries import load
from airside.policy.loading import parse
from airside.runs.keys import digest
from airside.runs.tokens import granted

_SQL = load("airside.runs", "keys.sql")

RULES_BYTES_MAX = 16_384
CAVEATS_MAX = 8
TOKENS_MAX = 200
SECONDS_MAX = 86_400.0


class Narrower(Struct, frozen=True, forbid_unknown_fields=True):
    """What a new token may do at most: `tools` by name (all of the old token's if absent), for `expires_s` seconds.

    `rules` are rules as in a policy file; a call must pass them besides all that hold anyway.
    """

    tools: list[str] | None = None
    rules: list[dict[str, Any]] = []
    expires_s: float = SECONDS_MAX


class Narrowed(Struct, frozen=True):
    """A new token, when it ends at the latest, and the tools it may use."""

    token: str
    expires_us: int
    tools: Sequence[str]


class Narrowing:
    """Makes narrower tokens."""

    def __init__(self, database: Database, identities: Identities) -> None:
        self._database = database
        self._identities = identities

    async def make(self, token: str, wanted: Narrower) -> Narrowed:
        """Return a token that may do less than `token`, which must be a run's.

        Raises `forbidden` for other credentials, `invalid_request` for rules that are none, `limit_exceeded`, and what
        `Identities.resolve` raises.
        """
        if not token.startswith("rt_"):
            raise AirsideError(
                Code.FORBIDDEN, "only the token of a run can be narrowed", advice="Use keys as they are."
            )
        if not 0 < wanted.expires_s <= SECONDS_MAX:
            raise AirsideError(Code.INVALID_REQUEST, f"expires_s must be above 0 and at most {SECONDS_MAX:.0f}")
        who = await self._identities.resolve(token, "")
        caveats = [*who.caveats, *_caveat(wanted.rules)]
        if len(caveats) > CAVEATS_MAX:
            raise AirsideError(Code.LIMIT_EXCEEDED, f"a token can be narrowed by rules {CAVEATS_MAX} times")
        only = who.only if wanted.tools is None else tuple(wanted.tools)
        if wanted.tools is not None and who.only is not None:
            only = granted(who.only, wanted.tools)
        made = new_secret("rt")

        async def body(tx: Transaction) -> int:
            named = {"tenant_id": who.tenant_id, "run_id": who.run_id, "attempt": who.attempt}
            count = await tx.one(_SQL["count_narrowed"], **named)
            if count and count["n"] >= TOKENS_MAX:
                raise AirsideError(Code.LIMIT_EXCEEDED, f"an attempt can make {TOKENS_MAX} tokens")
            until_us = tx.now_us + int(wanted.expires_s * SECOND_US)
            await tx.execute(
                _SQL["narrow"],
                **named,
                token_hash=digest(made),
                tools="" if only is None else json.dumps(only),
                rules=json.dumps(caveats),
                until_us=until_us,
            )
            return until_us

        tools = who.tools if only is None else granted(who.tools, only)
        return Narrowed(made, await self._database.transact(body), tools)


def _caveat(rules: Sequence[dict[str, Any]]) -> list[str]:
    """Return rules as the text of a policy, in a list of one, or of none; raises `invalid_request`.

    Why a rule is there stays out: what an agent writes is content, and would stand in the journal and before reviewers.
    """
    if not rules:
        return []
    text = canonical.encode({"rules": [{key: rule[key] for key in rule if key != "because"} for rule in rules]})
    if len(text) > RULES_BYTES_MAX:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"the rules are over {RULES_BYTES_MAX} bytes")
    try:
        parse(text, "rules")
    except AirsideError as error:
        raise AirsideError(Code.INVALID_REQUEST, error.message, advice=error.advice) from None
    return [text.decode()]
