"""A journal on every backend, with one running run in it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from airside.config.settings import DatabaseSettings
from airside.journal.backend import Backend, connect
from tests.journal import world


@pytest.fixture(params=["memory", "file", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The address of an empty database of each kind."""
    if request.param == "memory":
        return "memory:"
    if request.param == "file":
        return f"sqlite:///{tmp_path}/journal.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
async def backend(url: str) -> AsyncIterator[Backend]:
    """A connected backend with the run `world.RUN` running its first attempt."""
    connected = await connect(url, settings=DatabaseSettings(), executor_id="gw-1")
    await world.start_run(connected.database)
    yield connected
    await connected.close()
