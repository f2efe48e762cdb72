"""A backend on both databases, for what guards keep."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from airside.config.settings import DatabaseSettings
from airside.journal.backend import Backend, connect


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> Any:
    return "memory:" if request.param == "memory" else request.getfixturevalue("postgres_url")


@pytest.fixture
async def backend(url: str) -> AsyncIterator[Backend]:
    connected = await connect(url, settings=DatabaseSettings(), executor_id="gw-1")
    yield connected
    await connected.close()
