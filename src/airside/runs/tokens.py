"""Who is behind a bearer token: `Identities` over run tokens and the keys of outside programs.

What a token resolves to is remembered for at most 250 ms, and forgotten at once when this process moves the run. The
fence inside the intent transaction does not rely on any of this: a stale answer here lets no call leave.
"""

import json
from collections.abc import Sequence

from msgspec import Struct, structs

from airside.core.call import CallKind
from airside.core.clock import Clock
from airside.core.errors import AirsideError, Code
from airside.core.patterns import fits_any
from airside.core.ports import Database, Row, Transaction
from airside.core.run import Identity, Role, RunState
from airside.journal.queries import load
from airside.runs.allowances import Allowances
from airside.runs.external import External
from airside.runs.keys import Keys, digest
from airside.runs.kills import Kills
from airside.runs.record import RunRecord
from airside.runs.signals import Signals
from airside.runs.vouching import principal_of

_SQL = load("airside.runs", "keys.sql")

CACHE_S = 0.25
CACHE_ENTRIES_MAX = 100_000
TOKEN_CHARACTERS_MAX = 200


class Standing(Struct, frozen=True):
    """What a run token stands for now: an identity, unless `refusal` says why not; `suspending` makes calls wait."""

    identity: Identity
    lease_until_us: int
    suspending: bool
    refusal: tuple[Code, str] | None


def standing(row: Row, tools: tuple[str, ...]) -> Standing:
    """Return how an attempt stands, from its row joined with its run's. Pure."""
    only = tuple(json.loads(row["tools_granted"])) if row["tools_granted"] else None
    identity = Identity(
        tenant_id=row["tenant_id"],
        run_id=row["run_id"],
        attempt=row["token_attempt"],
        agent=row["agent"],
        release=row["release"],
        subject=row["subject"],
        budget_path=tuple(json.loads(row["budget_path"])),
        supervised=bool(row["supervised"]),
        deadline_us=deadline_us(row["attempt_started_us"], row["wall_us_max"], row["running_us"]),
        tools=tools if only is None else granted(tools, only),
        principal=principal_of(row["principal"]),
        caller=row["caller"],
        caveats=tuple(json.loads(row["caveats"])) if row["caveats"] else (),
        only=only,
    )
    suspend = RunState(row["suspend"]) if row["suspend"] else None
    valid_until_us = row["lease_until_us"] if row["until_us"] is None else min(row["lease_until_us"], row["until_us"])
    return Standing(identity, valid_until_us, suspend is not None, _refusal(row, suspend))


def granted(tools: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """Return which of the wanted tools a list of names and patterns holds."""
    patterns = [tool for tool in tools if "*" in tool]
    return tuple(
        [name for name in dict.fromkeys(wanted) if name in tools or ("*" not in name and fits_any(name, patterns))]
    )


def deadline_us(started_us: int, wall_us_max: int, running_us: int) -> int:
    """Return when an attempt must have ended, so that all attempts together stay within the run's running time."""
    return started_us + max(0, wall_us_max - running_us)


def _refusal(row: Row, suspend: RunState | None) -> tuple[Code, str] | None:
    if row["attempt"] != row["token_attempt"]:
        return Code.ATTEMPT_SUPERSEDED, f"attempt {row['attempt']} of {row['run_id']} has taken over"
    if suspend is RunState.CANCELLED or row["state"] == RunState.CANCELLED:
        code = Code.KILLED if row["code"] == Code.KILLED else Code.CANCELLED
        return code, row["message"]
    if row["attempt_ended_us"] is not None or row["state"] != RunState.RUNNING:
        return Code.ATTEMPT_SUPERSEDED, f"this attempt of {row['run_id']} has ended"
    return None


class TokenIdentities:
    """Implements `ports.Identities`."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        kills: Kills,
        keys: Keys,
        external: External,
        signals: Signals,
        tools: dict[str, tuple[str, ...]],
        allowances: Allowances,
    ) -> None:
        self._database = database
        self._clock = clock
        self._kills = kills
        self._keys = keys
        self._external = external
        self._signals = signals
        self._tools = tools
        self._allowances = allowances
        self._cache: dict[bytes, tuple[float, Standing]] = {}
        self._tokens_of: dict[tuple[str, str], set[bytes]] = {}
        signals.listen(self._forget)

    async def resolve(self, token: str, run_header: str) -> Identity:
        """Return the identity behind a run token or an outside program's key; see `ports.Identities`."""
        return await self._identity(token, run_header, while_suspending=False)

    async def reporter(self, token: str, run_header: str) -> Identity:
        """Return who reports a local tool call: like `resolve`, but at once while the run is suspending.

        What has begun before the suspension must still be reported, or its outcome would be unknown.
        """
        return await self._identity(token, run_header, while_suspending=True)

    async def _identity(self, token: str, run_header: str, *, while_suspending: bool) -> Identity:
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise AirsideError(Code.UNAUTHENTICATED, "this is no token of airside")
        await self._kills.refresh()
        if token.startswith("ak_"):
            principal = await self._keys.principal(token)
            if principal.role is not Role.AGENT:
                raise AirsideError(Code.FORBIDDEN, "only keys of role agent may call the gateways")
            return await self._external.identity(principal, run_header)
        if not token.startswith("rt_"):
            raise AirsideError(Code.UNAUTHENTICATED)
        name = digest(token)
        while True:
            found = await self._standing(name)
            if found.refusal:
                code, message = found.refusal
                raise AirsideError(code, message)
            if while_suspending or not found.suspending:
                return found.identity
            await self._signals.wait(found.identity.tenant_id, found.identity.run_id, CACHE_S)

    def check(self, identity: Identity, kind: CallKind, name: str) -> None:
        """Raise `killed` if a kill of the run, agent, tool, tenant or everything is in force."""
        self._kills.check(identity, kind, name)

    async def _standing(self, name: bytes) -> Standing:
        now_s = self._clock.monotonic_s()
        known = self._cache.get(name)
        if known and now_s - known[0] <= CACHE_S:
            return known[1]

        async def body(tx: Transaction) -> tuple[Row | None, int]:
            own = await tx.one(_SQL["by_token"], token_hash=name)
            return own or await tx.one(_SQL["by_narrowed"], token_hash=name), tx.now_us

        row, now_us = await self._database.look_up(body)
        if row is None:
            raise AirsideError(Code.UNAUTHENTICATED, "this run token is unknown")
        found = standing(row, self._tools.get(row["agent"], ()))
        if found.refusal is None and found.lease_until_us < now_us:
            raise AirsideError(Code.UNAUTHENTICATED, "this run token has expired")
        if found.refusal is None:
            found = structs.replace(found, identity=await self._allowances.current(found.identity))
        self._remember(name, now_s, found)
        return found

    def _remember(self, name: bytes, now_s: float, found: Standing) -> None:
        if len(self._cache) >= CACHE_ENTRIES_MAX:
            self._cache.clear()
            self._tokens_of.clear()
        self._cache[name] = (now_s, found)
        self._tokens_of.setdefault((found.identity.tenant_id, found.identity.run_id), set()).add(name)

    def _forget(self, run: RunRecord) -> None:
        for name in self._tokens_of.pop(run.key, ()):
            self._cache.pop(name, None)
