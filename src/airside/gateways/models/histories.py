"""Conversations that clients only refer to, taken from the journal: `previous_response_id`, `item_reference`, `store`.

A response's id is ours: it names the run and the call. What was asked in that call is kept in the journal whole, its
own history included, so one look gives the whole conversation: there is no chain to follow, and none can have a cycle
or a gap. The request is completed before it is named, so that a replay is found, and goes upstream without state.

Who may refer to a response: the run that it was given to, or another run of the same agent for the same person (or
both for none). Everyone else is told that there is none, and so is who asks for one that was erased or deleted, or
made with `store: false`.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from airside.core.call import Call, CallState, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Forward, Keyring, Row, Transaction
from airside.core.run import Identity
from airside.gateways.models.formats.openai_responses import items, request
from airside.gateways.models.formats.openai_responses.events import Shown
from airside.gateways.models.formats.openai_responses.format import RESPONSES, shown
from airside.gateways.models.provider import Ask, on_route
from airside.journal import events
from airside.journal.queries import load

CALLS_SEARCHED_MAX = 200
"""How many of a run's latest answers are searched for an item that a request refers to."""

_ID = re.compile(r"resp_([0-9a-z]+)_([0-9a-z]+)")
_SQL = load("airside.gateways.models", "histories.sql")


class Kept(Struct, frozen=True):
    """A response that may be referred to: its body as it was recorded, and the items of what was asked.

    `previous` is the response that it referred to itself.
    """

    call_id: str
    run_id: str
    body: bytes
    asked: tuple[dict[str, Any], ...]
    previous: str

    @property
    def output(self) -> list[dict[str, Any]]:
        """The items of the answer."""
        found: list[dict[str, Any]] = msgspec.json.decode(self.body)["output"]
        return found


def response_id(run_id: str, call_id: str) -> str:
    """Return the id under which clients know the answer of a call."""
    return f"resp_{run_id.removeprefix('run_')}_{call_id.removeprefix('call_')}"


class Histories:
    """The step that completes requests of the Responses format, and the place where its answers are found again."""

    def __init__(self, database: Database, keyring: Keyring, *, bytes_max: int) -> None:
        self._database = database
        self._keyring = keyring
        self._bytes_max = bytes_max

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on with its whole conversation, and its answer back under our id.

        Raises `not_found` for what cannot be referred to, `limit_exceeded` for a conversation that has grown too long.
        """
        ask = call.payload
        if not isinstance(ask, Ask) or ask.request.format.name != RESPONSES.name:
            return await forward(call)
        refers = request.references(ask.request)
        if refers.previous or refers.items:
            call = await self._completed(call, ask, refers)
        run_id = call.who.run_id
        as_shown = Shown(response_id(run_id, call.call_id), refers.previous, refers.store)
        ask.delivered.shown = as_shown  # type: ignore[attr-defined]  # this format's note of a stream has it
        outcome = await forward(call)
        if outcome.state is not CallState.OK:
            return outcome
        named = replace(as_shown, response_id=response_id(run_id, outcome.call_id or call.call_id))
        return replace(outcome, body=shown(outcome.body, named))

    async def _completed(self, call: Call, ask: Ask, refers: request.References) -> Call:
        kept = await self.find(call.who, refers.previous) if refers.previous else None
        history = [*kept.asked, *items.continued(kept.output)] if kept is not None else []
        own = items.checked(ask.request.value.get("input") or [])
        if refers.items:
            own = await self._referred(call.who, own, kept)
        whole = request.expanded(ask.request, [*history, *own])
        if len(whole.body) > self._bytes_max or len(history) + len(own) > items.ITEMS_MAX:
            raise AirsideError(
                Code.LIMIT_EXCEEDED,
                f"the conversation has grown to {len(whole.body)} bytes in {len(history) + len(own)} items; at most "
                f"{self._bytes_max} bytes in {items.ITEMS_MAX} items are accepted",
                advice="Begin a new conversation with a summary of this one, or raise server.body_bytes_max.",
            )
        notes = {**call.notes, "history": {"previous": refers.previous, "items": len(history)}}
        changed = replace(call, parts=whole.parts, notes=notes, payload=replace(ask, request=whole))
        return on_route(changed, ask.route)

    async def find(self, identity: Identity, name: str) -> Kept:
        """Return a response by its id; raises `not_found` unless this identity may refer to it."""
        match = _ID.fullmatch(name)
        kept = await self._kept(identity, f"run_{match.group(1)}", f"call_{match.group(2)}") if match else None
        if kept is None:
            raise _unknown(f"response {name[:120]!r}")
        return kept

    async def delete(self, identity: Identity, name: str) -> None:
        """Make a response one that cannot be referred to; raises `not_found` as `find` does."""
        kept = await self.find(identity, name)

        async def body(tx: Transaction) -> None:
            key = {"tenant_id": identity.tenant_id, "run_id": kept.run_id, "call_id": kept.call_id}
            if await tx.execute(_SQL["delete"], **key, deleted_us=tx.now_us):
                await tx.append(events.entry(events.RESPONSE_DELETED, {"by_run": identity.run_id}, **key))

        await self._database.transact(body)

    async def _referred(self, identity: Identity, own: list[dict[str, Any]], kept: Kept | None) -> list[dict[str, Any]]:
        """Return items with those that an `item_reference` names: of the response referred to, else of this run's
        latest. However many there are, the run's answers are looked through once.
        """
        wanted = {item["id"] for item in own if items.kind_of(item) == items.REFERENCE}
        found = _named(kept, wanted) if kept is not None else {}
        if missing := wanted - found.keys():
            found |= await self._searched(identity, missing)
        whole = []
        for item in own:
            if items.kind_of(item) == items.REFERENCE:
                resent = items.continued([found[item["id"]]]) if item["id"] in found else []
                if not resent:
                    raise _unknown(f"item {item['id'][:120]!r} in this run")
                whole += resent
            else:
                whole.append(item)
        return whole

    async def _searched(self, identity: Identity, wanted: set[str]) -> dict[str, dict[str, Any]]:
        key = await self._keyring.subject(identity.tenant_id, identity.subject)
        rows = await self._database.read(
            lambda tx: tx.fetch(
                _SQL["recent"],
                tenant_id=identity.tenant_id,
                run_id=identity.run_id,
                calls_max=CALLS_SEARCHED_MAX,
            )
        )
        found: dict[str, dict[str, Any]] = {}
        for row in rows:
            if len(found) == len(wanted):
                break
            if _ids_in(key.open(bytes(row["outcome"]), bytes(row["sealed"]))) & wanted:
                kept = await self._kept(identity, identity.run_id, row["call_id"])
                found = (_named(kept, wanted) if kept is not None else {}) | found
        return found

    async def _kept(self, identity: Identity, run_id: str, call_id: str) -> Kept | None:
        recorded = await self.recorded(identity, run_id, call_id)
        if recorded is None:
            return None
        *asked, parameters = recorded.pieces
        # Another format's call is no response, though its id can be guessed from ours.
        if msgspec.json.decode(recorded.body).get("object") != "response":
            return None
        if msgspec.json.decode(parameters).get("store") is False:
            return None
        return Kept(call_id, run_id, recorded.body, tuple(items.restored(asked)), recorded.previous)

    async def recorded(self, identity: Identity, run_id: str, call_id: str) -> "Recorded | None":
        """Return what the journal has of a call; None if there is none, or not for this identity."""
        place = {"tenant_id": identity.tenant_id, "run_id": run_id, "call_id": call_id}
        found = await self._database.read(lambda tx: _rows(tx, place))
        if found is None or not _may_refer(identity, found.call):
            return None
        try:
            key = await self._keyring.subject(identity.tenant_id, found.call["subject"])
        except AirsideError as error:
            if error.code is Code.NOT_FOUND:  # erased
                return None
            raise
        body = key.open(bytes(found.call["outcome"]), bytes(found.call["sealed"]))
        pieces = tuple(key.open(content_id, sealed) for content_id, sealed in found.request)
        return Recorded(body, pieces, found.previous)


class Recorded(Struct, frozen=True):
    """A call's answer, the pieces of its request (`ModelRequest.parts`), and the response that it referred to."""

    body: bytes
    pieces: tuple[bytes, ...]
    previous: str


