"""Values are fetched once for all who wait, kept for a while, survive an outage for a while, and end then."""

import asyncio

import pytest

from airside.core.dependencies import SHARED
from airside.core.errors import AirsideError, Code, CredentialRefused, TransientError
from airside.secrets.lease import Document
from airside.secrets.service import TRIES_MAX
from airside.secrets.store import down, missing
from tests.secrets.parts import HandClock, PlayedStore, service

HANDLE = "secret://house/github"
VALUE = "gh-4Gk1zP0tQ9xW"


def steady(value: str = VALUE, version: str = "v1") -> PlayedStore:
    return PlayedStore(lambda _: Document(value, version))


async def behind() -> None:
    """Let fetches that nobody waits for come to their end."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_fetch_serves_all_who_wait() -> None:
    store = steady()
    store.gate = asyncio.Event()
    secrets = service(store)
    waiting = [asyncio.create_task(secrets.resolve(HANDLE, tenant_id="acme")) for _ in range(50)]
    await behind()
    store.gate.set()
    assert {lease.value for lease in await asyncio.gather(*waiting)} == {VALUE}
    assert store.asked == 1


async def test_a_waiter_that_is_cancelled_does_not_end_the_fetch_of_the_others() -> None:
    store = steady()
    store.gate = asyncio.Event()
    secrets = service(store)
    first, second = [asyncio.create_task(secrets.resolve(HANDLE, tenant_id="acme")) for _ in range(2)]
    await behind()
    first.cancel()
    await behind()
    store.gate.set()
    assert (await second).value == VALUE
    assert store.asked == 1


async def test_a_value_is_refreshed_before_its_end_behind_the_caller() -> None:
    clock, store = HandClock(), steady()
    secrets = service(store, clock, ttl_s=300)
    await secrets.resolve(HANDLE)
    clock.s += 199
    await secrets.resolve(HANDLE)
    await behind()
    assert store.asked == 1
    clock.s += 2
    store.answer = lambda _: Document("another-Value-77", "v2")
    assert (await secrets.resolve(HANDLE)).value == VALUE
    await behind()
    assert store.asked == 2
    assert (await secrets.resolve(HANDLE)).value == "another-Value-77"


async def test_a_value_outlives_an_outage_for_a_while_and_no_longer() -> None:
    clock, store = HandClock(), steady()
    secrets = service(store, clock, ttl_s=300, stale_s=900)

    def fails(_: str) -> Document:
        raise down("house", "is away")

    await secrets.resolve(HANDLE)
    store.answer = fails
    clock.s += 301
    assert (await secrets.resolve(HANDLE)).value == VALUE
    clock.s += 898
    assert (await secrets.resolve(HANDLE)).value == VALUE
    clock.s += 2
    with pytest.raises(TransientError) as caught:
        await secrets.resolve(HANDLE)
    assert caught.value.code is Code.SECRET_UNAVAILABLE
    assert caught.value.details["not_sent"] is True
    store.answer = lambda _: Document(VALUE, "v1")
    clock.s += 2
    assert (await secrets.resolve(HANDLE)).value == VALUE


async def test_a_store_that_is_down_is_asked_once_in_a_while_only() -> None:
    clock = HandClock()

    def fails(_: str) -> Document:
        raise down("house", "is away")

    store = PlayedStore(fails)
    secrets = service(store, clock, retry_s=1)
    for _ in range(100):
        with pytest.raises(TransientError):
            await secrets.resolve(HANDLE)
    assert store.asked == 1
    clock.s += 1.1
    with pytest.raises(TransientError):
        await secrets.resolve(HANDLE)
    assert store.asked == 2


async def test_a_failure_that_many_wait_for_is_raised_to_each_as_its_own() -> None:
    def fails(_: str) -> Document:
        raise down("house", "is away")

    store = PlayedStore(fails)
    store.gate = asyncio.Event()
    secrets = service(store)
    waiting = [asyncio.create_task(secrets.resolve(HANDLE)) for _ in range(5)]
    await behind()
    store.gate.set()
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    with pytest.raises(TransientError) as again:
        await secrets.resolve(HANDLE)
    assert {type(error) for error in errors} == {TransientError}
    assert len({id(error) for error in [*errors, again.value]}) == 6  # the journal notes in each what becomes of it


async def test_a_lease_is_never_used_beyond_its_end_even_in_an_outage() -> None:
    clock = HandClock()
    store = PlayedStore(lambda _: Document(VALUE, "v1", lease_s=60))
    secrets = service(store, clock, ttl_s=300, stale_s=900)
    await secrets.resolve(HANDLE)

    def fails(_: str) -> Document:
        raise down("house", "is away")

    store.answer = fails
    clock.s += 61
    with pytest.raises(TransientError):
        await secrets.resolve(HANDLE)


async def test_a_lease_too_short_for_the_call_is_replaced() -> None:
    clock, numbers = HandClock(), iter(range(10))
    store = PlayedStore(lambda _: Document(f"dynamic-value-{next(numbers)}", "v", lease_s=100))
    secrets = service(store, clock)
    assert (await secrets.resolve(HANDLE, valid_s=40)).value == "dynamic-value-0"
    clock.s += 62
    assert (await secrets.resolve(HANDLE, valid_s=40)).value == "dynamic-value-1"
    for _ in range(3):  # a call longer than any lease does not fetch every time
        await secrets.resolve(HANDLE, valid_s=10_000)
    assert store.asked == 2


async def test_what_was_deleted_is_gone_at_once() -> None:
    clock, store = HandClock(), steady()
    secrets = service(store, clock, ttl_s=300)
    await secrets.resolve(HANDLE)

    def gone(_: str) -> Document:
        raise missing("house", "github")

    store.answer = gone
    clock.s += 250
    await secrets.resolve(HANDLE)
    await behind()
    with pytest.raises(AirsideError) as caught:
        await secrets.resolve(HANDLE)
    assert caught.value.code is Code.SECRET_UNAVAILABLE
    assert not isinstance(caught.value, TransientError)


async def test_nobody_waits_longer_than_the_deadline() -> None:
    store = steady()
    store.gate = asyncio.Event()
    secrets = service(store, timeout_s=60)
    async with asyncio.timeout(5):
        with pytest.raises(TransientError, match="did not answer"):
            await secrets.resolve(HANDLE, timeout_s=0.05)
    await secrets.close()


async def test_a_store_that_hangs_is_given_up() -> None:
    store = steady()
    store.gate = asyncio.Event()
    async with asyncio.timeout(5):
        with pytest.raises(TransientError, match=r"did not answer within 0\.05 s"):
            await service(store, timeout_s=0.05).resolve(HANDLE)


async def test_tenants_share_neither_fetches_nor_stores() -> None:
    store = steady()
    secrets = service(store, tenants=["acme"])
    await secrets.resolve(HANDLE, tenant_id="acme")
    with pytest.raises(AirsideError) as caught:
        await secrets.resolve(HANDLE, tenant_id="rival")
    assert caught.value.code is Code.SECRET_DENIED
    await secrets.resolve(HANDLE, tenant_id=SHARED)
    assert store.asked == 2
    assert secrets.watch.found_in("rival", f"it is {VALUE}") == (HANDLE,)  # a value of the installation


async def test_a_tenants_value_is_not_told_to_another() -> None:
    secrets = service(steady())
    await secrets.resolve(HANDLE, tenant_id="acme")
    assert secrets.watch.found_in("acme", f"it is {VALUE}") == (HANDLE,)
    assert secrets.watch.found_in("rival", f"it is {VALUE}") == ()


@pytest.mark.parametrize(
    ("content", "handle", "why"),
    [
        ("short", HANDLE, "5 characters"),
        ("x" * 65_537, HANDLE, "more than 65536 bytes"),
        ("ü" * 40_000, HANDLE, "more than 65536 bytes"),
        (VALUE, HANDLE + "#token", "no JSON object"),
        ('{"other": "value"}', HANDLE + "#token", "has no field 'token'"),
        ({"a": VALUE, "b": VALUE}, HANDLE, "has 2 fields"),
        ({}, HANDLE, "has 0 fields"),
    ],
)
async def test_what_cannot_serve_is_refused_without_being_quoted(content: str, handle: str, why: str) -> None:
    with pytest.raises(AirsideError) as caught:
        await service(PlayedStore(lambda _: Document(content, "v1"))).resolve(handle)
    assert why in caught.value.message
    assert VALUE not in str(caught.value)
    assert caught.value.code is Code.SECRET_UNAVAILABLE


async def test_a_refused_credential_is_replaced_by_the_new_one_at_once() -> None:
    store = steady()
    secrets = service(store)
    valid = "new-Credential-1"

    async def use(texts: object) -> str:
        if texts != {"authorization": f"Bearer {valid}"}:
            store.answer = lambda _: Document(valid, "v2")
            raise CredentialRefused
        return "done"

    template = {"authorization": f"Bearer {HANDLE}"}
    assert await secrets.using(template, use) == "done"
    assert store.asked == 2


async def test_while_the_other_side_is_behind_the_old_value_still_serves() -> None:
    store = steady("new-Credential-1", "v2")
    store.older = [Document("pending-Credential", "v3"), Document(VALUE, "v1")]
    tried = []

    async def use(texts: object) -> str:
        tried.append(texts)
        if VALUE not in str(texts):
            raise CredentialRefused
        return "done"

    assert await service(store).using({"x": HANDLE}, use) == "done"
    assert len(tried) == 3


async def test_a_credential_that_is_simply_wrong_fails_after_few_tries() -> None:
    store, tries = steady(), 0

    async def use(_: object) -> str:
        nonlocal tries
        tries += 1
        raise CredentialRefused("401 from the tracker")

    with pytest.raises(CredentialRefused) as caught:
        await service(store).using({"x": HANDLE}, use)
    assert tries == 1 < TRIES_MAX
    assert store.asked == 2
    assert caught.value.code is Code.SECRET_REFUSED


async def test_values_are_in_no_representation() -> None:
    secrets = service(steady())
    lease = await secrets.resolve(HANDLE)
    assert VALUE not in repr(lease)
    assert VALUE not in repr(Document(VALUE, "v1"))
    assert VALUE not in repr(secrets.__dict__)
