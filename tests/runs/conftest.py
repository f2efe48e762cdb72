"""A running house on SQLite and on Postgres."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.runs.house import House, house


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> Any:
    """The address of an empty database of each kind."""
    return "memory:" if request.param == "memory" else request.getfixturevalue("postgres_url")


@pytest.fixture
async def plane(url: str) -> AsyncIterator[House]:
    """One process that does everything."""
    async with house(url) as found:
        yield found
