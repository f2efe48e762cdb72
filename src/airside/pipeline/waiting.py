"""Waiting inside the pipeline: for good, until the attempt is ended, or politely for something another does."""

import asyncio
from collections.abc import Iterator
from typing import NoReturn

from airside.core.call import Call
from airside.core.errors import AirsideError, Code
from airside.core.ports import Suspensions

POLL_FIRST_S = 0.02
POLL_MAX_S = 0.25


def pauses() -> Iterator[float]:
    """Yield the seconds to wait between looks: 20 ms, growing to 250 ms."""
    pause = POLL_FIRST_S
    while True:
        yield pause
        pause = min(pause * 2, POLL_MAX_S)


async def unanswered() -> NoReturn:
    """Never return: a call that waits for a person is simply not answered, until its attempt is ended."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody resolves this future")


async def stop_run(suspensions: Suspensions, call: Call, state: str, code: Code, message: str) -> NoReturn:
    """Leave a call to a person: a supervised run is suspended into `state`, anyone else gets the error `code`."""
    if call.who.supervised:
        await suspensions.suspend(call.who, state, message)
        await unanswered()
    error = AirsideError(code, message)
    error.recorded = True
    error.call_id = call.call_id
    raise error
