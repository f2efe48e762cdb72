"""What a call leans on, read from its payload: a provider and a model there, or a hosted tool."""

from collections.abc import Sequence
from functools import lru_cache

from airside.core.call import Call
from airside.core.dependencies import SHARED, Dependency
from airside.gateways.models.provider import Ask
from airside.gateways.tools.catalogue import Listed


def dependencies_of(call: Call) -> Sequence[Dependency]:
    """Return a call's dependencies, the widest first; none for tools that do not exist, and for what airside does."""
    payload = call.payload
    if isinstance(payload, Ask):
        return _of_model(payload.route.provider.name, payload.route.model)
    if isinstance(payload, Listed) and payload.execute is None:
        return _of_tool(call.who.tenant_id, call.name)
    return ()


@lru_cache(maxsize=10_000)
def _of_model(provider: str, model: str) -> tuple[Dependency, ...]:
    return Dependency(SHARED, f"provider:{provider}"), Dependency(SHARED, f"model:{provider}/{model}")


@lru_cache(maxsize=10_000)
def _of_tool(tenant_id: str, name: str) -> tuple[Dependency, ...]:
    return (Dependency(tenant_id, f"tool:{name}"),)
