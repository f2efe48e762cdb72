"""Looks after batches until each of their items has its outcome: asks the provider, and settles item by item.

State is in the database, a lease lets one process at a time look after a batch, and closing a call twice settles it
once: whichever process stops wherever, another goes on. What a process left half made is settled too: before it was
being sent it is given back, after that nobody knows whether the provider has it, so it is paid in full.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal

import structlog

from airside.config.batching import BatchesSettings
from airside.core.call import Call, CallState, Outcome, Usage
from airside.core.clock import SECOND_US, Clock
from airside.core.errors import AirsideError, Code
from airside.core.money import ZERO
from airside.core.ports import Database, Row, Transaction
from airside.core.run import TERMINAL
from airside.gateways.models.batches.desk import SQL
from airside.gateways.models.batches.port import Answered, BatchProvider, Standing
from airside.gateways.models.formats.openai_chat.format import CHAT
from airside.gateways.models.formats.port import BrokenAnswer
from airside.gateways.models.pricing import Price
from airside.gateways.models.provider import Routes
from airside.journal.rows import call_of
from airside.pipeline.compose import internal
from airside.pipeline.settle import Settle

LEASE_US = 600 * SECOND_US
GIVEN_UP_US = 72 * 3_600 * SECOND_US
"""After three times the window nobody waits for a provider any more: what is open is paid in full."""

_ENDED = {state.value for state in TERMINAL}
_log = structlog.get_logger(__name__)


Guarded = Callable[[Call, Outcome], Awaitable[Outcome]]
"""Returns an outcome with what guards let out of its answer."""


class BatchKeeper:
    """Looks after the batches of all tenants."""

    def __init__(
        self,
        database: Database,
        routes: Routes,
        providers: Mapping[str, BatchProvider],
        settle: Settle,
        clock: Clock,
        settings: BatchesSettings,
        guarded: Guarded,
    ) -> None:
        self._guarded = guarded
        self._database = database
        self._routes = routes
        self._providers = providers
        self._settle = settle
        self._clock = clock
        self._settings = settings

    async def run(self) -> None:
        """Look after batches until cancelled."""
        while True:
            await asyncio.sleep(min(self._settings.poll_s, 5.0))
            try:
                await self.tend()
            except AirsideError as error:
                _log.warning("batches_not_tended", code=error.code.value)

    async def tend(self) -> int:
        """Look once after every batch that is due; return how many there were."""

        async def due(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(SQL["due"], now_us=tx.now_us)

        rows = await self._database.read(due)
        for row in rows:
            if not await self._leased(row):
                continue
            try:
                await self._tended(row)
            except AirsideError as error:
                _log.warning("batch_not_tended", batch_id=row["batch_id"], code=error.code.value)
                await self._later(row)
            except Exception as error:  # noqa: BLE001 - one batch that cannot be read must not keep all others waiting
                internal(row["batch_id"], error)
                await self._later(row)
        return len(rows)

    async def _leased(self, row: Row) -> bool:
        async def body(tx: Transaction) -> int:
            lease_us = tx.now_us + LEASE_US
            return await tx.execute(
                SQL["lease"], **_named(row), state=row["state"], lease_us=lease_us, now_us=tx.now_us
            )

        return bool(await self._database.transact(body))

    async def _tended(self, row: Row) -> None:
        if row["state"] == "opening":
            await self._close_all(row, _undone("the process that made the batch died before it was sent"))
        elif row["state"] == "sending" or self._clock.now_us() - row["made_us"] > GIVEN_UP_US:
            unknown = AirsideError(Code.UPSTREAM_TIMEOUT, "it is not known what the provider made of the batch")
            await self._close_all(row, unknown)
        elif (provider := self._providers.get(row["provider"])) is not None:
            await self._asked(row, provider)
        else:
            await self._later(row)  # its provider is not configured now, and may be again

    async def _asked(self, row: Row, provider: BatchProvider) -> None:
        """Ask the provider; the answers are settled once it has ended."""
        standing = await provider.look(row["upstream_id"])
        if not standing.ended:
            if row["cancelled"] or row["run_state"] in _ENDED:
                await provider.cancel(row["upstream_id"])
            await self._later(row)
            return
        answers = await provider.results(standing)
        price = self._routes.find(row["model"]).price.shared(Decimal(row["price_share"]))
        for call in await self._open_calls(row):
            await self._settled(call, answers.get(call.call_id), standing, price, f"{row['provider']}/{row['model']}")
        await self._ended(row, "")

    async def _settled(
        self, call: Call, answered: Answered | None, standing: Standing, price: Price, upstream: str
    ) -> None:
        if answered is None and standing.whole:
            missing = AirsideError(Code.UPSTREAM_FAILED, "the provider says that it is done, and gives no answer")
            await self._settle.failure(call, missing)
        elif answered is None or answered.undone:
            await self._settle.failure(call, _undone("the batch ended before this question was asked"))
        elif answered.status == 200:
            outcome = await self._guarded(call, _outcome(call, answered.body, price, upstream))
            await self._settle.outcome(call, outcome)
        elif answered.status >= 500 or answered.status == 429:
            await self._settle.failure(call, _undone(f"the provider answered {answered.status}"))
        else:
            said = f"the provider answered {answered.status}"
            rejected = Outcome(
                state=CallState.ERROR,
                body=answered.body,
                upstream=upstream,
                code=Code.UPSTREAM_REJECTED,
                message=said,
            )
            await self._settle.outcome(call, rejected)

    async def _close_all(self, row: Row, error: AirsideError) -> None:
        for call in await self._open_calls(row):
            await self._settle.failure(call, AirsideError(error.code, error.message, details=error.details))
        await self._ended(row, error.code.value)

    async def _open_calls(self, row: Row) -> list[Call]:
        """Return the items that have no outcome yet."""
        found: list[Call] = []
        after = ""
        while True:

            async def body(tx: Transaction, after: str = after) -> Sequence[Row]:
                return await tx.fetch(SQL["calls"], tenant_id=row["tenant_id"], run_id=row["run_id"], after=after)

            rows = await self._database.read(body)
            found += [call_of(item) for item in rows if item["state"] == CallState.OPEN.value]
            if not rows:
                return found
            after = rows[-1]["call_id"]

    async def _ended(self, row: Row, code: str) -> None:
        async def body(tx: Transaction) -> None:
            await tx.execute(SQL["end"], **_named(row), code=code)

        await self._database.transact(body)

    async def _later(self, row: Row) -> None:
        """Look again after a tenth of the batch's age, within the limits."""

        async def body(tx: Transaction) -> None:
            age_s = (tx.now_us - row["made_us"]) / SECOND_US
            pause_s = min(max(age_s / 10, self._settings.poll_s), self._settings.poll_max_s)
            await tx.execute(SQL["later"], **_named(row), due_us=tx.now_us + int(pause_s * SECOND_US))

        await self._database.transact(body)


def _named(row: Row) -> dict[str, str]:
    return {"tenant_id": row["tenant_id"], "batch_id": row["batch_id"]}


def _undone(message: str) -> AirsideError:
    return AirsideError(Code.UPSTREAM_FAILED, message, details={"unbilled": True})


def _outcome(call: Call, body: bytes, price: Price, upstream: str) -> Outcome:
    """Return what an answer came to; one without usage, or that is none, is paid in full."""
    state, code, used = CallState.OK, "", None
    try:
        used = CHAT.usage(body)
    except BrokenAnswer:
        state, code = CallState.ERROR, Code.UPSTREAM_FAILED
    return Outcome(
        state=state,
        body=body,
        usage=used or Usage(),
        cost=price.cost(used) if used else ZERO,
        upstream=upstream,
        call_id=call.call_id,
        metered=used is not None,
        price=price.version,
        code=code,
    )
