"""A real OpenBao: versions, tokens, AppRole, namespaces' headers, seals, outages, rotation under load."""

import asyncio
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from airside.config.secrets import SecretSettings, StoreSettings
from airside.core.clock import SystemClock
from airside.core.errors import AirsideError, Code, CredentialRefused, TransientError
from airside.secrets.service import Secrets
from airside.secrets.stores.vault import VaultStore
from airside.secrets.watch import Watch

pytest.importorskip("hvac")
from tests.secrets.openbao import ROOT_TOKEN, door, openbao, root

VALUE = "value-4Gk1zP0tQ9xW"
_names = (f"team/app{number}" for number in itertools.count())


def vault(address: str, tmp_path: Path, token: str = ROOT_TOKEN, timeout_s: float = 5.0, **changes: Any) -> VaultStore:
    file = tmp_path / "token"
    file.write_text(token + "\n")
    file.chmod(0o600)
    changes = {"token_file": file} | changes
    return VaultStore("house", StoreSettings(kind="vault", address=address, **changes), timeout_s)


def around(store: VaultStore, **settings: Any) -> Secrets:
    configured = SecretSettings(stores={"house": StoreSettings(kind="vault")}, **settings)
    return Secrets({"house": store}, configured, SystemClock(), Watch(SystemClock(), 3_600))


