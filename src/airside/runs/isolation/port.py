"""The port between a worker and the place where an attempt is executed."""

from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from airside.config.settings import AgentSettings


class EndKind(StrEnum):
    """How the execution of an attempt ended."""

    RETURNED = "returned"  # the agent returned a result
    RAISED = "raised"  # the agent's own code failed; running it again would not help
    CRASHED = "crashed"  # the process died; the run is attempted again
    STOPPED = "stopped"  # airside ended it


class AttemptEnd(Struct, frozen=True):
    """What an execution left: the result (JSON bytes) if it returned, else a message fit for people.

    `code` is an error code of `core.errors` when the agent failed because of an airside refusal that it did not catch.
    """

    kind: EndKind
    result: bytes = b""
    message: str = ""
    code: str = ""


class AttemptSpec(Struct, frozen=True, kw_only=True):
    """Everything an attempt is given. `input` is the task as JSON bytes; `token` the run token.

    `gateway_url` is the gateways' base (`http://127.0.0.1:7878`), `gateway_socket` the Unix socket they listen on too,
    which is all that enters a namespace. `seed` makes random numbers and uuid4 repeat in every attempt of the run;
    `start_us` is when the run started, where the attempt's clock begins. `clock` is `journal` or `real`. A new
    `release` (the agent's fingerprint) is imported anew.
    """

    tenant_id: str
    run_id: str
    attempt: int
    agent_name: str
    agent: AgentSettings
    input: bytes
    token: str
    gateway_url: str
    gateway_socket: str
    seed: int
    start_us: int
    clock: str
    memory_bytes_max: int
    processes_max: int
    open_files_max: int
    result_bytes_max: int
    hidden_paths: tuple[str, ...]
    release: str = ""


class AttemptProcess(Protocol):
    """A started attempt."""

    async def wait(self) -> AttemptEnd:
        """Return how it ended, once it has; may be awaited by one task only."""
        ...

    async def stop(self) -> None:
        """End it and everything it started, within 5 seconds, and return when it is gone."""
        ...


class Launcher(Protocol):
    """Starts attempts in one kind of isolation."""

    async def start(self, spec: AttemptSpec) -> AttemptProcess:
        """Start an attempt; raises AirsideError `release_unavailable` or `misconfigured` if that cannot be done."""
        ...

    async def close(self) -> None:
        """Stop everything this launcher keeps (preloaded processes included)."""
        ...
