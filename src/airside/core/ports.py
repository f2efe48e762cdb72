"""The ports: what the inside asks of the outside. Backends and services implement them; `plane.py` connects them.

Everything here speaks in the types of `core`. No port leaks a driver's type or raises a driver's error: a backend
that cannot do its work raises AirsideError `journal_unavailable`, and the call does not leave.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from airside.core.budget import Blocked, Exhausted, Fill, Granted
from airside.core.call import Call, CallKind, CallState, Effect, Outcome
from airside.core.dependencies import Dependency
from airside.core.errors import Code
from airside.core.money import NanoUsd
from airside.core.policy import Decision, Facts
from airside.core.run import Identity
from airside.core.tool import Tool

T = TypeVar("T")
Row = Mapping[str, Any]


class Entry(Struct, frozen=True):
    """One event for the journal: what happened (`type`, `version`), to whom, and its body (canonical JSON, no content).

    Types are listed in `journal/events.py`; a type's meaning never changes, its version counts changes of its body.
    """

    tenant_id: str
    run_id: str
    call_id: str
    type: str
    version: int
    body: bytes


class Sealed(Struct, frozen=True):
    """Content made fit for storage: its keyed name and its compressed, encrypted bytes."""

    tenant_id: str
    subject: str
    content_id: bytes
    blob: bytes


class Query(Struct, frozen=True):
    """A named SQL statement from a `.sql` file, with `:name` parameters; `variants` by database beat `sql`."""

    name: str
    sql: str
    variants: Mapping[str, str] = MappingProxyType({})

    def text(self, database: str) -> str:
        """Return the statement for `sqlite` or `postgres`."""
        return self.variants.get(database, self.sql)


class Transaction(Protocol):
    """One database transaction. `now_us` is the database's clock at its start, in microseconds UTC."""

    @property
    def now_us(self) -> int:
        """The database's clock at the start of the transaction."""
        ...

    async def fetch(self, query: Query, **parameters: object) -> Sequence[Row]:
        """Run a statement and return its rows."""
        ...

    async def one(self, query: Query, **parameters: object) -> Row | None:
        """Run a statement and return its first row, or None."""
        ...

    async def execute(self, query: Query, **parameters: object) -> int:
        """Run a statement and return how many rows it changed."""
        ...

    async def append(self, *entries: Entry) -> None:
        """Write entries to the journal."""
        ...

    async def store(self, *contents: Sealed) -> None:
        """Store contents that are not there yet."""
        ...


Body = Callable[[Transaction], Awaitable[T]]
"""Work inside a transaction. It awaits nothing but the transaction, so that a backend may run it in one go."""


class Database(Protocol):
    """The transaction seam. Every table is reached through here; nothing else opens a connection."""

    async def transact(self, body: Body[T]) -> T:
        """Run `body` in a writing transaction and return its value after the commit. Raising rolls back."""
        ...

    async def read(self, body: Body[T]) -> T:
        """Run `body` on a consistent snapshot, off the writing path. It must not write."""
        ...

    async def look_up(self, body: Body[T]) -> T:
        """Run `body`, a single look by a key or into a tiny table, as directly as the database allows; no writing."""
        ...

    async def close(self) -> None:
        """Finish what is under way and release the database."""
        ...


class Recorded(Struct, frozen=True, kw_only=True):
    """A call as the journal knows it. `outcome` is the sealed answer's content id and `sealed` its bytes."""

    call_id: str
    name: str
    state: CallState
    effect: Effect
    idempotent: bool
    occurrence: int
    attempt: int
    try_number: int
    executor_id: str
    executor_alive: bool
    approval_id: str
    code: str
    message: str
    upstream: str
    edited: bool
    closed_us: int
    outcome: bytes
    sealed: bytes


class Opening(Struct, frozen=True, kw_only=True):
    """What one transaction must make durable before a call leaves: reservation, intent, contents.

    `local` calls are executed by the attempt itself, which then stands as the executor.
    """

    call: Call
    executor_id: str
    intent: Entry
    contents: Sequence[Sealed] = ()


class Refused(Struct, frozen=True):
    """The intent was not written: the attempt is superseded, the run ended or was killed, or the approval is gone."""

    code: Code
    message: str


