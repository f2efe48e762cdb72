"""The cache step: an answer that is there already is given again, as a call of its own that costs nothing.

Exact first, then by meaning, then a call under way that may be joined. What is found goes on as `call.ready`, so that
it is journaled, replayed and guarded like any answer. A cache is no safety: when its database or its embedder fails,
the call goes on without it; but what cannot be decrypted is never given.
"""

from collections.abc import Callable
from typing import Any

import structlog
from msgspec import Struct
from msgspec.structs import replace

from airside.config.cache import CacheSettings
from airside.core.call import Call, CallState, Need, Outcome, Usage
from airside.core.clock import Clock
from airside.core.errors import AirsideError, Code
from airside.core.ports import Forward, Keyring, Policy, SubjectKey
from airside.gateways.models.caching.inflight import InFlight, joined
from airside.gateways.models.caching.keys import SHARED_SUBJECT, Room, entry_key, part_key, room_of
from airside.gateways.models.caching.remembered import Remembered, answer_of, keepable, ready, text_of
from airside.gateways.models.caching.savings import Saved, Savings
from airside.gateways.models.caching.semantic import Semantic, Verdict
from airside.gateways.models.caching.store import CacheStore, Origin
from airside.gateways.models.caching.wishes import Mode, Wish, question, repeatable, wish
from airside.gateways.models.fallbacks.step import HEADER as FALLBACK
from airside.gateways.models.provider import Ask
from airside.pipeline.afterwork import Afterwork

_log = structlog.get_logger(__name__)
HEADER = b"x-airside-cache"
_NOBODY = Verdict(decision="not asked")


class _Sought(Struct, frozen=True):
    """A call on its way through the caches: where it belongs, and how its request is named there."""

    call: Call
    ask: Ask
    wish: Wish
    room: Room
    key: SubjectKey
    name: bytes


class Shelves(Struct, frozen=True):
    """What a cache is made of: the kept answers, the search by meaning if there is an embedder, and the counters."""

    store: CacheStore
    semantic: Semantic | None
    savings: Savings


