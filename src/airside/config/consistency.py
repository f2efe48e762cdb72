"""What no single setting can know: names that must exist elsewhere, and settings that only make sense together."""

from collections.abc import Iterator
from ipaddress import ip_address
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airside.config.settings import Settings
from airside.core.errors import AirsideError, Code


def check(settings: Settings, where: str) -> None:
    """Raise AirsideError `misconfigured` with every contradiction in the settings; `where` names their source."""
    found = list(_contradictions(settings))
    if found:
        raise AirsideError(Code.MISCONFIGURED, f"{where}: {'; '.join(found)}")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host name or address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _contradictions(settings: Settings) -> Iterator[str]:
    for name, agent in settings.agents.items():
        if agent.adapter == "command" and (agent.entry or not agent.command):
            yield f"agents.{name}: the adapter `command` needs `command` and takes no `entry`"
        if agent.adapter != "command" and (agent.command or ":" not in agent.entry):
            yield f"agents.{name}: the adapter `{agent.adapter}` needs `entry: package.module:name` and no `command`"
    for name, provider in settings.providers.items():
        if provider.kind == "openai_compatible" and not provider.base_url.startswith(("http://", "https://")):
            yield f"providers.{name}.base_url: must start with http:// or https://"
    yield from _unknown_names(settings)
    yield from _levels(settings)
    yield from _servers(settings)
    try:
        ZoneInfo(settings.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield f"time_zone: `{settings.time_zone}` is not the name of a time zone, such as Europe/Berlin"
    if settings.runs.lease_expire_s < 2 * settings.runs.lease_renew_s:
        yield "runs.lease_expire_s: must be at least twice runs.lease_renew_s"
    if not settings.server.allow_remote and not is_loopback(settings.server.host):
        yield f"server.host: {settings.server.host} is not loopback; set server.allow_remote: true if that is meant"
    url = settings.database.url
    if url and not url.startswith(("sqlite:///", "memory:", "postgresql://")):
        yield "database.url: must be empty, sqlite:///PATH, memory: or postgresql://..."


def _unknown_names(settings: Settings) -> Iterator[str]:
    """What refers to something else by a name that nothing has."""
    for name, model in settings.models.items():
        if model.provider not in settings.providers:
            yield f"models.{name}.provider: there is no provider `{model.provider}`"
    for name, handoff in settings.handoffs.items():
        if handoff.agent not in settings.agents:
            yield f"handoffs.{name}.agent: there is no agent `{handoff.agent}`"


def _servers(settings: Settings) -> Iterator[str]:
    for name, server in settings.tools.mcp.items():
        if bool(server.command) == bool(server.url):
            yield f"tools.mcp.{name}: give exactly one of `command` and `url`"


def _levels(settings: Settings) -> Iterator[str]:
    """What comes first must not come after what it announces."""
    for kind in ("tenant", "business_unit", "workflow", "customer", "run"):
        levels = getattr(settings.budgets.levels, kind)
        if levels.warn is not None and levels.throttle is not None and levels.throttle < levels.warn:
            yield f"budgets.levels.{kind}.throttle: must not be below warn"
    own = {f"agents.{name}.progress": agent.progress for name, agent in settings.agents.items()}
    for where, progress in {"budgets.progress": settings.budgets.progress, **own}.items():
        if progress and progress.repeats_stop < progress.repeats_warn:
            yield f"{where}.repeats_stop: must not be below repeats_warn"
        if progress and progress.requests_stop < progress.requests_warn:
            yield f"{where}.requests_stop: must not be below requests_warn"