class Admitted(Struct, frozen=True):
    """The intent is durable and the reservation made; the call may leave."""

    granted: Granted
    occurrence: int
    at_us: int


Admission = Admitted | Exhausted | Blocked | Refused


class Closing(Struct, frozen=True, kw_only=True):
    """What one transaction makes durable after a call: settlement, outcome, contents.

    `cost` and `tokens` are what was consumed; None settles at the full reservation (unknown usage). `delivered` False
    notes that the client vanished; True leaves what `abandon` has noted as it is.
    """

    call: Call
    state: CallState
    event: Entry
    outcome: Sealed | None
    cost: NanoUsd | None
    tokens: int | None
    code: str = ""
    message: str = ""
    upstream: str = ""
    delivered: bool = True


class Closed(Struct, frozen=True):
    """An outcome is durable: its instant (µs), and the limits on the call's path of which half or more is spent now."""

    at_us: int
    fills: tuple[Fill, ...] = ()


class Journal(Protocol):
    """The hot path of the journal: the operations every call goes through, grouped into batches by the backend."""

    executor_id: str
    """The name of this process in intents; alive while its lease in `executors` is renewed."""

    async def claimable(self, identity: Identity, request_hash: bytes, request_key: bytes = b"") -> bool:
        """Whether `claim` would find something: a look that costs little, because mostly there is nothing."""
        ...

    async def claim(self, identity: Identity, request_hash: bytes, request_key: bytes = b"") -> Recorded | None:
        """Claim the lowest occurrence of a request that this attempt has not consumed, or return None.

        Considered are calls that are OPEN, HELD or REPLAYABLE with `consumed` below the attempt, and calls of this
        attempt whose client vanished before delivery (`delivered` = 0). Claiming sets `consumed` to the attempt and
        `delivered` to 1, in one statement, so that concurrent claims get different occurrences. A request with a key
        is given before all others the call that this key has claimed or opened already: it was sent again.
        """
        ...

    async def open(self, opening: Opening) -> Admission:
        """Fence, consume the approval, reserve and write the intent, all or nothing.

        Refused: `attempt_superseded` if a newer attempt exists or this one has ended; `killed` or `cancelled` if the
        run may not go on; `approval_expired` if the approval is not approved, past its use, or consumed by another.
        The occurrence is the next of (run, request hash), or the row's own if the call id is already known (a retry or
        a re-send: then an approval may be consumed by this very call already, and a row that is still open, because
        its executor died, is settled at its full reservation first). A held row is opened again for an idempotent call
        only; else `outcome_unknown`. Raises AirsideError `conflict` for a new call whose request key has one already.
        """
        ...

    async def close(self, closing: Closing) -> Closed:
        """Settle and write the outcome. Never refused: what happened is recorded.

        Closing a call that is not open changes nothing, so that a repeated close settles once.
        """
        ...

    async def refuse(self, call: Call, state: CallState, event: Entry, outcome: Sealed | None, error: Refused) -> None:
        """Record a call that did not leave. REPLAYABLE states get a row that later attempts claim.

        If the call id is already known (a later try was refused), the event is written and the row stays as it is.
        """
        ...

    async def abandon(self, identity: Identity, call_id: str) -> None:
        """Note that the client vanished before the answer was delivered, so that its retry rejoins the call.

        Changes nothing once a newer attempt has consumed the call.
        """
        ...

    async def look(self, identity: Identity, call_id: str) -> Recorded | None:
        """Return a call as it stands now, without claiming it."""
        ...

    async def unconsumed_effects(self, identity: Identity) -> int:
        """Count recorded side effects of the run (OPEN, OK, ERROR, HELD) that this attempt has not consumed."""
        ...

    async def in_flight(self, identity: Identity) -> int:
        """Count the calls of this attempt that are OPEN."""
        ...


class SubjectKey(Protocol):
    """The key of one subject: names and seals content."""

    def name(self, plaintext: bytes) -> bytes:
        """Return the content id: a keyed hash (32 bytes), equal for equal plaintexts of the same subject only."""
        ...

    def seal(self, plaintext: bytes, content_id: bytes = b"") -> Sealed:
        """Compress and encrypt. `content_id` is what `name` gives, if the caller knows it already."""
        ...

    def open(self, content_id: bytes, blob: bytes) -> bytes:
        """Decrypt and check; raises AirsideError `journal_unavailable` if the bytes were changed."""
        ...