class Cache:
    """Answers model calls from what is remembered, and remembers answers."""

    def __init__(
        self,
        shelves: Shelves,
        keyring: Keyring,
        clock: Clock,
        afterwork: Afterwork,
        policy: Policy,
        settings: CacheSettings,
        mode_of: Callable[[str], Mode | None] = lambda _: None,
    ) -> None:
        self._store = shelves.store
        self._semantic = shelves.semantic
        self._savings = shelves.savings
        self._keyring = keyring
        self._clock = clock
        self._afterwork = afterwork
        self._policy = policy
        self._settings = settings
        self._mode_of = mode_of
        self.in_flight = InFlight()

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Give a remembered answer, or pass the call on and remember its answer.

        Raises `invalid_request` for an unknown wish and `misconfigured` for a semantic cache without its embedder.
        """
        ask = call.payload
        if not isinstance(ask, Ask) or call.ready is not None:
            return await forward(call)
        asked = wish(call, self._settings, self._mode_of(call.who.agent))
        if asked.nothing or not (asked.join or repeatable(ask.request, asked, self._settings)):
            return self._counted(call, await forward(call))
        key = await self._keyring_of(call)
        if key is None:
            return self._counted(call, await forward(call))
        room = room_of(call, ask.request, self._settings, self._policy.version)
        sought = _Sought(call, ask, asked, room, key, entry_key(key, room, call.parts))
        return await self._sought(sought, forward)

    async def _sought(self, sought: _Sought, forward: Forward) -> Outcome:
        repeats = sought.wish.mode != "off" and repeatable(sought.ask.request, sought.wish, self._settings)
        exact = await self._exact(sought) if repeats else None
        if exact is not None:
            return await self._given(sought, "exact", exact, forward, {})
        verdict = await self._by_meaning(sought) if repeats and sought.wish.mode == "semantic" else _NOBODY
        if verdict.decision == "served" and verdict.answer is not None:
            return await self._given(sought, "semantic", verdict.answer, forward, verdict.note)
        if verdict.candidates:
            call = sought.call
            noted = {**call.notes, "cache": {"kind": "miss", **verdict.note}}
            sought = replace(sought, call=replace(call, notes=noted))
        outcome = await (self._shared(sought, forward) if sought.wish.join else forward(sought.call))
        stood_in = any(name == FALLBACK for name, _ in sought.ask.told)  # not the answer of the model that was asked
        if repeats and not outcome.replayed and not stood_in:
            self._afterwork.start(self._remembered(sought, outcome, verdict))
        return self._counted(sought.call, outcome)

    async def _keyring_of(self, call: Call) -> SubjectKey | None:
        owner = call.who.subject if self._settings.scope == "subject" else SHARED_SUBJECT
        try:
            return await self._keyring.subject(call.who.tenant_id, owner)
        except AirsideError as error:
            _log.warning("cache_without_key", code=error.code.value)
            return None

    async def _exact(self, sought: _Sought) -> Remembered | None:
        try:
            return await self._store.find(sought.room, sought.name)
        except AirsideError as error:
            _log.warning("cache_not_asked", code=error.code.value)
            return None

    async def _by_meaning(self, sought: _Sought) -> Verdict:
        text = question(sought.ask.request)
        part = part_key(sought.key, sought.room, sought.call.parts, text) if text else None
        if part is None:
            return _NOBODY
        if self._semantic is None:
            raise AirsideError(
                Code.MISCONFIGURED,
                "a semantic cache was asked for, and there is no embedder",
                advice="Install airside with the extra `local`, or set cache.semantic.embedder.",
            )
        try:
            return await self._semantic.look(sought.call, sought.room, part, text)
        except AirsideError as error:
            if error.code is Code.MISCONFIGURED:
                raise
            _log.warning("semantic_cache_not_asked", code=error.code.value)
            return _NOBODY

    async def _given(
        self, sought: _Sought, kind: str, answer: Remembered, forward: Forward, more: dict[str, Any]
    ) -> Outcome:
        """Let a remembered answer go the rest of the way as this call's own."""
        call = sought.call
        age_s = max(0, (self._clock.now_us() - answer.created_us) // 1_000_000)
        saved = Saved(hits=1, tokens=answer.usage.total, nanousd=answer.cost)
        noted = {"kind": kind, "age_s": age_s, "saved_nanousd": answer.cost, "saved_tokens": answer.usage.total}
        sought.ask.told.append((HEADER, f"{kind}; age={age_s}".encode()))
        outcome = await forward(
            replace(
                call,
                ready=ready(answer, call),
                need=Need(),
                notes={**call.notes, "cache": {**noted, **more}},
            )
        )
        self._savings.add(call.who.tenant_id, call.who.agent, kind, saved)
        self._savings.used(sought.room, answer.entry_key)
        return outcome

    async def _shared(self, sought: _Sought, forward: Forward) -> Outcome:
        """Join an identical call of another run that is under way, or make this one, which others may join."""
        call = sought.call
        give_up_s = min(self._clock.monotonic_s() + call.timeout_s, call.deadline_s)
        while (flight := self.in_flight.of(call.who.tenant_id, sought.name)) is not None:
            if flight.run_id == call.who.run_id:
                return await forward(call)
            answer = await joined(flight, max(0.0, give_up_s - self._clock.monotonic_s()))
            if answer is not None:
                kept = _as_remembered(sought.name, answer, self._clock.now_us())
                return await self._given(sought, "joined", kept, forward, {"of": flight.call_id})
            if self._clock.monotonic_s() >= give_up_s:
                raise AirsideError(Code.UPSTREAM_TIMEOUT, f"the call {flight.call_id}, which this one joined, is late")
        flight = self.in_flight.lead(call.who.tenant_id, sought.name, call.who.run_id, call.call_id)
        shared: Outcome | None = None
        try:
            outcome = await forward(call)
            shared = outcome if answer_of(sought.ask.request, outcome) is not None else None
            return outcome
        finally:
            self.in_flight.land(call.who.tenant_id, sought.name, flight, shared)

    async def _remembered(self, sought: _Sought, outcome: Outcome, verdict: Verdict) -> None:
        """Keep an answer, and compare it with one that would have been given instead; a failure costs only a hit."""
        call, request = sought.call, sought.ask.request
        answer = answer_of(request, outcome)
        if answer is None:
            return
        try:
            if verdict.near is not None and verdict.answer is not None:
                await self._compared(sought, verdict, text_of(answer))
            if not keepable(answer, outcome, self._settings, by_meaning=False):
                return
            by_meaning = verdict.asked is not None and keepable(answer, outcome, self._settings, by_meaning=True)
            asked = verdict.asked if by_meaning else None
            origin = Origin(call.who.subject, call.who.agent, call.name)
            kept = _as_remembered(sought.name, outcome, 0)
            await self._store.put(sought.room, sought.key, kept, origin, asked)
            if asked is not None and self._semantic is not None:
                self._semantic.kept(sought.room, asked)
        except AirsideError as error:
            _log.warning("answer_not_remembered", call_id=call.call_id, code=error.code.value)

    async def _compared(self, sought: _Sought, verdict: Verdict, fresh: str) -> None:
        assert self._semantic is not None
        assert verdict.answer is not None
        kept = answer_of(sought.ask.request, _as_outcome(verdict.answer))
        if kept is None:
            return
        call = sought.call
        right = await self._semantic.learn(call, sought.room, verdict, fresh, text_of(kept))
        kind = "audit" if verdict.decision == "audit" else "explored"
        self._savings.add(call.who.tenant_id, call.who.agent, kind, Saved(trials=1, wrong=0 if right else 1))

    def _counted(self, call: Call, outcome: Outcome) -> Outcome:
        """Count what the provider's own cache has saved on a call that was made."""
        ask = call.payload
        usage = outcome.usage
        if isinstance(ask, Ask) and usage.cached_read and not outcome.replayed:
            whole = replace(usage, input=usage.input + usage.cached_read, cached_read=0)
            saved = max(0, ask.route.price.cost(whole) - ask.route.price.cost(usage))
            totals = Saved(hits=1, tokens=usage.cached_read, nanousd=saved)
            self._savings.add(call.who.tenant_id, call.who.agent, "prompt", totals)
        return outcome


def _as_remembered(name: bytes, outcome: Outcome, created_us: int) -> Remembered:
    return Remembered(
        entry_key=name,
        body=outcome.body,
        usage=outcome.usage,
        cost=outcome.cost,
        upstream=outcome.upstream,
        price=outcome.price,
        created_us=created_us,
    )


def _as_outcome(answer: Remembered) -> Outcome:
    usage = answer.usage if answer.usage.total else Usage(output=1)
    return Outcome(state=CallState.OK, body=answer.body, usage=usage)
