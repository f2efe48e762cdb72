"""The isolation of each attempt: what its agent asks for, else what the installation says; `auto` is the best."""

import asyncio

import structlog

from airside.config.sandbox import ContainerSettings
from airside.runs.isolation.container import ContainerLauncher
from airside.runs.isolation.inline import InlineLauncher, RunAgent
from airside.runs.isolation.namespace import NamespaceLauncher, unavailable
from airside.runs.isolation.port import AttemptProcess, AttemptSpec, Launcher
from airside.runs.isolation.process import ProcessLauncher

log = structlog.get_logger(__name__)
_CONTAINERS = ContainerSettings()


class ChosenLauncher:
    """All kinds of isolation behind one Launcher."""

    def __init__(self, isolation: str, run_agent: RunAgent, containers: ContainerSettings = _CONTAINERS) -> None:
        self._isolation = isolation
        self._launchers: dict[str, Launcher] = {
            "inline": InlineLauncher(run_agent),
            "process": ProcessLauncher(),
            "namespace": NamespaceLauncher(),
            "container": ContainerLauncher(containers),
        }
        self._probing: asyncio.Task[str] | None = None

    async def start(self, spec: AttemptSpec) -> AttemptProcess:
        """Start an attempt in its isolation. A command has no code to run inline and gets what `auto` gives."""
        wanted = spec.agent.isolation or self._isolation
        if wanted == "inline" and spec.agent.adapter == "command":
            wanted = "auto"
        return await self._launchers[await self.resolved(wanted)].start(spec)

    async def resolved(self, isolation: str) -> str:
        """Return what an isolation comes to here: `auto` is `namespace` where the kernel allows it, else `process`."""
        if isolation != "auto":
            return isolation
        if self._probing is None:
            self._probing = asyncio.create_task(_best())
        return await asyncio.shield(self._probing)

    async def close(self) -> None:
        """Stop everything that is kept."""
        for launcher in self._launchers.values():
            await launcher.close()


async def _best() -> str:
    reason = await unavailable()
    if not reason:
        return "namespace"
    log.warning("isolation_weaker", isolation="process", reason=reason, missing="no network and file isolation")
    return "process"
