"""Batches at providers, put together: the desk that takes them in, and the keeper that looks after them."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress

from msgspec import Struct

from airside.composition.answers import answer_checks, guard_batched
from airside.composition.ground import Ground
from airside.composition.guarding import canaries_of, guard_step, spotlight_step
from airside.composition.routing import priced_routes
from airside.config.settings import Settings
from airside.gateways.models.batches.desk import BatchDesk, Limits, hand_in
from airside.gateways.models.batches.keeper import BatchKeeper
from airside.gateways.models.batches.openai import OpenAIBatches
from airside.gateways.models.batches.port import BatchProvider
from airside.gateways.models.providers.configured import with_secrets
from airside.gateways.models.providers.openai import OpenAI
from airside.gateways.models.upstream_http1 import Http1Upstream
from airside.gateways.tools.gateway import tool_of
from airside.guards.service import Guards
from airside.pipeline.afterwork import Afterwork
from airside.pipeline.compose import compose
from airside.pipeline.permit import Permit
from airside.pipeline.record import Record
from airside.pipeline.settle import Settle
from airside.runs.services import RunServices
from airside.secrets.service import Secrets

SETTLE_S = 10.0


class Batches(Struct, frozen=True):
    """The desk, and the keeper, which works in processes of the gateway role."""

    desk: BatchDesk
    keeper: BatchKeeper


async def open_batches(
    ground: Ground, services: RunServices, guards: Guards, stack: AsyncExitStack, *, keeping: bool
) -> Batches:
    """Make both; with `keeping` batches are looked after from now on."""
    settings, database, clock = ground.settings, ground.backend.database, ground.clock
    afterwork = Afterwork(clock)
    stack.push_async_callback(afterwork.drain, SETTLE_S)
    settle = Settle(ground.backend.journal, ground.keyring, afterwork)
    routes, able = priced_routes(settings), _providers(settings, ground.secrets)
    record = Record(
        ground.backend.journal,
        ground.keyring,
        services.identities,
        clock,
        afterwork,
        budget_wait_s=0.0,  # the batch's own items hold what it would wait for
    )
    canaries = canaries_of(settings, ground.keyring)
    going_in = [guard_step(settings, guards), spotlight_step(ground, canaries)]
    forward = compose([*going_in, Permit(ground.policy, tool_of), record], hand_in)
    limits = Limits(settings.server.body_bytes_max, settings.budgets.reserve_output_tokens, settings.batches)
    desk = BatchDesk(database, ground.keyring, routes, able, services.external.identity, forward, settle, limits)
    stack.push_async_callback(desk.close)
    checks = answer_checks(settings.guards, guards, canaries.of)
    guarded = guard_batched(settings.guards, checks)
    keeper = BatchKeeper(database, routes, able, settle, clock, settings.batches, guarded)
    if keeping and able:
        stack.push_async_callback(_ended, asyncio.create_task(keeper.run()))
    return Batches(desk, keeper)


def _providers(settings: Settings, secrets: Secrets) -> Mapping[str, BatchProvider]:
    return {
        name: OpenAIBatches(
            name,
            provider,
            with_secrets(name, provider, OpenAI(name, provider), secrets),
            Http1Upstream(connections_max=4),
        )
        for name, provider in settings.providers.items()
        if provider.kind == "openai"
    }


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
