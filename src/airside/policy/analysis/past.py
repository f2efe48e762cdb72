"""Past calls from the journal, put to the rules of today: which verdicts would change, and why one was as it was.

A call that was refused before its intent left no arguments in the journal; rules that look at them cannot tell.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from airside.core import canonical
from airside.core.call import Call, CallKind, Effect
from airside.core.errors import AirsideError, Code
from airside.core.policy import Decision, Facts, Link, Verdict
from airside.core.ports import Database, Keyring, Policy, Row, Transaction
from airside.core.run import Identity
from airside.core.tool import Tool
from airside.journal.queries import load

_SQL = load("airside.policy.analysis", "past.sql")
PAGE = 200
ARGUMENT_BYTES_MAX = 16_777_216


class PastCall(Struct, frozen=True):
    """A call as policy saw it: its facts are those that the journal kept; `readable` is false without arguments."""

    entry_id: int
    call: Call
    decision: Decision
    readable: bool


class Changed(Struct, frozen=True):
    """A past call whose verdict would be another today."""

    call_id: str
    run_id: str
    agent: str
    name: str
    at_us: int
    before: Verdict
    now: Verdict
    rules: tuple[str, ...]
    readable: bool


class Past:
    """Reads the tool calls of a tenant that policy was asked about."""

    def __init__(self, database: Database, keyring: Keyring, tenant_id: str) -> None:
        self._database = database
        self._keyring = keyring
        self._tenant_id = tenant_id

    async def latest(self, most: int) -> AsyncIterator[PastCall]:
        """Yield up to `most` past calls, the latest first."""
        before, left = 2**62, most
        while left > 0:
            rows = await self._rows("calls", before=before, n=min(PAGE, left))
            for row in rows:
                past = await self._past(row)
                if past is not None:
                    yield past
            left -= len(rows)
            if len(rows) < PAGE:
                return
            before = rows[-1]["entry_id"]

    async def one(self, call_id: str) -> PastCall:
        """Return how policy last saw a call; raises AirsideError `not_found`."""
        for row in await self._rows("call", call_id=call_id):
            past = await self._past(row)
            if past is not None:
                return past
        raise AirsideError(Code.NOT_FOUND, f"the journal has no tool call {call_id} that policy was asked about")

    async def _rows(self, name: str, **parameters: object) -> Sequence[Row]:
        async def body(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(_SQL[name], tenant_id=self._tenant_id, **parameters)

        return await self._database.read(body)

    async def _past(self, row: Row) -> PastCall | None:
        said: dict[str, Any] = msgspec.json.decode(bytes(row["body"]))
        if said.get("kind") != CallKind.TOOL or not said.get("decision"):
            return None
        decision = msgspec.convert(said["decision"], Decision)
        arguments = await self._arguments(row, said.get("request") or ())
        facts = _facts(said.get("facts") or {}, decision.links, row["at_us"])
        call = Call(
            call_id=row["call_id"],
            kind=CallKind.TOOL,
            name=said["name"],
            token="",
            parts=(),
            effect=Effect(said["effect"]),
            idempotent=False,
            timeout_s=1.0,
            identity=_identity(row, self._tenant_id, facts.caller),
            arguments=arguments,
            facts=facts,
        )
        return PastCall(row["entry_id"], call, decision, arguments is not None)

    async def _arguments(self, row: Row, request: Sequence[str]) -> Mapping[str, Any] | None:
        if len(request) != 1:
            return None
        content_id = bytes.fromhex(request[0])
        found = await self._rows("content", subject=row["subject"], content_id=content_id)
        if not found:
            return None
        try:
            key = await self._keyring.subject(self._tenant_id, row["subject"])
        except AirsideError:
            return None  # the subject was erased
        value = canonical.parse(key.open(content_id, bytes(found[0]["sealed"])), bytes_max=ARGUMENT_BYTES_MAX)
        return value if isinstance(value, dict) else None


def changed(past: PastCall, policy: Policy, tool_of: Mapping[str, Tool]) -> Changed | None:
    """Return how the verdict on a past call would change; None if it would not."""
    call = past.call
    tool = tool_of.get(call.name) or Tool(name=call.name, description="", schema={}, effect=call.effect)
    now = policy.decide(call, tool)
    if now.verdict is past.decision.verdict:
        return None
    return Changed(
        call.call_id,
        call.who.run_id,
        call.who.agent,
        call.name,
        call.facts.at_us,
        past.decision.verdict,
        now.verdict,
        tuple([reason.rule for reason in now.reasons]),
        past.readable,
    )


def _facts(said: Mapping[str, Any], links: tuple[Link, ...], at_us: int) -> Facts:
    facts = msgspec.convert(said, Facts)
    return replace(facts, links=links, at_us=facts.at_us or at_us)


def _identity(row: Row, tenant_id: str, caller: str) -> Identity:
    who = Identity(tenant_id, row["run_id"], 1, row["agent"], "", row["subject"], (), True, 0)
    return replace(who, caller=caller)
