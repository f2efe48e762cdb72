"""Settings of the sandbox: where code that agents write runs, under which name they are offered it, and its limits."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from airside.config.fields import Bytes, Seconds, Section


class SandboxLimitSettings(Section):
    """What one execution may use; past it the execution ends, and the error names the limit."""

    fuel: int = Field(
        default=200_000_000_000,
        ge=1_000_000_000,
        le=100_000_000_000_000,
        description="instructions of WebAssembly; about 12 thousand million take a second. Tier wasm only",
    )
    memory_bytes: Bytes = Field(default=536_870_912, description="memory, of all its processes in the tier container")
    deadline_s: Seconds = Field(default=30.0, description="wall time, waiting for tools included")
    cpu_s: Seconds = Field(default=30.0, description="processor time. Tier container only")
    output_bytes: Bytes = Field(default=65_536, description="what it may print")
    result_bytes: Bytes = Field(default=262_144, description="its result as JSON")
    files_bytes: Bytes = Field(default=16_777_216, description="all files it is given, writes and leaves")
    open_files: int = Field(default=64, ge=8, le=4_096, description="files open at the same time")
    processes: int = Field(default=16, ge=2, le=1_024, description="processes and threads. Tier container only")
    tool_calls: int = Field(default=32, ge=0, le=10_000, description="calls of tools from inside")


class ContainerSettings(Section):
    """How containers are started, for code and for attempts with `runs.isolation: container`."""

    engine: Literal["auto", "docker", "podman", "bubblewrap"] = Field(
        default="auto", description="auto is the first of docker, podman and bubblewrap that works here"
    )
    runtime: Literal["runc", "runsc", "kata"] = Field(
        default="runc", description="of docker or podman: runsc is gVisor, kata a virtual machine for each container"
    )
    image: str = Field(
        default="python:3.13-slim", max_length=300, description="with Python; it must be there, nothing is pulled"
    )
    attempt_image: str = Field(default="", max_length=300, description="with airside and the agents, for attempts")
    cpus: float = Field(default=1.0, gt=0, le=256, description="processors of one container")
    seccomp: Path | None = Field(default=None, description="a profile for docker or podman; empty is their own")


class SandboxSettings(Section):
    """Sandboxed execution of code as a tool of agents. Without a name agents have no such tool."""

    tool: str = Field(default="", pattern=r"^([A-Za-z][A-Za-z0-9_-]{0,63})?$", description="the tool's name, e.g. code")
    tier: Literal["wasm", "container"] = "wasm"
    tools: list[str] = Field(default=[], description="tools that read, which code may call in the agent's name")
    cache_ttl_s: float = Field(
        default=3_600.0, ge=0, le=2_592_000, description="how long equal code with equal inputs need not run again"
    )
    spares: int = Field(default=1, ge=0, le=16, description="processes with the engine loaded that wait for work")
    executions_max: int = Field(default=4, ge=1, le=256, description="executions at the same time; more wait")
    limits: SandboxLimitSettings = SandboxLimitSettings()
    container: ContainerSettings = ContainerSettings()
