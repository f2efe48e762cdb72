"""Programs that are run to their end, and what those that are started are told of our environment."""

import asyncio
import contextlib
import os
from collections.abc import Iterable, Sequence
from typing import Final

NO_ANSWER: Final = 124  # what `timeout` of coreutils ends with, too


async def run_to_end(command: Sequence[str], timeout_s: float) -> tuple[int, str]:
    """Run a command; return its status and what it said. NO_ANSWER if it did not end in time: then it was killed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(timeout_s):
            said, _ = await process.communicate()
    except TimeoutError:
        return NO_ANSWER, f"no answer within {timeout_s:g} s"
    finally:
        if process.returncode is None:  # it took too long, or whoever waited was cancelled
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return process.returncode or 0, said.decode(errors="replace").strip()


def last_line(said: str, otherwise: str) -> str:
    """Return the last line of what a command said, which tells most of a failure."""
    return (said.splitlines() or [otherwise])[-1][:300]


def kept(names: Iterable[str]) -> dict[str, str]:
    """Return those variables of our environment; a program that is started with them sees no others."""
    return {name: os.environ[name] for name in names if name in os.environ}