def write(address: str, name: str, **fields: str) -> None:
    root(address).secrets.kv.v2.create_or_update_secret(path=name, secret=fields, mount_point="secret")


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server."""
    with openbao(tmp_path_factory.mktemp("bao")) as address:
        yield address


@pytest.fixture
def name(bao: str) -> str:
    """A secret of its own for a test."""
    made = next(_names)
    write(bao, made, token=VALUE, user="someone-long-enough")
    return made


async def refused(store: VaultStore, name: str) -> AirsideError:
    with pytest.raises(AirsideError) as caught:
        await store.fetch(name)
    assert caught.value.code is Code.SECRET_UNAVAILABLE
    assert VALUE not in str(caught.value)
    return caught.value


async def test_fields_and_versions(bao: str, name: str, tmp_path: Path) -> None:
    secrets = around(vault(bao, tmp_path))
    lease = await secrets.resolve(f"secret://house/{name}#token", tenant_id="acme")
    assert lease.value == VALUE
    assert lease.version.startswith("1@")
    with pytest.raises(AirsideError, match="has no field"):
        await secrets.resolve(f"secret://house/{name}#nothing", tenant_id="acme")
    with pytest.raises(AirsideError, match="has 2 fields"):
        await secrets.resolve(f"secret://house/{name}", tenant_id="acme")
    await secrets.close()


async def test_what_is_missing_or_deleted_is_so(bao: str, name: str, tmp_path: Path) -> None:
    store = vault(bao, tmp_path)
    assert not isinstance(await refused(store, "team/nothing"), TransientError)
    await store.fetch(name)
    root(bao).secrets.kv.v2.delete_latest_version_of_secret(path=name, mount_point="secret")
    assert not isinstance(await refused(store, name), TransientError)


async def test_a_wrong_token_and_a_forbidden_path(bao: str, name: str, tmp_path: Path) -> None:
    assert "denies" in (await refused(vault(bao, tmp_path, token="wrong"), name)).message
    client = root(bao)
    client.sys.create_or_update_policy("only-other", 'path "secret/data/other" { capabilities = ["read"] }')
    token = client.auth.token.create(policies=["only-other"])["auth"]["client_token"]
    assert isinstance(await refused(vault(bao, tmp_path, token=token), name), TransientError)


async def test_a_renewed_token_file_is_read_again(bao: str, name: str, tmp_path: Path) -> None:
    client = root(bao)
    token = client.auth.token.create(policies=["root"], ttl="1h")["auth"]["client_token"]
    store = vault(bao, tmp_path, token=token)
    await store.fetch(name)
    client.auth.token.revoke(token)
    assert "denies" in (await refused(store, name)).message
    (tmp_path / "token").write_text(ROOT_TOKEN)
    assert (await store.fetch(name)).content["token"] == VALUE


async def test_app_roles_log_in_again_when_their_token_has_ended(bao: str, name: str, tmp_path: Path) -> None:
    client = root(bao)
    if "approle/" not in client.sys.list_auth_methods()["data"]:
        client.sys.enable_auth_method("approle")
    client.sys.create_or_update_policy("apps", 'path "secret/data/team/*" { capabilities = ["read"] }')
    client.auth.approle.create_or_update_approle("airside", token_policies=["apps"], token_ttl="1h")
    for file, text in {
        "role": client.auth.approle.read_role_id("airside")["data"]["role_id"],
        "secret": client.auth.approle.generate_secret_id("airside")["data"]["secret_id"],
    }.items():
        (tmp_path / file).write_text(text)
        (tmp_path / file).chmod(0o600)
    store = vault(bao, tmp_path, token_file=None, role_id_file=tmp_path / "role", secret_id_file=tmp_path / "secret")
    assert (await store.fetch(name)).content["token"] == VALUE
    client.auth.token.revoke(store._token)
    assert (await store.fetch(name)).content["token"] == VALUE
    await store.check()


async def test_a_namespace_is_asked_for(bao: str, name: str, tmp_path: Path) -> None:
    root(bao).adapter.post("/v1/sys/namespaces/elsewhere")
    await refused(vault(bao, tmp_path, namespace="elsewhere"), name)
    assert (await vault(bao, tmp_path).fetch(name)).content["token"] == VALUE


async def test_writing_makes_a_version_and_the_one_before_is_known(bao: str, name: str, tmp_path: Path) -> None:
    store = vault(bao, tmp_path)
    await store.put(name, {"token": "newer-" + VALUE})
    assert (await store.fetch(name)).content == {"token": "newer-" + VALUE}
    assert [document.content["token"] for document in await store.others(name)] == [VALUE]


@pytest.mark.parametrize("mode", ["500", "502", "503", "429", "200", "closes", "hangs", "trickles"])
async def test_a_server_that_misbehaves_fails_closed_and_what_is_held_serves(
    bao: str, name: str, tmp_path: Path, mode: str
) -> None:
    async with door(bao) as between:
        store = vault(between.address, tmp_path, timeout_s=1.0)
        secrets = around(store, ttl_s=0.05, retry_s=0.05, timeout_s=1.5, stale_s=300)
        handle = f"secret://house/{name}#token"
        assert (await secrets.resolve(handle)).value == VALUE
        between.mode = mode
        await asyncio.sleep(0.06)  # past the time to live, which is real here
        began = time.monotonic()
        assert (await secrets.resolve(handle)).value == VALUE
        with pytest.raises(TransientError) as caught:
            await secrets.resolve(handle, tenant_id="another, which holds nothing yet")
        assert caught.value.code is Code.SECRET_UNAVAILABLE
        assert time.monotonic() - began < 20
        between.mode = "open"
        async with asyncio.timeout(10):
            while True:
                try:
                    assert (await secrets.resolve(handle, tenant_id="third")).value == VALUE
                    break
                except TransientError:
                    await asyncio.sleep(0.05)


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    error = await refused(vault("http://127.0.0.1:9", tmp_path), "x")
    assert isinstance(error, TransientError)
    assert "cannot be reached" in error.message
    with pytest.raises(TransientError):
        await vault("http://127.0.0.1:9", tmp_path).check()


async def test_a_server_that_is_sealed_says_so(tmp_path: Path) -> None:
    with openbao(tmp_path) as address:
        write(address, "x", token=VALUE)
        store = vault(address, tmp_path)
        assert (await store.fetch("x")).content == {"token": VALUE}
        root(address).sys.seal()
        assert "sealed" in (await refused(store, "x")).message


async def test_rotation_under_load_fails_no_call(bao: str, name: str, tmp_path: Path) -> None:
    """The other side changes its mind first or last, at random; every call comes through."""
    secrets = around(vault(bao, tmp_path), ttl_s=30)
    handle = f"secret://house/{name}#token"
    accepted = {VALUE}
    calls = failures = retried = 0
    stop = asyncio.Event()

    async def use(texts: Any) -> None:
        nonlocal retried
        await asyncio.sleep(0.002)
        if texts["Authorization"].removeprefix("Bearer ") not in accepted:
            retried += 1
            raise CredentialRefused

    async def caller() -> None:
        nonlocal calls, failures
        while not stop.is_set():
            calls += 1
            try:
                await secrets.using({"Authorization": f"Bearer {handle}"}, use)
            except AirsideError:
                failures += 1

    async def rotate() -> None:
        for number in range(8):
            new = f"{VALUE}-{number}"
            old = set(accepted)
            if number % 2:  # the vault first, then the other side
                await asyncio.to_thread(write, bao, name, token=new)
                await asyncio.sleep(0.05)
                accepted.add(new)
                accepted.difference_update(old)
            else:  # both are valid for a moment
                accepted.add(new)
                await asyncio.to_thread(write, bao, name, token=new)
                accepted.difference_update(old)
            await asyncio.sleep(0.1)
        stop.set()

    async with asyncio.timeout(60):
        await asyncio.gather(rotate(), *[caller() for _ in range(20)])
    assert failures == 0
    assert retried >= 8
    assert calls > 200
    await secrets.close()


@pytest.mark.postgres
async def test_credentials_of_a_database_are_made_renewed_and_given_back(
    bao: str, postgres_url: str, tmp_path: Path
) -> None:
    client = root(bao)
    mount = f"database-{next(_names).rpartition('/')[2]}"
    client.sys.enable_secrets_engine("database", path=mount)
    client.secrets.database.configure(
        name="pg",
        plugin_name="postgresql-database-plugin",
        allowed_roles=["app", "brief"],
        connection_url=postgres_url,
        mount_point=mount,
    )
    create = """CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"""
    for role, ttl in {"app": "300s", "brief": "2s"}.items():
        client.secrets.database.create_role(
            name=role, db_name="pg", creation_statements=[create], default_ttl=ttl, max_ttl="600s", mount_point=mount
        )

    def roles() -> set[str]:
        with psycopg.connect(postgres_url) as connection:
            return {row[0] for row in connection.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%'")}

    store = vault(bao, tmp_path, engine="dynamic", mount=f"{mount}/creds")
    secrets = around(store, ttl_s=3_600)
    user = await secrets.resolve("secret://house/app#username", tenant_id="acme")
    password = await secrets.resolve("secret://house/app#password", tenant_id="acme")
    assert roles() == {user.value}
    assert secrets.watch.found_in("acme", password.value) == ("secret://house/app#password",)
    again = await store.renew(await store.fetch("app"))
    assert again is not None
    assert again.lease_s > 200
    other = await secrets.resolve("secret://house/app#username", tenant_id="rival")
    assert other.value != user.value  # a tenant's credentials are its own
    brief = await secrets.resolve("secret://house/brief#username", valid_s=30)
    assert brief.expires_s - SystemClock().monotonic_s() <= 2
    await secrets.close()
    assert roles() == set()
