"""Rate limits that all processes share: each leases a slice of a bucket for a second and spends it in memory.

What leaves a bucket was in it, so all processes together never pass more than it gave, whatever becomes of them: a
slice that is not used up is given back, and one whose process has died is lost to everybody for as long as the bucket
needs to refill it.
"""

import asyncio
import ipaddress
import math
from contextlib import suppress
from functools import lru_cache, partial
from typing import NamedTuple

import structlog
from msgspec import Struct

from airside.config.resilience import Rate, Rates, SubmissionRates
from airside.core.clock import SECOND_US, Clock
from airside.core.dependencies import SHARED, Asker
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Transaction
from airside.journal.queries import load
from airside.resilience import buckets
from airside.resilience.buckets import UNIT, Level

_SQL = load("airside.resilience", "rates.sql")
_log = structlog.get_logger(__name__)

LEASE_S = 1.0
SLICES_PER_MINUTE = 120  # a slice is half a second's worth
DENIAL_S_MAX = 0.25  # how long a denial is believed without asking again: others may have given something back
RETURNS_PER_TRANSACTION = 200
FORGET_US = 3_600 * SECOND_US
FORGET_EVERY = 60  # passes of the returner
TURNS_MAX = 1_000


class Bucket(NamedTuple):
    """What names a bucket among those of all tenants, and its size."""

    tenant_id: str
    name: str
    per_minute: int


class Slice(Struct):
    """What this process holds of a bucket, in units; below zero is what it owes."""

    left: int = 0
    until_s: float = -math.inf
    denied_until_s: float = -math.inf
    free_s: float = -math.inf
    demand: int = 0
    lease: asyncio.Task[None] | None = None


class Limit(NamedTuple):
    """One setting: whose, what, how much."""

    whose: str
    what: str
    per_minute: int


