"""The guarding of what models say, around the calls that agents make and those that airside makes itself."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import msgspec

from airside.composition.guarding import passes
from airside.config.guards import GuardSettings
from airside.core.call import Call, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.ports import Step
from airside.core.run import Identity
from airside.gateways.models.asides import Asides
from airside.gateways.models.guarding.answers.checks import Checks
from airside.gateways.models.guarding.answers.repair import Repair
from airside.gateways.models.guarding.answers.step import GuardOut
from airside.guards.output.hooks import hooks
from airside.guards.service import Guards

_REPLY_BYTES_MAX = 65_536


def answers_step(settings: GuardSettings, checks: Checks, asides: Asides | None) -> Step:
    """Return the step that checks what comes from models; without `asides`, that of asides themselves."""
    if not settings.enabled:
        return passes
    return GuardOut(checks, Repair(settings.repair, asides) if asides is not None else None)


def guard_batched(settings: GuardSettings, checks: Checks) -> Callable[[Call, Outcome], Awaitable[Outcome]]:
    """Return what checks the answers of batches."""
    return GuardOut(checks, None).batched if settings.enabled else _as_it_is


async def _as_it_is(_: Call, outcome: Outcome) -> Outcome:
    """Return an outcome where guards are turned off."""
    return outcome


def answer_checks(settings: GuardSettings, guards: Guards, canary_of: Callable[[Identity], str]) -> Checks:
    """Return the checks of answers; raises `misconfigured` for a hook that cannot be imported."""
    return Checks(guards, settings, canary_of, hooks(settings.hooks, post))


async def post(url: str, value: Mapping[str, Any], *, timeout_s: float) -> Any:
    """Post JSON to a hook of the settings and return the JSON that it answers."""
    patience = aiohttp.ClientTimeout(total=timeout_s)
    async with (
        aiohttp.ClientSession(timeout=patience, trust_env=False) as session,
        session.post(url, json=value, allow_redirects=False) as answer,
    ):
        if answer.status != 200:
            raise AirsideError(Code.UPSTREAM_FAILED, f"a hook answered {answer.status}")
        data = await answer.content.read(_REPLY_BYTES_MAX)
        return msgspec.json.decode(data)
