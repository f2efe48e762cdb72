"""API keys, and the runs of outside programs that use them on the gateways."""

import asyncio

import pytest

from airside.core.errors import AirsideError, Code
from airside.core.ids import new_secret
from airside.core.ports import Admitted, Refused
from airside.core.run import Identity, Role, RunState
from tests.journal import world
from tests.runs.house import ASK, TENANT, House, house


async def test_the_first_key_is_shown_once(plane: House) -> None:
    secret = await plane.services.keys.ensure_first(TENANT)
    assert secret is not None
    assert (await plane.services.keys.principal(secret)).role is Role.ADMIN
    assert await plane.services.keys.ensure_first(TENANT) is None
    stored = await plane.sql("SELECT * FROM api_keys")
    assert secret not in repr(stored)


async def test_a_revoked_key_opens_nothing(plane: House) -> None:
    key_id, secret = await plane.services.keys.create(TENANT, "ci", Role.OPERATOR, "ann")
    assert (await plane.services.keys.principal(secret)).name == "ci"
    with pytest.raises(AirsideError) as error:
        await plane.services.keys.revoke("other", key_id, "eve")
    assert error.value.code is Code.NOT_FOUND
    await plane.services.keys.revoke(TENANT, key_id, "ann")
    with pytest.raises(AirsideError) as error:
        await plane.services.keys.principal(secret)
    assert error.value.code is Code.UNAUTHENTICATED
    listed = await plane.services.keys.list(TENANT)
    assert [(key["name"], key["revoked_us"] is not None) for key in listed] == [("ci", True)]


async def test_run_tokens_are_no_management_keys_and_management_keys_no_tokens(plane: House) -> None:
    _, admin = await plane.services.keys.create(TENANT, "admin", Role.ADMIN, "ann")
    with pytest.raises(AirsideError) as error:
        await plane.services.identities.resolve(admin, "")
    assert error.value.code is Code.FORBIDDEN
    with pytest.raises(AirsideError) as error:
        await plane.services.keys.principal(new_secret("rt"))
    assert error.value.code is Code.UNAUTHENTICATED


async def agent_key(plane: House, name: str = "script") -> str:
    return (await plane.services.keys.create(TENANT, name, Role.AGENT, "ann"))[1]


async def test_a_header_names_a_run_for_one_key(plane: House) -> None:
    one, two = await agent_key(plane), await agent_key(plane, "two")
    resolve = plane.services.identities.resolve
    first, again = await asyncio.gather(resolve(one, "job-1"), resolve(one, "job-1"))
    assert first.run_id == again.run_id
    assert (await resolve(two, "job-1")).run_id != first.run_id
    assert (await resolve(one, "job-2")).run_id != first.run_id
    assert (await resolve(one, "")).run_id != (await resolve(one, "")).run_id
    assert not first.supervised
    assert first.agent == "script"
    verdict = await plane.backend.journal.open(
        world.opening(world.call(identity=first), plane.backend.journal.executor_id)
    )
    assert isinstance(verdict, Admitted)


async def test_such_a_run_cannot_wait_for_a_person(plane: House) -> None:
    who: Identity = await plane.services.identities.resolve(await agent_key(plane), "job")
    with pytest.raises(AirsideError) as error:
        await plane.services.approvals.ask(world.call(identity=who, arguments={}), ASK)
    assert error.value.code is Code.APPROVAL_REQUIRED


async def test_an_idle_run_of_a_key_ends_and_is_not_taken_for_crashed(plane: House) -> None:
    key = await agent_key(plane)
    who = await plane.services.identities.resolve(key, "job")
    await plane.services.sweeper.sweep()
    assert await plane.services.external.close_idle() == 0
    await plane.sql("UPDATE attempts SET started_us = 1")
    assert await plane.services.external.close_idle() == 1
    assert (await plane.services.runs.get(TENANT, who.run_id)).state is RunState.SUCCEEDED
    with pytest.raises(AirsideError) as error:
        await plane.services.identities.resolve(key, "job")
    assert error.value.code is Code.CANCELLED


async def test_a_cancelled_outside_run_makes_no_more_calls(plane: House) -> None:
    key = await agent_key(plane)
    who = await plane.services.identities.resolve(key, "job")
    await plane.services.runs.cancel(TENANT, who.run_id, "ann")
    with pytest.raises(AirsideError) as error:
        await plane.services.identities.resolve(key, "job")
    assert error.value.code is Code.CANCELLED
    verdict = await plane.backend.journal.open(world.opening(world.call(identity=who)))
    assert isinstance(verdict, Refused)


@pytest.mark.postgres
async def test_a_header_met_by_two_processes_names_one_run(postgres_url: str) -> None:
    async with house(postgres_url, works=False) as one, house(postgres_url, "gw-2", works=False) as two:
        key = await agent_key(one)
        found = await asyncio.gather(
            *(plane.services.identities.resolve(key, "job") for plane in (one, two) for _ in range(3))
        )
        assert len({who.run_id for who in found}) == 1
