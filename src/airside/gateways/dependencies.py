"""What a call leans on, read from its payload: a provider and a model there; or a server, a capability and a tool."""

from collections.abc import Sequence
from functools import lru_cache

from airside.core.call import Call
from airside.core.dependencies import SHARED, Dependency
from airside.gateways.models.provider import Ask
from airside.gateways.tools.catalogue import Listed

SERVED = ("mcp:", "openapi:")
"""Sources that fail as a whole: servers, and what answers behind them."""


def dependencies_of(call: Call) -> Sequence[Dependency]:
    """Return a call's dependencies, the widest first; none for tools that do not exist, and for what airside does."""
    payload = call.payload
    if isinstance(payload, Ask):
        return _of_model(payload.route.provider.name, payload.route.model)
    if isinstance(payload, Listed) and (payload.execute is None or payload.tool.source.startswith(SERVED)):
        tool = payload.tool
        return _of_tool(call.who.tenant_id, tool.source, tool.capability, call.name)
    return ()


@lru_cache(maxsize=10_000)
def _of_model(provider: str, model: str) -> tuple[Dependency, ...]:
    return Dependency(SHARED, f"provider:{provider}"), Dependency(SHARED, f"model:{provider}/{model}")


@lru_cache(maxsize=10_000)
def _of_tool(tenant_id: str, source: str, capability: str, name: str) -> tuple[Dependency, ...]:
    wider = [f"source:{source}"] if source.startswith(SERVED) else []
    wider += [f"capability:{capability}"] if capability else []
    return tuple([Dependency(tenant_id, each) for each in (*wider, f"tool:{name}")])
