"""Takes batches in: every item is a call with its intent and its reservation before anything leaves, or none is.

All items belong to one run, named after the batch and opened like that of an outside program, so that budgets,
attribution and kills hold. Their executor is the attempt of that run, which lives as long as the run: nobody takes the
calls for orphans while the provider is at work. An item's call id is the batch's with the item's number.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from airside.config.batching import BatchesSettings
from airside.core import canonical
from airside.core.call import Call, CallKind, CallState, Effect, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.ports import Database, Forward, Keyring, Row, SubjectKey, Transaction
from airside.core.run import Identity, Principal
from airside.gateways.models.batches.port import BatchProvider, Item
from airside.gateways.models.formats.openai_chat.format import CHAT
from airside.gateways.models.formats.port import Addressed, ModelRequest
from airside.gateways.models.provider import Ask, Route, Routes, on_route
from airside.journal.queries import load
from airside.pipeline.request import named
from airside.pipeline.settle import Settle

SQL = load("airside.gateways.models.batches", "batches.sql")
AT_ONCE = 64
OPENING_US = 600_000_000
"""How long whoever makes a batch may take for a step, before another process settles what it left."""

Found = tuple[Row, Mapping[str, int]]


class Wanted(Struct, frozen=True):
    """A batch as it is asked for: a model, Chat Completions requests without one, and whose run it is."""

    model: str
    requests: Sequence[Mapping[str, Any]]
    label: str = "batch"
    idempotency_key: str = ""


class Limits(Struct, frozen=True):
    """The installation's limits: bytes of a request, output tokens of one that sets no maximum, items, and price."""

    body_bytes_max: int
    output_tokens_max: int
    settings: BatchesSettings


