"""Eyes on the agent's HTTP clients: requests get the run's token, answers move the journal clock.

An SDK client that an agent's module makes while it is imported reads a placeholder for its key, because there is no run
yet; the token takes its place when a request leaves. Clients are patched when (and only if) their library is imported.
"""

import functools
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, Final

from airside.runs.isolation.wire import PLACEHOLDER_TOKEN

CLOCK_HEADER: Final = "x-airside-clock"
ACTOR_HEADER: Final = "x-airside-actor"
_KEY_HEADERS: Final = ("authorization", "x-api-key", "x-goog-api-key", "api-key")


def actor_headers(actor: str) -> dict[str, str]:
    """Return the header that tells airside which of a run's agents is acting; none for what is no header's text."""
    return {ACTOR_HEADER: actor.encode("ascii", "replace").decode()} if actor and actor.isprintable() else {}


class Hooks:
    """What is done to each request and answer; the run's part is filled in after the fork."""

    def __init__(self) -> None:
        self.token = PLACEHOLDER_TOKEN
        self.saw: Callable[[int], None] | None = None
        self.acting: Callable[[], str] = str

    def request(self, headers: Any) -> None:
        """Put the run's token where an SDK put the placeholder, and tell which of the run's agents is asking."""
        for name in _KEY_HEADERS:
            value = headers.get(name)
            if not isinstance(value, str):
                continue
            if PLACEHOLDER_TOKEN in value:
                headers[name] = value = value.replace(PLACEHOLDER_TOKEN, self.token)
            if self.token in value:
                headers.update(actor_headers(self.acting()))

    def answer(self, headers: Mapping[str, str]) -> None:
        """Tell the clock when this answer was recorded."""
        instant = headers.get(CLOCK_HEADER, "")
        if self.saw and instant.isdecimal():
            self.saw(int(instant))


hooks = Hooks()


def _patch_httpx(module: ModuleType) -> None:
    sync_send = module.HTTPTransport.handle_request
    async_send = module.AsyncHTTPTransport.handle_async_request

    @functools.wraps(sync_send)
    def handle_request(self: Any, request: Any) -> Any:
        hooks.request(request.headers)
        response = sync_send(self, request)
        hooks.answer(response.headers)
        return response

    @functools.wraps(async_send)
    async def handle_async_request(self: Any, request: Any) -> Any:
        hooks.request(request.headers)
        response = await async_send(self, request)
        hooks.answer(response.headers)
        return response

    module.HTTPTransport.handle_request = handle_request
    module.AsyncHTTPTransport.handle_async_request = handle_async_request


def _patch_aiohttp(module: ModuleType) -> None:
    send, start = module.ClientRequest.send, module.ClientResponse.start

    @functools.wraps(send)
    async def patched_send(self: Any, *args: Any, **kwargs: Any) -> Any:
        hooks.request(self.headers)
        return await send(self, *args, **kwargs)

    @functools.wraps(start)
    async def patched_start(self: Any, *args: Any, **kwargs: Any) -> Any:
        response = await start(self, *args, **kwargs)
        hooks.answer(response.headers)
        return response

    module.ClientRequest.send = patched_send
    module.ClientResponse.start = patched_start


def _patch_http_client(module: ModuleType) -> None:
    put, begin = module.HTTPConnection.putheader, module.HTTPResponse.begin

    @functools.wraps(put)
    def putheader(self: Any, header: Any, *values: Any) -> None:
        kept = {str(header).lower(): values[0]} if len(values) == 1 else {}
        hooks.request(kept)
        put(self, header, *(kept.values() if kept else values))

    @functools.wraps(begin)
    def patched_begin(self: Any) -> None:
        begin(self)
        hooks.answer(self.headers)

    module.HTTPConnection.putheader = putheader
    module.HTTPResponse.begin = patched_begin


_PATCHES: Final[Mapping[str, Callable[[ModuleType], None]]] = {
    "httpx2": _patch_httpx,
    "httpx": _patch_httpx,
    "aiohttp": _patch_aiohttp,
    "http.client": _patch_http_client,
}


class _PatchAfterImport(importlib.abc.MetaPathFinder):
    """Finds a client library like the finders after it would, and patches it once it is loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in _PATCHES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        inner = spec.loader
        load = inner.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            _PATCHES[fullname](module)

        inner.exec_module = exec_module  # type: ignore[method-assign]  # one loader object serves one module
        return spec


def install() -> None:
    """Patch the client libraries that are here, and those that come."""
    for name, patch in _PATCHES.items():
        if name in sys.modules:
            patch(sys.modules[name])
    sys.meta_path.insert(0, _PatchAfterImport())
