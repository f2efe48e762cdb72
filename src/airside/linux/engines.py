"""Which program can start containers on this machine: docker, podman or bubblewrap, tried and not only looked for."""

import shutil
from collections.abc import Sequence
from typing import Final

from airside.linux.commands import last_line, run_to_end

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


async def remove(command: Sequence[str]) -> None:
    """Run the command that removes a container; whether there was one does not matter."""
    await run_to_end(command, TRY_S)


async def _unusable(engine: str) -> str:
    command = _TRIALS[engine]
    if shutil.which(command[0]) is None:
        return "not installed"
    status, said = await run_to_end(command, TRY_S)
    return "" if status == 0 else last_line(said, "it does not work")
