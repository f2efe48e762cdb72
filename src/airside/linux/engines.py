"""Which program can start containers on this machine: docker, podman or bubblewrap, tried and not only looked for."""

import asyncio
import shutil
from collections.abc import Sequence
from typing import Final

TRY_S: Final = 10.0
_TRIALS: Final = {
    "docker": ["docker", "version", "--format", "{{.Server.Version}}"],
    "podman": ["podman", "info", "--format", "{{.Host.OCIRuntime.Name}}"],
    "bubblewrap": ["bwrap", "--ro-bind", "/", "/", "--unshare-all", "--proc", "/proc", "--dev", "/dev", "true"],
}


async def working(wanted: str) -> tuple[str, str]:
    """Return (the first that works, nothing), or (nothing, why none does). `wanted` is one of them or `auto`."""
    problems = []
    for engine in _TRIALS if wanted == "auto" else (wanted,):
        problem = await _unusable(engine)
        if not problem:
            return engine, ""
        problems.append(f"{engine}: {problem}")
    return "", "; ".join(problems)


async def quietly(command: Sequence[str]) -> tuple[int, str]:
    """Run a short command to its end; return its status and what it said. 124 if it did not end in time."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(TRY_S):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return 124, f"no answer within {TRY_S:g} s"
    return process.returncode or 0, said.decode(errors="replace")


async def _unusable(engine: str) -> str:
    command = _TRIALS[engine]
    if shutil.which(command[0]) is None:
        return "not installed"
    status, said = await quietly(command)
    return "" if status == 0 else (said.strip().splitlines() or ["it does not work"])[-1][:300]
