"""The ledgers of runs, grown from the journal: what one process knows, any other would find too."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from airside.core.call import CallState
from airside.core.clock import SECOND_US
from airside.core.lru import Lru
from airside.core.ports import Database, Keyring, Row, SubjectKey, Transaction
from airside.core.run import Identity
from airside.core.tool import Tool
from airside.gateways.tools.answer import unpack
from airside.gateways.tools.provenance.words import words_of
from airside.guards.placeholders.handing_on import restored
from airside.guards.ports import Placeholders
from airside.journal.queries import load
from airside.pipeline.answers import unpacked
from airside.policy.plans.plan import Plan, read
from airside.policy.provenance.declared import Declared
from airside.policy.provenance.ledger import Ledger, Made

_SQL = load("airside.gateways.tools.provenance", "provenance.sql")

LATE_US: Final = 30 * SECOND_US
"""Outcomes may become visible in another order than that of their instants, by as much as this."""

ANCESTORS_MAX: Final = 16

ToolNamed = Callable[[str], Tool | None]
"""Finds a tool's manifest by its name; None for one that does not exist any more."""


class Known(Struct, kw_only=True):
    """What this process knows of a run: its ledger, which calls are in it, and its plan."""

    ledger: Ledger
    calls: set[str] = msgspec.field(default_factory=set)
    endorsed: set[bytes] = msgspec.field(default_factory=set)
    since_us: int = 0
    plan: Plan | None = None
    is_planned: bool = False


class _News(Struct, frozen=True):
    """What the database has of a run beyond what is known."""

    calls: Sequence[tuple[str, Row, bytes]]
    endorsed: Sequence[Row]
    plan: Row | None
    until_us: int


class Past:
    """Every run's past. Bounded: a run that was forgotten is read again."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        tool_named: ToolNamed,
        declared: Declared,
        prompts: Mapping[str, Sequence[str]],
        *,
        runs_max: int,
        placeholders: Placeholders | None = None,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._tool_named = tool_named
        self._declared = declared
        self._prompts = prompts
        self._placeholders = placeholders
        self._runs: Lru[tuple[str, str], Known] = Lru(runs_max)

    async def of(self, who: Identity) -> Known:
        """Return what is known of a run, everything included that was recorded before this was asked."""
        key = await self._keyring.subject(who.tenant_id, who.subject)
        known = self._runs.get((who.tenant_id, who.run_id)) or await self._begun(who)
        news = await self._database.read(lambda tx: _news(tx, who, known))
        made = [await self._with_values(who, self._made(*call, key)) for call in news.calls]
        for one in made:
            if one.call_id not in known.calls:
                known.calls.add(one.call_id)
                known.ledger.add(one)
        for row in news.endorsed:
            name = bytes(row["content"])
            if name not in known.endorsed:
                known.endorsed.add(name)
                known.ledger.endorse(json.loads(key.open(name, bytes(row["sealed"]))), row["approval_id"])
        if news.plan is not None and not known.is_planned:
            name = bytes(news.plan["content"])
            known.plan, known.is_planned = read(json.loads(key.open(name, bytes(news.plan["sealed"])))), True
        known.since_us = max(known.since_us, news.until_us - LATE_US)
        return known

    async def _begun(self, who: Identity) -> Known:
        """Return a run of which nothing is known but how it began, unless somebody else was faster."""
        ledger = Ledger(self._declared, who.principal)
        run_id, is_own = who.run_id, True
        for _ in range(ANCESTORS_MAX):
            row = await self._database.look_up(_begin_of(who.tenant_id, run_id))
            if row is None or row["sealed"] is None:
                break
            key = await self._keyring.subject(who.tenant_id, row["subject"])
            value = json.loads(key.open(bytes(row["input"]), bytes(row["sealed"])))
            if row["parent_run_id"] is None:
                if row["supervised"]:
                    own, foreign = words_of(value, self._prompts.get(row["agent"], ()), json.loads(row["untrusted"]))
                    ledger.add_prompt(own)
                    ledger.add_foreign(foreign, "input")
                break
            # What an agent asks another to do is made of whatever it has read; the user's words stand with the first.
            if is_own:
                ledger.add_foreign(await self._valued(who, value), "handoff")
            run_id, is_own = row["parent_run_id"], False
        known = self._runs.get((who.tenant_id, who.run_id))
        if known is None:
            known = Known(ledger=ledger)
            self._runs.put((who.tenant_id, who.run_id), known)
        return known

    async def _with_values(self, who: Identity, made: Made) -> Made:
        """Return a call with the values in its result that the agent was given placeholders for.

        What comes of a placeholder later is compared as the value; so its source must be found by the value too.
        """
        result, error = await self._valued(who, made.result), await self._valued(who, made.error)
        return replace(made, result=result, error=error)

    async def _valued(self, who: Identity, value: Any) -> Any:
        return value if self._placeholders is None else await restored(self._placeholders, who, value)

    def _made(self, call_id: str, row: Row, arguments: bytes, key: SubjectKey) -> Made:
        request = json.loads(row["body"])["request"] if row["body"] else []
        asked = json.loads(key.open(bytes.fromhex(request[0]), arguments)) if arguments and request else {}
        answer = unpacked(key.open(bytes(row["outcome"]), bytes(row["sealed"]))) if row["sealed"] else (b"", "")
        failed = row["state"] != CallState.OK
        return Made(
            call_id=call_id,
            name=row["name"],
            tool=self._tool_named(row["name"]),
            arguments=asked,
            result=json.loads(bytes(unpack(answer[0]).result)) if answer[0] and not failed else None,
            error=f"{row['message']} {answer[1]} {answer[0].decode(errors='replace')}" if failed else "",
        )


async def _news(tx: Transaction, who: Identity, known: Known) -> _News:
    at = {"tenant_id": who.tenant_id, "run_id": who.run_id}
    subject = {"subject": who.subject}
    calls: list[tuple[str, Row, bytes]] = []
    until_us = known.since_us + LATE_US
    for row in await tx.fetch(_SQL["closed"], **at, since_us=known.since_us):
        until_us = max(until_us, row["closed_us"])
        if row["call_id"] in known.calls:
            continue
        call: Any = await tx.one(_SQL["call"], tenant_id=who.tenant_id, call_id=row["call_id"])
        names = json.loads(call["body"])["request"] if call["body"] else []
        content = None
        if names:
            content = await tx.one(
                _SQL["content"], tenant_id=who.tenant_id, **subject, content_id=bytes.fromhex(names[0])
            )
        calls.append((row["call_id"], call, bytes(content["sealed"]) if content else b""))
    endorsed = await tx.fetch(_SQL["endorsed"], **at, **subject, since_us=known.since_us)
    plan = None if known.is_planned else await tx.one(_SQL["plan"], **at, **subject)
    return _News(calls, endorsed, plan, until_us)


def _begin_of(tenant_id: str, run_id: str) -> Callable[[Transaction], Any]:
    async def body(tx: Transaction) -> Row | None:
        return await tx.one(_SQL["run"], tenant_id=tenant_id, run_id=run_id)

    return body
