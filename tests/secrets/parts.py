"""Parts that tests of secrets share: stores to play with, and a service around them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from airside.config.secrets import SecretSettings, StoreSettings
from airside.core.clock import SystemClock
from airside.secrets.lease import Document
from airside.secrets.service import Secrets
from airside.secrets.watch import Watch


class PlayedStore:
    """A store whose answers a test decides; counts how often it was asked."""

    def __init__(self, answer: Callable[[str], Document]) -> None:
        self.answer = answer
        self.asked = 0
        self.older: Sequence[Document] = ()
        self.gate: asyncio.Event | None = None

    async def fetch(self, name: str) -> Document:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        return self.answer(name)

    async def others(self, name: str) -> Sequence[Document]:
        return self.older

    async def renew(self, document: Document) -> Document | None:
        return None

    async def check(self) -> None:
        self.answer("check")

    async def put(self, name: str, content: str | dict[str, str]) -> None:
        document = Document(content, f"v{self.asked}")
        self.answer = lambda _: document

    async def close(self) -> None:
        return


class HandClock(SystemClock):
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.s = 1_000.0

    def monotonic_s(self) -> float:
        return self.s


def service(store: Any, clock: Any = None, *, tenants: Sequence[str] = (), **settings: Any) -> Secrets:
    """Return a service whose one store is called `house`."""
    clock = clock or HandClock()
    described = StoreSettings(kind="env", tenants=list(tenants))
    configured = SecretSettings(stores={"house": described}, **settings)
    return Secrets({"house": store}, configured, clock, Watch(clock, configured.remember_s))
