"""Where answers are kept: sealed, in the database, so that processes share them; each has a small front before it.

A front entry is trusted for seconds only, so that clearing and erasing take effect everywhere. What cannot be opened
under its subject's key is never served.
"""

from collections import OrderedDict
from collections.abc import Sequence

import msgspec
import structlog
from msgspec import Struct

from airside.config.cache import CacheSettings
from airside.core.clock import Clock
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Keyring, Row, SubjectKey, Transaction
from airside.gateways.models.caching.keys import Room
from airside.gateways.models.caching.remembered import Remembered, packed, unpacked
from airside.gateways.models.caching.thresholds import TRIALS_MAX, Belief, Thresholds, Trial
from airside.journal import queries

_SQL = queries.load("airside.gateways.models.caching", "cache.sql")
_log = structlog.get_logger(__name__)
_trials = msgspec.json.Decoder(list[Trial])
_belief = msgspec.json.Decoder(Belief)

SIZE_EVERY = 32
"""Every so many answers that a process adds, the tenant's size is measured and brought under its limit."""


class Origin(Struct, frozen=True):
    """Whose call made an answer."""

    subject: str
    agent: str
    model: str


class Asked(Struct, frozen=True):
    """The question of an answer, for the semantic cache: its conversation state, its text, its vector."""

    part: bytes
    embedder: str
    text: str
    vector: bytes


class Known(Struct, frozen=True):
    """A question that an answer is kept for."""

    entry_key: bytes
    text: str
    vector: bytes
    created_us: int


