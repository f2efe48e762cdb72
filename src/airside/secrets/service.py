"""Resolves handles: fetched once for all who wait, held in memory for a while, renewed before the end, given back.

A value is used for `secrets.ttl_s` (never longer than its lease). From two thirds of that on the store is asked behind
the callers' backs. While a store does not answer, what is held stays in use for `secrets.stale_s` more, then calls fail
closed. What a store says is gone is gone at once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from typing import Final, TypeVar

import structlog

from airside.config.secrets import SecretSettings
from airside.core.clock import Clock
from airside.core.dependencies import SHARED
from airside.core.errors import AirsideError, Code, CredentialRefused, TransientError
from airside.secrets.handle import Handle, handles_in, parse
from airside.secrets.lease import Document, Lease, fields_of, pick, unusable
from airside.secrets.store import Store, down
from airside.secrets.watch import Watch

T = TypeVar("T")

HELD_MAX: Final = 1_000  # names in memory at once
REFRESH_SHARE: Final = 2 / 3
TRIES_MAX: Final = 4  # values that one call tries: its own, a fresh one, and those of a rotation under way

_log = structlog.get_logger(__name__)


@dataclass
class _Held:
    """What is in memory under one name, for one tenant. Instants are seconds of the monotonic clock."""

    store: Store
    name: Handle  # without its field: one fetch brings all of them
    tenant_id: str
    document: Document | None = field(default=None, repr=False)
    fetched_s: float = -inf
    expires_s: float = -inf  # from then on the store must be asked
    dies_s: float = -inf  # from then on it must not be used at all
    ends_s: float = inf  # when its lease ends; never, for what is stored
    ask_again_s: float = -inf
    fetching: "asyncio.Task[None] | None" = None
    failure: AirsideError | None = None


class Secrets:
    """What resolves `secret://` handles for one process. Callers see to it that they may (see `grants`)."""

    def __init__(self, stores: Mapping[str, Store], settings: SecretSettings, clock: Clock, watch: Watch) -> None:
        self._stores = stores
        self._settings = settings
        self._clock = clock
        self.watch = watch
        self._held: dict[tuple[str, str, str], _Held] = {}

    async def resolve(
        self, handle: Handle | str, *, tenant_id: str = SHARED, timeout_s: float = inf, valid_s: float = 0.0
    ) -> Lease:
        """Return the value of a handle for a tenant; SHARED is the installation, for handles in its settings.

        `timeout_s` bounds the wait. A lease with less than `valid_s` left is replaced by a new one where its store
        makes such. Raises `secret_unavailable` (a TransientError where asking again may help), `secret_denied` for a
        store that is not this tenant's.
        """
        handle = parse(handle) if isinstance(handle, str) else handle
        held = self._entry(handle, tenant_id)
        now_s = self._clock.monotonic_s()
        if held.document is None or now_s >= held.expires_s or now_s + min(valid_s, _half(held)) >= held.ends_s:
            await self._refreshed(held, timeout_s)
        elif now_s >= held.fetched_s + REFRESH_SHARE * (held.expires_s - held.fetched_s):
            self._fetch(held)
        return self._lease(held, handle, tenant_id)

    async def renewed(self, refused: Lease, but: Sequence[str] = (), *, timeout_s: float = inf) -> Lease | None:
        """Return another value for a lease that the other side refused, or None if there is none.

        That is the newest one of its store, else one of a rotation that is under way. Values of the versions `but` were
        refused too.
        """
        handle, tenant_id = refused.handle, refused.tenant_id
        held = self._entry(handle, tenant_id)
        tried = {refused.version, *but}
        for _ in range(2):  # a fetch that was under way already may have begun before the rotation
            joined = held.fetching is not None
            if held.document is not None and held.document.version in tried:
                with suppress(TransientError):
                    await self._refreshed(held, timeout_s, anew=True)
            if not joined:
                break
        if held.document is not None and held.document.version not in tried:
            return self._lease(held, handle, tenant_id)
        with suppress(AirsideError, TimeoutError):
            async with asyncio.timeout(min(timeout_s, self._settings.timeout_s)):
                for document in await held.store.others(handle.name):
                    lease = self._leased(document, handle, tenant_id, held.expires_s)
                    if document.version not in tried and lease.value != refused.value:
                        return lease
        return None

    async def using(
        self,
        texts: Mapping[str, str],
        use: Callable[[Mapping[str, str]], Awaitable[T]],
        *,
        tenant_id: str = SHARED,
        timeout_s: float = inf,
    ) -> T:
        """Fill texts (headers, an environment) and hand them to `use`; again with newer values if it is refused.

        `use` raises CredentialRefused if the other side refused the credential and did nothing. At most TRIES_MAX
        times; then that error is passed on.
        """
        leases: dict[Handle, Lease] = {}
        refused: dict[Handle, list[str]] = {}
        for last in (*[False] * (TRIES_MAX - 1), True):
            filled = await self.filled(texts, leases, tenant_id, timeout_s)
            try:
                return await use(filled)
            except CredentialRefused:
                if last or not await self.replaced(leases, refused, timeout_s):
                    raise
        raise AssertionError("the last try returns or raises")

    def require(self, text: str, setting: str) -> bool:
        """Return whether a setting holds handles; raises `misconfigured` for one that can never be resolved."""
        places = list(handles_in(text))
        for place in places:
            if place.handle is None or place.handle.store not in self._stores:
                raise AirsideError(
                    Code.MISCONFIGURED, f"{setting}: what begins with secret:// is no handle of a configured store"
                )
        return bool(places)

    async def check(self) -> AsyncIterator[tuple[str, AirsideError | None]]:
        """Yield every store by name, with what is wrong with it."""
        for name, store in self._stores.items():
            try:
                async with asyncio.timeout(self._settings.timeout_s):
                    await store.check()
            except TimeoutError:
                yield name, down(name, f"did not answer within {self._settings.timeout_s} s")
            except AirsideError as error:
                yield name, error
            else:
                yield name, None

    async def put(self, handle: Handle, value: str) -> None:
        """Write a new version of a secret to its store; with a field, its other fields stay as they are."""
        store = self._store(handle, SHARED)
        if not handle.field:
            await store.put(handle.name, value)
            return
        try:
            known = fields_of((await store.fetch(handle.name)).content, handle)
        except AirsideError as error:
            if not error.details.get("missing"):
                raise
            known = {}
        await store.put(handle.name, {**known, handle.field: value})

    async def close(self) -> None:
        """Stop asking, and give leases back."""
        tasks = [held.fetching for held in self._held.values() if held.fetching is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._held.clear()
        for name, store in self._stores.items():
            try:
                async with asyncio.timeout(self._settings.timeout_s):
                    await store.close()
            except (AirsideError, TimeoutError):
                _log.warning("leases are not given back; they end by themselves", store=name)

    def _store(self, handle: Handle, tenant_id: str) -> Store:
        settings = self._settings.stores.get(handle.store)
        store = self._stores.get(handle.store)
        if store is None or settings is None:
            raise unusable(handle, "names a store that is not configured", "Describe it under secrets.stores.")
        if settings.tenants and tenant_id != SHARED and tenant_id not in settings.tenants:
            raise AirsideError(Code.SECRET_DENIED, f"{handle} is not for this tenant")
        return store

    def _entry(self, handle: Handle, tenant_id: str) -> _Held:
        store, key = self._store(handle, tenant_id), (tenant_id, handle.store, handle.name)
        held = self._held.get(key)
        if held is None:
            if len(self._held) >= HELD_MAX:
                oldest = min(self._held, key=lambda one: self._held[one].fetched_s)
                del self._held[oldest]
            held = self._held[key] = _Held(store, handle._replace(field=""), tenant_id)
        return held

    async def _refreshed(self, held: _Held, timeout_s: float, *, anew: bool = False) -> None:
        """Wait until the store has answered; a failure is borne while what is held may still be used."""
        task = self._fetch(held, anew=anew)
        try:
            if task is not None:
                async with asyncio.timeout(timeout_s if timeout_s < inf else None):
                    await asyncio.shield(task)
            elif held.failure is not None:
                raise held.failure
        except TimeoutError:
            if not self._bearable(held):
                raise down(held.name.store, f"did not answer within {timeout_s:.1f} s") from None
        except AirsideError as error:
            if not isinstance(error, TransientError) or not self._bearable(held):
                raise _own(error) from None

    def _bearable(self, held: _Held) -> bool:
        """Whether what is held may be used although the store does not answer."""
        return held.document is not None and self._clock.monotonic_s() < held.dies_s

    def _fetch(self, held: _Held, *, anew: bool = False) -> "asyncio.Task[None] | None":
        """Return the one fetch that is under way, begun now if there is none; None in the pause after a failure."""
        if held.fetching is None:
            if self._clock.monotonic_s() < held.ask_again_s:
                return None
            held.fetching = asyncio.create_task(self._fetched(held, anew=anew))
            held.fetching.add_done_callback(_heard)
        return held.fetching

    async def _fetched(self, held: _Held, *, anew: bool) -> None:
        timeout_s = self._settings.timeout_s
        try:
            try:
                async with asyncio.timeout(timeout_s):
                    known = None if anew or held.document is None else await held.store.renew(held.document)
                    document = known or await held.store.fetch(held.name.name)
            except TimeoutError:
                raise down(held.name.store, f"did not answer within {timeout_s} s") from None
            self._keep(held, document)
        except AirsideError as error:
            held.failure = error
            held.ask_again_s = self._clock.monotonic_s() + self._settings.retry_s
            if not isinstance(error, TransientError):
                held.document = None  # the store says so: it is gone, or not to be used
            _log.warning("not_fetched", handle=str(held.name), code=error.code.value, tenant=held.tenant_id)
            raise
        finally:
            held.fetching = None

    def _keep(self, held: _Held, document: Document) -> None:
        now_s = self._clock.monotonic_s()
        held.document, held.failure, held.fetched_s = document, None, now_s
        held.ends_s = now_s + document.lease_s
        held.expires_s = min(now_s + self._settings.ttl_s, held.ends_s)
        held.dies_s = min(held.expires_s + self._settings.stale_s, held.ends_s)
        held.ask_again_s = -inf

    def _lease(self, held: _Held, handle: Handle, tenant_id: str) -> Lease:
        if held.document is None:
            raise _own(held.failure) if held.failure else down(handle.store, "did not answer")
        return self._leased(held.document, handle, tenant_id, held.dies_s)

    def _leased(self, document: Document, handle: Handle, tenant_id: str, expires_s: float) -> Lease:
        value = pick(document, handle)
        self.watch.remember(tenant_id, handle, document.version, value)
        return Lease(handle, tenant_id, value, document.version, expires_s)

    async def filled(
        self,
        texts: Mapping[str, str],
        leases: dict[Handle, Lease],
        tenant_id: str = SHARED,
        timeout_s: float = inf,
    ) -> Mapping[str, str]:
        """Return texts with values in place of handles, resolving those that `leases` does not hold yet."""
        filled: dict[str, str] = {}
        for name, text in texts.items():
            pieces, at = [], 0
            for place in handles_in(text):
                if place.handle is None:
                    raise AirsideError(Code.MISCONFIGURED, f"what begins with secret:// in {name or 'it'} is no handle")
                if place.handle not in leases:
                    leases[place.handle] = await self.resolve(place.handle, tenant_id=tenant_id, timeout_s=timeout_s)
                pieces += [text[at : place.start], leases[place.handle].value]
                at = place.end
            filled[name] = "".join([*pieces, text[at:]])
        return filled

    async def replaced(
        self, leases: dict[Handle, Lease], refused: dict[Handle, list[str]], timeout_s: float = inf
    ) -> bool:
        """Put newer values in the place of refused ones; return whether there is any.

        `refused` remembers the versions that were refused already, from one time to the next.
        """
        found = False
        for handle, lease in leases.items():
            versions = refused.setdefault(handle, [])
            versions.append(lease.version)
            newer = await self.renewed(lease, versions, timeout_s=timeout_s)
            if newer is not None:
                leases[handle], found = newer, True
        return found


def _own(error: AirsideError) -> AirsideError:
    """Return an error of the caller's own: one failure is raised to many, and each notes in it what becomes of it."""
    return type(error)(error.code, error.message, advice=error.advice, details=error.details)


def _half(held: _Held) -> float:
    """Return half of what a fresh lease would have, in seconds: to ask for more would fetch at every call."""
    return (held.ends_s - held.fetched_s) / 2


def _heard(task: "asyncio.Task[None]") -> None:
    """Look at a fetch's failure, so that one which nobody waited for is not reported as forgotten."""
    if not task.cancelled():
        task.exception()
