"""A Call: one thing an agent does to the world, and its Outcome."""

from collections.abc import Awaitable, Mapping
from enum import StrEnum
from math import inf
from types import MappingProxyType
from typing import Any, Protocol

from msgspec import Struct

from airside.core.money import ZERO, NanoUsd
from airside.core.policy import Decision, Facts
from airside.core.run import Identity


class CallKind(StrEnum):
    """Which gateway a call passes."""

    MODEL = "model"
    TOOL = "tool"


class Effect(StrEnum):
    """What a call does to the world; a model call reads."""

    READ = "read"
    WRITE = "write"
    EXECUTE = "execute"


class CallState(StrEnum):
    """How a call stands. OPEN has an intent and no outcome yet; the others are outcomes."""

    OPEN = "open"
    OK = "ok"
    ERROR = "error"
    DENIED = "denied"
    CANCELLED = "cancelled"
    TRANSIENT = "transient"
    RATE_LIMITED = "rate_limited"
    BUDGET = "budget"
    BREAKER = "breaker"
    LOST = "lost"
    HELD = "held"


REPLAYABLE = frozenset({CallState.OK, CallState.ERROR, CallState.DENIED})
"""Outcomes that a later attempt is given again. The others are tried anew."""


_NOTHING: Mapping[str, Any] = MappingProxyType({})
NO_FACTS = Facts()


class Usage(Struct, frozen=True):
    """Tokens of one model call in the classes that are priced apart. `input` excludes all cache classes.

    `cache_write_1h` were written to a cache that keeps them for an hour, where a provider has such a one.
    """

    input: int = 0
    cached_read: int = 0
    cache_write: int = 0
    output: int = 0
    cache_write_1h: int = 0

    @property
    def read(self) -> int:
        """All tokens that the model was given."""
        return self.input + self.cached_read + self.cache_write + self.cache_write_1h

    @property
    def total(self) -> int:
        """All tokens of the call."""
        return self.read + self.output


class Need(Struct, frozen=True):
    """The worst case that a call may consume, from which its reservation is made.

    `fixed_*` is certain to be needed at most once (input tokens and their price); up to `output_tokens` more tokens
    are bought at `nanousd_per_output_token` each, and the admission may grant fewer of them, but never fewer than
    `output_tokens_min`.
    """

    fixed_nanousd: NanoUsd = ZERO
    fixed_tokens: int = 0
    output_tokens: int = 0
    output_tokens_min: int = 0
    nanousd_per_output_token: NanoUsd = ZERO

    def nanousd(self, output_tokens: int) -> NanoUsd:
        """The dollars reserved when that many output tokens are granted."""
        return NanoUsd(self.fixed_nanousd + output_tokens * self.nanousd_per_output_token)

    def tokens(self, output_tokens: int) -> int:
        """The tokens reserved when that many output tokens are granted."""
        return self.fixed_tokens + output_tokens


class Sink(Protocol):
    """Where a streaming call's deltas go while it runs."""

    def write(self, chunk: bytes) -> Awaitable[None]:
        """Deliver a part of the answer; raises CancelledError when the client has gone."""
        ...


class Call(Struct, frozen=True, kw_only=True):
    """One call on its way through the pipeline. Steps pass on changed copies (`msgspec.structs.replace`).

    `token` is the bearer credential as presented (never journaled) and `run_header` the optional `X-Airside-Run`.
    `identity` is None until the `identify` step has run. `parts` are the canonical request in pieces, each stored once
    (a model request: one piece per message, then the parameters; a tool call: its arguments). `arguments` are a tool
    call's arguments as values, for rules and approvals; `said` are they as the agent wrote them, where values were put
    in the place of placeholders since (None: they are the same). `payload` belongs to the gateway that made the call.
    `part_ids` are the keyed content ids of `parts`, filled in with `request_hash` by `replay`; so is `request_key`, by
    which a side effect that the same attempt asks for again is known to be the same one. `maybe_sent` is set when an
    earlier try of the call may have reached the world.

    `wishes` are what the caller asks of airside beside the request: its `x-airside-…` headers, by their names without
    that prefix. `peer` is the client's network address. `notes` are what steps decided about the call (a route and its
    reason, what was trimmed): plain JSON values without content, journaled with the intent. `ready` is an answer that
    is there already, from a cache: the call passes the rest of the pipeline, and nothing leaves. `facts` are what rules
    look at beside the request, gathered by `evidence`. `secrets` are values by name for the tool that executes it, put
    in by the last step before it leaves: never journaled.
    """

    call_id: str
    kind: CallKind
    name: str
    token: str
    parts: tuple[bytes, ...]
    effect: Effect
    idempotent: bool
    timeout_s: float
    run_header: str = ""
    identity: Identity | None = None
    request_hash: bytes = b""
    part_ids: tuple[bytes, ...] = ()
    request_key: bytes = b""
    occurrence: int = 0
    try_number: int = 1
    maybe_sent: bool = False
    need: Need = Need()
    output_tokens_granted: int = 0
    arguments: Mapping[str, Any] | None = None
    decision: Decision | None = None
    approval_id: str = ""
    edited: bool = False
    local: bool = False
    sink: Sink | None = None
    payload: Any = None
    wishes: Mapping[str, str] = _NOTHING
    peer: str = ""
    notes: Mapping[str, Any] = _NOTHING
    ready: "Outcome | None" = None
    deadline_s: float = inf
    secrets: Mapping[str, str] = _NOTHING
    facts: Facts = NO_FACTS
    said: Mapping[str, Any] | None = None

    @property
    def who(self) -> Identity:
        """The identity, which every step after `identify` may rely on."""
        assert self.identity is not None, "a step ran before identify"
        return self.identity

    @property
    def side_effect(self) -> bool:
        """Whether the call may change the world."""
        return self.effect is not Effect.READ

    @property
    def in_doubt(self) -> bool:
        """Whether an earlier try of this call may have changed the world."""
        return self.side_effect and self.maybe_sent


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of a call.

    `body` is the delivered answer in its canonical assembled form (a stream's outcome is the whole message), JSON.
    `at_us` is when it was recorded, filled in by the journal; `replayed` when it was answered from there.
    `pending` marks a local tool call that was authorised and will be reported later. `metered` is false when usage is
    unknown (an aborted stream, a provider that reports none): such a call is charged its full reservation. `price`
    names the version of the price list that `cost` was computed from. `run_id` is filled in by `identify`, for the
    gateways to tell. `notes` are plain JSON values without content, journaled with the outcome.
    """

    state: CallState
    body: bytes
    usage: Usage = Usage()
    cost: NanoUsd = ZERO
    upstream: str = ""
    code: str = ""
    message: str = ""
    call_id: str = ""
    at_us: int = 0
    replayed: bool = False
    pending: bool = False
    edited: bool = False
    arguments: bytes = b""
    metered: bool = True
    price: str = ""
    run_id: str = ""
    notes: Mapping[str, Any] = _NOTHING