class CacheStore:
    """Keeps answers of all tenants."""

    def __init__(self, database: Database, keyring: Keyring, settings: CacheSettings, clock: Clock) -> None:
        self._database = database
        self._keyring = keyring
        self._settings = settings
        self._clock = clock
        self._front: OrderedDict[tuple[str, bytes], tuple[float, Remembered]] = OrderedDict()
        self._front_bytes = 0
        self._puts = 0

    async def find(self, room: Room, entry_key: bytes) -> Remembered | None:
        """Return the answer of a request, or None. Raises `journal_unavailable` if the database cannot be read."""
        held = self._front.get((room.tenant_id, entry_key))
        if held is not None and held[0] > self._clock.monotonic_s():
            self._front.move_to_end((room.tenant_id, entry_key))
            return held[1]

        async def body(tx: Transaction) -> Row | None:
            return await tx.one(_SQL["find"], tenant_id=room.tenant_id, entry_key=entry_key, now_us=tx.now_us)

        row = await self._database.look_up(body)
        answer = None if row is None else await self._opened(room, entry_key, row)
        if answer is not None:
            self._remember(room, answer)
        return answer

    async def put(
        self, room: Room, key: SubjectKey, answer: Remembered, origin: Origin, asked: Asked | None = None
    ) -> None:
        """Keep an answer; the newest of a request counts."""
        sealed = key.seal(packed(answer))
        question = key.seal(msgspec.msgpack.encode([answer.entry_key, asked.text, asked.vector])) if asked else None
        size = len(sealed.blob) + (len(question.blob) if question else 0)
        values = {
            "tenant_id": room.tenant_id,
            "entry_key": answer.entry_key,
            "owner": room.owner,
            "origin": origin.subject,
            "agent": origin.agent,
            "model": origin.model,
            "part": asked.part if asked else b"",
            "embedder": asked.embedder if asked else "",
            "question_id": question.content_id if question else b"",
            "question": question.blob if question else b"",
            "answer_id": sealed.content_id,
            "answer": sealed.blob,
            "bytes": size,
        }
        ttl_us = int(self._settings.ttl_s * 1_000_000)
        measured = self._puts % SIZE_EVERY == 0
        self._puts += 1

        async def body(tx: Transaction) -> None:
            await tx.execute(_SQL["put"], **values, now_us=tx.now_us, expires_us=tx.now_us + ttl_us)
            if measured:
                await self._shrink(tx, room.tenant_id)

        await self._database.transact(body)
        self._forget(room.tenant_id, answer.entry_key)

    async def drop(self, room: Room, entry_key: bytes) -> None:
        """Forget one answer."""
        self._forget(room.tenant_id, entry_key)
        await self._database.transact(
            lambda tx: tx.execute(_SQL["drop"], tenant_id=room.tenant_id, entry_key=entry_key)
        )

    async def questions(self, room: Room, part: bytes, embedder: str, since_us: int) -> list[Known]:
        """Return the questions of a conversation state that were kept since a moment (µs), the newest first."""
        n = self._settings.semantic.entries_max

        async def body(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(
                _SQL["part"],
                tenant_id=room.tenant_id,
                part=part,
                embedder=embedder,
                now_us=tx.now_us,
                since_us=since_us,
                n=n,
            )

        rows = await self._database.read(body)
        key = await self._keyring.subject(room.tenant_id, room.owner)
        return [known for row in rows if (known := _known(key, room, row)) is not None]

    async def evidence(self, room: Room, entry_key: bytes, embedder: str) -> tuple[str, list[Trial]]:
        """Return what the tenant has learned (JSON, empty if nothing) and what the entry itself has shown."""

        async def body(tx: Transaction) -> tuple[str, list[Trial]]:
            belief = await tx.one(_SQL["belief"], tenant_id=room.tenant_id, embedder=embedder)
            trials = await tx.one(_SQL["trials"], tenant_id=room.tenant_id, entry_key=entry_key)
            return str(belief["belief"]) if belief else "", _trials.decode(trials["trials"]) if trials else []

        return await self._database.read(body)

    async def learn(self, room: Room, entry_key: bytes, embedder: str, trial: Trial, thresholds: Thresholds) -> None:
        """Add an observation to an entry and to what its tenant has learned; concurrent writers add up."""

        async def body(tx: Transaction) -> None:
            prior = msgspec.json.encode(thresholds.prior()).decode()
            await tx.execute(_SQL["begin_belief"], tenant_id=room.tenant_id, embedder=embedder, belief=prior)
            row = await tx.one(_SQL["hold_belief"], tenant_id=room.tenant_id, embedder=embedder)
            pool = belief_of(str(row["belief"]) if row else "", thresholds)
            text = msgspec.json.encode(thresholds.observed(pool, trial)).decode()
            await tx.execute(_SQL["set_belief"], tenant_id=room.tenant_id, embedder=embedder, belief=text)
            kept = await tx.one(_SQL["trials"], tenant_id=room.tenant_id, entry_key=entry_key)
            if kept is not None:
                trials = [*_trials.decode(kept["trials"]), trial][-TRIALS_MAX:]
                await tx.execute(
                    _SQL["set_trials"],
                    tenant_id=room.tenant_id,
                    entry_key=entry_key,
                    trials=msgspec.json.encode(trials).decode(),
                )

        await self._database.transact(body)

    async def _opened(self, room: Room, entry_key: bytes, row: Row) -> Remembered | None:
        """Open an entry under its owner's key, if the subject whose call made it has not been erased."""
        if row["owner"] != room.owner:
            return None
        try:
            if row["origin"] != room.owner:
                await self._keyring.subject(room.tenant_id, row["origin"])
            key = await self._keyring.subject(room.tenant_id, room.owner)
            data = key.open(bytes(row["answer_id"]), bytes(row["answer"]))
        except AirsideError as error:
            _log.error("cache_entry_not_opened", tenant_id=room.tenant_id, code=error.code.value)
            if error.code is not Code.NOT_FOUND:
                return None
            await self.drop(room, entry_key)
            return None
        answer = unpacked(data, entry_key)
        return None if answer is None else msgspec.structs.replace(answer, created_us=row["created_us"])

    async def _shrink(self, tx: Transaction, tenant_id: str) -> None:
        await tx.execute(_SQL["expired"], tenant_id=tenant_id, now_us=tx.now_us)
        size = await tx.one(_SQL["size"], tenant_id=tenant_id)
        excess = (size["bytes"] if size else 0) - self._settings.bytes_max
        while excess > 0:
            oldest = await tx.fetch(_SQL["oldest"], tenant_id=tenant_id)
            for row in oldest:
                if excess <= 0:
                    return
                await tx.execute(_SQL["drop"], tenant_id=tenant_id, entry_key=bytes(row["entry_key"]))
                excess -= row["bytes"]
            if not oldest:
                return

    def _remember(self, room: Room, answer: Remembered) -> None:
        self._forget(room.tenant_id, answer.entry_key)
        if len(answer.body) > self._settings.front_bytes_max:
            return
        until = self._clock.monotonic_s() + self._settings.front_s
        self._front[room.tenant_id, answer.entry_key] = (until, answer)
        self._front_bytes += len(answer.body)
        while self._front_bytes > self._settings.front_bytes_max:
            _, (_, oldest) = self._front.popitem(last=False)
            self._front_bytes -= len(oldest.body)

    def _forget(self, tenant_id: str, entry_key: bytes) -> None:
        held = self._front.pop((tenant_id, entry_key), None)
        if held is not None:
            self._front_bytes -= len(held[1].body)


def belief_of(text: str, thresholds: Thresholds) -> Belief:
    """Return what a tenant has learned, or the prior."""
    return _belief.decode(text) if text else thresholds.prior()


def _known(key: SubjectKey, room: Room, row: Row) -> Known | None:
    if row["owner"] != room.owner:
        return None
    try:
        opened = msgspec.msgpack.decode(key.open(bytes(row["question_id"]), bytes(row["question"])))
        entry_key, text, vector = opened
    except (AirsideError, msgspec.MsgspecError, ValueError):
        return None
    return Known(bytes(row["entry_key"]), text, vector, row["created_us"]) if entry_key == row["entry_key"] else None