class Keyring(Protocol):
    """Subject keys, created at first use and cached."""

    async def subject(self, tenant_id: str, subject: str) -> SubjectKey:
        """Return the key of a subject; raises AirsideError `not_found` once it was destroyed."""
        ...

    def fresh(self, tenant_id: str, subject: str) -> tuple[SubjectKey, Body[None]]:
        """Return a key for a subject that nobody else can know yet, and what writes it in the caller's transaction."""
        ...

    def keep(self, tenant_id: str, subject: str, key: SubjectKey) -> None:
        """Remember a fresh key, once the transaction that wrote it is committed."""
        ...

    @property
    def link_key(self) -> bytes:
        """The key (32 bytes) that signs reviewers' links in this installation."""
        ...


class Identities(Protocol):
    """Who is behind a bearer token, and whether they may still make calls."""

    async def resolve(self, token: str, run_header: str) -> Identity:
        """Return the identity behind a run token or an outside program's key.

        Raises `unauthenticated` for unknown, expired or revoked tokens, `attempt_superseded`, `killed`, `cancelled`.
        While the run is suspending it does not return: the pending call is simply not answered.
        """
        ...

    def check(self, identity: Identity, kind: CallKind, name: str) -> None:
        """Raise `killed` if a kill of the run, agent, tool, tenant or everything is in force (≤250 ms old)."""
        ...


class Policy(Protocol):
    """The rules in force."""

    @property
    def version(self) -> str:
        """The name of what the rules say now; it changes when they do."""
        ...

    def decide(self, call: Call, tool: Tool | None) -> Decision:
        """Return the verdict on a call and its `facts`; pure and total: what no rule allows is denied."""
        ...


class Witness(Protocol):
    """Knows something that rules look at: provenance, sums, confidence."""

    async def __call__(self, call: Call, tool: Tool, facts: Facts) -> Facts:
        """Return the facts with what it knows of this call added; raising stops the call."""
        ...


class SecretWatch(Protocol):
    """Recognises the values of secrets."""

    def found_in(self, tenant_id: str, text: str) -> tuple[str, ...]:
        """Return the handles of the secrets whose values stand in a text, in any encoding that is looked for."""
        ...


class ApprovalState(Struct, frozen=True, kw_only=True):
    """What the reviewers say of one asked call: `pending`, `approved`, `denied` or `expired`."""

    approval_id: str
    call_id: str
    state: str
    reason: str = ""
    edited_arguments: bytes | None = None


class Approvals(Protocol):
    """The review queue, as the pipeline sees it."""

    async def ask(self, call: Call, decision: Decision, tool: Tool | None = None) -> ApprovalState:
        """Return the approval of this call, asking for one (and suspending the run) if there is none.

        `tool` is what reviewers' edits are checked against. Like replay, the lowest occurrence of (run, request hash)
        that this attempt has not met is claimed, so that each approval serves one call. A pending one leaves the run
        suspending.
        """
        ...


class Suspensions(Protocol):
    """Ways in which the pipeline asks for the end of an attempt."""

    async def suspend(self, identity: Identity, state: str, message: str) -> None:
        """Ask the worker to end the attempt and leave the run in `waiting_approval`, `parked`, `held` or `diverged`."""
        ...

    async def park(self, identity: Identity, dependency: Dependency, message: str) -> None:
        """Ask the worker to end the attempt and park the run until the breaker of a dependency closes."""
        ...


class Notices(Protocol):
    """Tells operators what they should know; never blocks a call and never fails."""

    def tell(self, tenant_id: str, kind: str, body: Mapping[str, Any]) -> None:
        """Journal a notice and send it to the operators' webhook, soon.

        `kind` is dotted (`breaker.opened`), `body` plain JSON without content; what it has under `key` tells notices of
        a kind apart, and the same kind and key is told at most once in `notices.interval_s`.
        """
        ...


Forward = Callable[[Call], Awaitable[Outcome]]
"""The rest of the pipeline, as a step sees it."""


class Step(Protocol):
    """One idea of the pipeline: an async callable that wraps the next."""

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Let the call pass, change it, answer it, or raise AirsideError."""
        ...
