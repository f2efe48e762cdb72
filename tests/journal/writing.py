"""Programs that write to a journal from a process of their own: `python -m tests.journal.writing ROLE PATH`."""

import asyncio
import os
import sys

from airside.config.settings import DatabaseSettings
from airside.core.ports import Admitted
from airside.journal.backend import Backend, connect
from tests.journal import world

CALLS = 100
CONCURRENCY = 25


async def _until_killed(backend: Backend) -> None:
    """Open and close calls for ever and print each as soon as it is acknowledged."""

    async def one(name: str) -> None:
        number = 0
        while True:
            number += 1
            call = await world.opened(backend.journal, world.call(f"{name} {number}"))
            os.write(1, f"{call.call_id} open\n".encode())
            await backend.journal.close(world.closing(call))
            os.write(1, f"{call.call_id} ok\n".encode())

    await asyncio.gather(*[one(str(number)) for number in range(8)])


async def _spend(backend: Backend) -> None:
    """Try calls that cost their worst case until the budget is gone; print how many were admitted."""
    admitted = 0

    async def one(number: int) -> None:
        nonlocal admitted
        call = world.call(f"{os.getpid()} {number}")
        if isinstance(await backend.journal.open(world.opening(call)), Admitted):
            admitted += 1
            await backend.journal.close(world.closing(call, cost=None, tokens=None))

    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for start in range(0, CALLS, CONCURRENCY):
        await asyncio.gather(*[one(start + number) for number in range(CONCURRENCY)])
    print(admitted, flush=True)


async def _migrate(backend: Backend) -> None:
    """Connecting was all."""


ROLES = {"until-killed": _until_killed, "spend": _spend, "migrate": _migrate}


async def main() -> None:
    """Connect and play the role."""
    role, path = sys.argv[1:]
    url = path if path.startswith("postgresql:") else f"sqlite:///{path}"
    backend = await connect(url, settings=DatabaseSettings(busy_timeout_s=30), executor_id=f"gw-{os.getpid()}")
    await ROLES[role](backend)
    await backend.close()


if __name__ == "__main__":
    asyncio.run(main())
