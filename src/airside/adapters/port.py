"""The port of an adapter: how an agent written for some framework is run once."""

from typing import Any, Protocol

from msgspec import Struct


class Context(Struct, frozen=True, kw_only=True):
    """What an agent's run has at hand: the gateways, its token for them, its default model and the tools offered."""

    run_id: str
    gateway_url: str
    token: str
    model: str
    tools: tuple[str, ...] = ()


class Adapter(Protocol):
    """A module of this package with a `run` function."""

    async def prepare(self, context: Context) -> None:
        """Import what a first run would import late; nobody listens at the context's gateways."""
        ...

    async def run(self, entry: Any, task: Any, context: Context) -> Any:
        """Run the agent `entry` on a task (a JSON value) and return its result (a JSON value)."""
        ...
