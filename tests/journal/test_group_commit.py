"""Group commit: a lone operation never waits for company, and a crowd shares its commits."""

import asyncio
from typing import Any

import pytest

from airside.journal.backend import Backend
from airside.journal.postgres import writer as postgres_writer
from airside.journal.sqlite import writer as sqlite_writer
from tests.journal import world


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many operations each batch has had, on either database."""
    noted: list[int] = []
    for writer, name in ((sqlite_writer.Writer, "_apply"), (postgres_writer.Writer, "_run")):
        inner = getattr(writer, name)

        def counting(self: Any, operations: Any, inner: Any = inner) -> Any:
            noted.append(len(operations))
            return inner(self, operations)

        monkeypatch.setattr(writer, name, counting)
    return noted


def gather_s(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    for module in (sqlite_writer, postgres_writer):
        monkeypatch.setattr(module, "GATHER_S", seconds)


async def test_a_lone_operation_waits_for_nobody(
    backend: Backend, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    gather_s(monkeypatch, 600.0)
    async with asyncio.timeout(60.0):
        for number in range(5):
            await world.done(backend.journal, world.call(f"lone {number}"))
    assert sizes == [1] * 10


@pytest.mark.parametrize("url", ["file", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_what_follows_a_crowd_waits_for_more(
    backend: Backend, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    gather_s(monkeypatch, 0.5)
    calls = [world.call(f"crowd {number}") for number in range(6)]
    await asyncio.gather(*[world.opened(backend.journal, call) for call in calls[:4]])
    first = asyncio.ensure_future(world.opened(backend.journal, calls[4]))
    for _ in range(20):
        await asyncio.sleep(0)  # long enough for a batch that waits for nobody to have begun
    await asyncio.gather(first, world.opened(backend.journal, calls[5]))
    assert sizes[-1] == 2