class _Found(Struct, frozen=True):
    """A call's row, the sealed contents of its request in their order, and the response that it referred to."""

    call: Row
    request: Sequence[tuple[bytes, bytes]]
    previous: str


async def _rows(tx: Transaction, place: dict[str, str]) -> _Found | None:
    """Return what is kept of a call, or None if any of it is gone."""
    call = await tx.one(_SQL["call"], **place)
    intent = await tx.one(_SQL["intent"], **place, type=events.CALL_INTENT) if call is not None else None
    if call is None or intent is None:
        return None
    told = msgspec.json.decode(bytes(intent["body"]))
    contents = []
    for name in told["request"]:
        content_id = bytes.fromhex(name)
        row = await tx.one(
            _SQL["content"], tenant_id=place["tenant_id"], subject=call["subject"], content_id=content_id
        )
        if row is None:
            return None
        contents.append((content_id, bytes(row["sealed"])))
    return _Found(call, contents, told.get("notes", {}).get("history", {}).get("previous", ""))


def _may_refer(identity: Identity, row: Row) -> bool:
    if row["run_id"] == identity.run_id:
        return True
    nobody = row["subject"] == row["run_id"] and identity.subject == identity.run_id
    return bool(row["agent"] == identity.agent and (row["subject"] == identity.subject or nobody))


class _Item(Struct):
    id: str = ""


class _Output(Struct):
    output: list[_Item] = []


_output = msgspec.json.Decoder(_Output).decode


def _ids_in(body: bytes) -> set[str]:
    """Return the ids of an answer's items; none if it is no response."""
    try:
        return {item.id for item in _output(body).output}
    except msgspec.MsgspecError:
        return set()


def _named(kept: Kept, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """Return those items of a response that are wanted, by their ids."""
    return {item["id"]: item for item in kept.output if item.get("id") in wanted}


def _unknown(what: str) -> AirsideError:
    return AirsideError(
        Code.NOT_FOUND,
        f"there is no {what} that this credential may refer to",
        advice="It must have been made by this agent for the same person, without `store: false`. Else send the whole "
        "conversation as input.",
    )
