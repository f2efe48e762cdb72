"""Both databases, for what is stored."""

import pytest


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_database(request: pytest.FixtureRequest) -> str:
    """Return the URL of a database: in memory, then a real Postgres."""
    return "memory:" if request.param == "memory" else str(request.getfixturevalue("postgres_url"))
