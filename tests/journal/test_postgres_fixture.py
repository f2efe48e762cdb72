"""The throwaway Postgres that tests rely on."""

import psycopg
import pytest

from benchmarks.throwaway import ThrowawayPostgres

pytestmark = pytest.mark.postgres


def test_each_database_is_empty_and_its_own(postgres_server: ThrowawayPostgres, postgres_url: str) -> None:
    other = postgres_server.fresh()
    with psycopg.connect(postgres_url) as one, psycopg.connect(other) as two:
        one.execute("CREATE TABLE mine (id int)")
        assert two.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'mine'").fetchone() == (0,)
    postgres_server.drop(other)


def test_a_crash_keeps_what_was_committed(postgres_server: ThrowawayPostgres, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS id")
    postgres_server.crash()
    postgres_server.start()
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT id FROM kept").fetchone() == (7,)