class LeasedRates:
    """Implements `RateLimits` for calls or for submissions."""

    def __init__(self, database: Database, clock: Clock, settings: Rates | SubmissionRates, kind: str) -> None:
        self._database = database
        self._clock = clock
        self._kind = kind
        self._limits = tuple(_limits(settings))
        self._slices: dict[Bucket, Slice] = {}
        self._returning: asyncio.Task[None] | None = None

    @property
    def limited(self) -> bool:
        """Whether there is any limit at all."""
        return bool(self._limits)

    async def start(self) -> None:
        """Begin to give back what is not used."""
        if self._limits:
            self._returning = asyncio.create_task(self._return())

    async def close(self) -> None:
        """Give back what is left."""
        if self._returning is None:
            return
        self._returning.cancel()
        with suppress(asyncio.CancelledError):
            await self._returning
        with suppress(AirsideError):
            await self.give_back(everything=True)

    async def take(self, asker: Asker, tokens: int = 0) -> "TakenUnits":
        """Take one request and so many tokens of every limit that applies, or of none; see `RateLimits.take`.

        A call that needs more tokens than a bucket holds takes the whole bucket.
        """
        wanted = [(bucket, min(units, bucket.per_minute * UNIT) or UNIT) for bucket, units in self._of(asker, tokens)]
        for _ in range(TURNS_MAX):
            now_s = self._clock.monotonic_s()
            lacking = next((want for want in wanted if not self._has(*want, now_s)), None)
            if lacking is None:
                for bucket, units in wanted:
                    self._slices[bucket].left -= units
                return TakenUnits(self, [want for want in wanted if want[0].name.endswith(":tokens")])
            await self._lease(*lacking)
        raise AirsideError(Code.RATE_LIMITED, "too many requests at once", retry_after_s=1.0)

    async def give_back(self, *, everything: bool = False) -> int:
        """Return slices whose lease is over, or all, to their buckets; return how many."""
        now_s = self._clock.monotonic_s()
        over = [
            (bucket, held)
            for bucket, held in self._slices.items()
            if held.lease is None and (everything or held.until_s <= now_s)
        ]
        for start in range(0, len(over), RETURNS_PER_TRANSACTION):
            batch = sorted(over[start : start + RETURNS_PER_TRANSACTION], key=lambda item: item[0])
            back = {bucket: held.left for bucket, held in batch if held.left}
            for bucket, held in batch:
                held.left = 0
                if held.denied_until_s <= now_s:
                    self._slices.pop(bucket, None)
            try:
                await self._database.transact(partial(_give_back, back=back))
            except AirsideError:
                for bucket, units in back.items():
                    self._slices.setdefault(bucket, Slice()).left += units
                raise
        return len(over)

    def settle(self, bucket: Bucket, units: int) -> None:
        """Add to what is held of a bucket (or owed), after a call has come to more or less than it took."""
        held = self._slices.get(bucket)
        if held is None:
            held = self._slices[bucket] = Slice()
        held.left += units

    def _of(self, asker: Asker, tokens: int) -> list[tuple[Bucket, int]]:
        """Return the buckets that apply, and how many units of each a call takes."""
        found = []
        for whose, what, per_minute in self._limits:
            tenant_id, name = _named(asker, whose)
            if name and (tokens or what == "requests"):
                bucket = Bucket(tenant_id, f"{self._kind}:{whose}:{name}:{what}", per_minute)
                found.append((bucket, UNIT * (1 if what == "requests" else tokens)))
        return found

    def _has(self, bucket: Bucket, units: int, now_s: float) -> bool:
        held = self._slices.get(bucket)
        return held is not None and held.left >= units and now_s < held.until_s

    async def _lease(self, bucket: Bucket, units: int) -> None:
        """Get more of a bucket, together with whoever else waits for it now; raises `rate_limited`."""
        held = self._slices.setdefault(bucket, Slice())
        now_s = self._clock.monotonic_s()
        if now_s < held.denied_until_s:
            raise _refusal(bucket, held.free_s - now_s)
        if not bucket.per_minute:
            raise _refusal(bucket, 60.0)
        held.demand += units
        try:
            if held.lease is None:
                held.lease = asyncio.create_task(self._exchange(bucket, held, units))
                held.lease.add_done_callback(_seen)
            await asyncio.shield(held.lease)
        finally:
            held.demand -= units

    async def _exchange(self, bucket: Bucket, held: Slice, least: int) -> None:
        await asyncio.sleep(0)  # whoever asks in the same moment is served by the same transaction
        back, held.left = held.left, 0
        most = max(held.demand, least, bucket.per_minute * UNIT // SLICES_PER_MINUTE)
        try:
            taken, level = await self._database.transact(lambda tx: _exchange(tx, bucket, back, least, most))
        except AirsideError:
            held.left += back
            raise
        finally:
            held.lease = None
        now_s = self._clock.monotonic_s()
        held.left += taken
        held.until_s = now_s + LEASE_S
        if not taken:
            held.free_s = now_s + buckets.wait_s(level, bucket.per_minute, least)
            held.denied_until_s = min(held.free_s, now_s + DENIAL_S_MAX)

    async def _return(self) -> None:
        passes = 0
        while True:
            await asyncio.sleep(LEASE_S)
            passes += 1
            try:
                await self.give_back()
                if passes % FORGET_EVERY == 0:
                    await self._database.transact(_forget)
            except AirsideError as error:
                _log.warning("rate limits cannot be written; trying again", code=error.code.value)


class TakenUnits:
    """Implements `Taken`: the tokens that a call took."""

    def __init__(self, rates: LeasedRates, taken: list[tuple[Bucket, int]]) -> None:
        self._rates = rates
        self._taken = taken

    def settle(self, tokens: int) -> None:
        """Give back what was not used, or owe what was used beyond it."""
        for bucket, units in self._taken:
            self._rates.settle(bucket, units - tokens * UNIT)
        self._taken = []


def _seen(task: "asyncio.Task[None]") -> None:
    """Take note of a failure that nobody may be left to be told of."""
    if not task.cancelled():
        task.exception()


def _limits(settings: Rates | SubmissionRates) -> list[Limit]:
    found = []
    for whose in ("tenant", "user", "key", "address"):
        rate = getattr(settings, whose)
        if rate.requests_per_minute is not None:
            found.append(Limit(whose, "requests", rate.requests_per_minute))
        if isinstance(rate, Rate) and rate.tokens_per_minute is not None:
            found.append(Limit(whose, "tokens", rate.tokens_per_minute))
    return found


def _named(asker: Asker, whose: str) -> tuple[str, str]:
    """Return whose bucket it is; an address has one for all tenants, because it is the installation that it strains."""
    if whose == "address":
        return SHARED, network_of(asker.address)
    if whose == "tenant":
        return asker.tenant_id, asker.tenant_id
    return asker.tenant_id, asker.user if whose == "user" else asker.key


@lru_cache(maxsize=10_000)
def network_of(address: str) -> str:
    """Return what counts as one network address: an IPv4 address, or the 64-bit network that one IPv6 site has.

    IPv4 inside IPv6 counts as IPv4. Empty for what is no address, such as the peer of a Unix socket.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((int(ip) >> 64 << 64, 64)))


def _refusal(bucket: Bucket, wait_s: float) -> AirsideError:
    kind, whose = bucket.name.split(":", 2)[:2]
    what = bucket.name.rpartition(":")[2]
    setting = f"rates.{kind}.{whose}.{what}_per_minute"
    return AirsideError(
        Code.RATE_LIMITED,
        f"more than {bucket.per_minute} {what} a minute ({setting})",
        details={"limit": setting},
        retry_after_s=min(max(wait_s, 0.001), 60.0),
    )


async def _exchange(tx: Transaction, bucket: Bucket, back: int, least: int, most: int) -> tuple[int, Level]:
    key = {"tenant_id": bucket.tenant_id, "name": bucket.name}
    row = await tx.one(_SQL["lock"], **key)
    if row is None:
        fresh = buckets.full(bucket.per_minute, tx.now_us)
        await tx.execute(_SQL["add"], **key, level=fresh.units, updated_us=fresh.updated_us)
        row = await tx.one(_SQL["lock"], **key)
    assert row is not None, "the row was just added"
    level = buckets.refilled(Level(row["level"], row["updated_us"]), bucket.per_minute, tx.now_us)
    level, taken = buckets.exchanged(level, bucket.per_minute, back, least, most)
    await tx.execute(_SQL["save"], **key, level=level.units, updated_us=level.updated_us)
    return taken, level


async def _give_back(tx: Transaction, back: dict[Bucket, int]) -> None:
    for bucket, units in back.items():
        await _exchange(tx, bucket, units, 1, 0)


async def _forget(tx: Transaction) -> None:
    await tx.execute(_SQL["forget"], before_us=tx.now_us - FORGET_US)