class BatchDesk:
    """Takes batches in, shows them, and calls them off. `forward` is the pipeline, in short."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        routes: Routes,
        providers: Mapping[str, BatchProvider],
        open_run: Callable[[Principal, str], Awaitable[Identity]],
        forward: Forward,
        settle: Settle,
        limits: Limits,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._routes = routes
        self._providers = providers
        self._open_run = open_run
        self._forward = forward
        self._settle = settle
        self._limits = limits

    async def submit(self, principal: Principal, wanted: Wanted) -> Found:
        """Hand a batch in and return it; the same idempotency key and requests return the batch that there is.

        Raises `invalid_request`, `limit_exceeded`, `conflict`, `budget_exhausted`, `killed`, and what the provider
        says; then nothing is charged, unless it is unknown whether the provider has the batch.
        """
        route = self._routes.find(wanted.model)
        provider = self._provider(route)
        requests = self._read(wanted)
        batch_id = _batch_id(principal, wanted.idempotency_key)
        as_run = replace(principal, name=wanted.label)
        identity = await self._open_run(as_run, batch_id)
        share = self._limits.settings.price_share
        key = await self._keyring.subject(identity.tenant_id, identity.subject)
        digest = key.name(canonical.encode({"model": wanted.model, "requests": list(wanted.requests)}))
        made = {"provider": provider.name, "model": wanted.model, "price_share": str(share), "items": len(requests)}
        if not await self._added(identity, batch_id, digest, made):
            return await self.show(identity.tenant_id, batch_id)
        priced = replace(route, price=route.price.shared(share))
        calls = [self._call(identity, priced, request, batch_id, at) for at, request in enumerate(requests)]
        items = await self._opened(calls, key, batch_id)
        try:
            await self._moved("sending", identity.tenant_id, batch_id)
            upstream_id = await provider.submit(batch_id, items)
        except AirsideError as error:
            await self._failed(calls, batch_id, error)
            raise
        await self._moved("sent", identity.tenant_id, batch_id, upstream_id=upstream_id)
        return await self.show(identity.tenant_id, batch_id)

    async def show(self, tenant_id: str, batch_id: str) -> Found:
        """Return a batch and how many of its items are in which state; raises `not_found`."""

        async def body(tx: Transaction) -> Found:
            row = await tx.one(SQL["get"], tenant_id=tenant_id, batch_id=batch_id)
            if row is None:
                raise AirsideError(Code.NOT_FOUND, f"there is no batch {batch_id[:100]}")
            counts = await tx.fetch(SQL["counts"], tenant_id=tenant_id, run_id=row["run_id"])
            return row, {count["state"]: int(count["n"]) for count in counts}

        return await self._database.read(body)

    async def cancel(self, tenant_id: str, batch_id: str) -> Found:
        """Call a batch off: the provider is told within moments, and what it has answered by then is charged."""

        async def body(tx: Transaction) -> None:
            await tx.execute(SQL["call_off"], tenant_id=tenant_id, batch_id=batch_id, now_us=tx.now_us)

        await self.show(tenant_id, batch_id)
        await self._database.transact(body)
        return await self.show(tenant_id, batch_id)

    async def close(self) -> None:
        """Release the connections to the providers."""
        for provider in self._providers.values():
            await provider.close()

    def _provider(self, route: Route) -> BatchProvider:
        found = self._providers.get(route.provider.name)
        if found is None:
            able = ", ".join(sorted(self._providers)) or "none that is configured"
            message = f"the provider {route.provider.name} takes no batches; these do: {able}"
            raise AirsideError(Code.INVALID_REQUEST, message)
        return found

    def _read(self, wanted: Wanted) -> list[ModelRequest]:
        most = self._limits.settings.items_max
        if not 1 <= len(wanted.requests) <= most:
            raise AirsideError(Code.LIMIT_EXCEEDED, f"a batch has 1 to {most} requests, not {len(wanted.requests)}")
        read = []
        for at, asked in enumerate(wanted.requests):
            if asked.get("model", wanted.model) != wanted.model or asked.get("stream"):
                message = f"requests.{at}: all requests of a batch ask the batch's model, and none streams"
                raise AirsideError(Code.INVALID_REQUEST, message)
            body = canonical.encode({**asked, "model": wanted.model})
            try:
                read.append(CHAT.parse(body, Addressed(), bytes_max=self._limits.body_bytes_max))
            except AirsideError as error:
                raise AirsideError(error.code, f"requests.{at}: {error.message}") from None
        return read

    async def _added(self, identity: Identity, batch_id: str, digest: bytes, made: Mapping[str, Any]) -> bool:
        """Write the batch; False if it is there already. Raises `conflict` if that is another one."""

        async def body(tx: Transaction) -> Row | None:
            named_by = {"tenant_id": identity.tenant_id, "batch_id": batch_id}
            due_us = tx.now_us + OPENING_US
            added = await tx.execute(
                SQL["add"], **named_by, **made, run_id=identity.run_id, digest=digest, now_us=tx.now_us, due_us=due_us
            )
            return None if added else await tx.one(SQL["get"], **named_by)

        known = await self._database.transact(body)
        if known is not None and bytes(known["digest"]) != digest:
            raise AirsideError(Code.CONFLICT, "the Idempotency-Key was used for another batch")
        return known is None

    def _call(self, identity: Identity, route: Route, request: ModelRequest, batch_id: str, at: int) -> Call:
        call = Call(
            call_id=item_id(batch_id, at),
            kind=CallKind.MODEL,
            name=request.model,
            token="",
            identity=identity,
            parts=request.parts,
            effect=Effect.READ,
            idempotent=True,
            timeout_s=route.provider.timeout_s,
            local=True,
            payload=Ask(request, route, CHAT.delivered(), [], self._limits.output_tokens_max),
            notes={"batch": batch_id},
        )
        return on_route(call, route)

    async def _opened(self, calls: Sequence[Call], key: SubjectKey, batch_id: str) -> list[Item]:
        """Make every item's intent durable, or give back those that were and raise what stopped it."""
        items: list[Item] = []

        async def one(call: Call) -> Item:
            outcome = await self._forward(named(call, key))
            return Item(call.call_id, outcome.body)

        for start in range(0, len(calls), AT_ONCE):
            some = await asyncio.gather(*[one(call) for call in calls[start : start + AT_ONCE]], return_exceptions=True)
            for result in some:
                if isinstance(result, BaseException):
                    await self._given_back(calls[: start + AT_ONCE], batch_id)
                    raise result
                items.append(result)
        return items

    async def _given_back(self, calls: Sequence[Call], batch_id: str) -> None:
        for call in calls:
            await self._settle.never_left(call)

        async def body(tx: Transaction) -> None:
            await tx.execute(SQL["drop"], tenant_id=calls[0].who.tenant_id, batch_id=batch_id)

        await self._database.transact(body)

    async def _failed(self, calls: Sequence[Call], batch_id: str, error: AirsideError) -> None:
        """Close the items of a batch that the provider did not take, or may have taken without saying so."""
        for call in calls:
            await self._settle.failure(call, AirsideError(error.code, error.message, details=error.details))

        async def body(tx: Transaction) -> None:
            await tx.execute(SQL["end"], tenant_id=calls[0].who.tenant_id, batch_id=batch_id, code=error.code.value)

        await self._database.transact(body)

    async def _moved(self, step: str, tenant_id: str, batch_id: str, **more: object) -> None:
        async def body(tx: Transaction) -> int:
            due_us = tx.now_us + (OPENING_US if step == "sending" else int(self._limits.settings.poll_s * 1_000_000))
            return await tx.execute(SQL[step], tenant_id=tenant_id, batch_id=batch_id, due_us=due_us, **more)

        if not await self._database.transact(body):
            raise AirsideError(Code.UPSTREAM_TIMEOUT, "making the batch took too long, so it was given up")


async def hand_in(call: Call) -> Outcome:
    """The pipeline's end for an item: nothing leaves yet, and the outcome is reported later."""
    ask: Ask = call.payload
    body = CHAT.forward(ask.request, model=ask.route.model, output_tokens=call.output_tokens_granted)
    return Outcome(state=CallState.OPEN, body=body, pending=True)


def item_id(batch_id: str, at: int) -> str:
    """Return the call id of an item."""
    return f"call_{batch_id.removeprefix('batch_')}_{at:05d}"


def public(found: Found) -> dict[str, Any]:
    """Return what may be shown of a batch."""
    row, counts = found
    shown = {name: row[name] for name in ("run_id", "provider", "model", "items", "state", "code", "made_us")}
    return {"id": row["batch_id"], **shown, "cancelled": bool(row["cancelled"]), "calls": dict(counts)}


def _batch_id(principal: Principal, idempotency_key: str) -> str:
    if not idempotency_key:
        return new_id("batch")
    text = msgspec.json.encode([principal.tenant_id, principal.key_id, idempotency_key])
    return "batch_" + hashlib.sha256(text).hexdigest()[:26]
