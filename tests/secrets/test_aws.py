"""AWS Secrets Manager, played by moto over real HTTP: versions, stages of a rotation, refusals, outages."""

import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from airside.config.secrets import SecretSettings, StoreSettings
from airside.core.clock import SystemClock
from airside.core.errors import AirsideError, Code, CredentialRefused, TransientError
from airside.secrets.service import Secrets
from airside.secrets.stores.aws import AwsStore
from airside.secrets.watch import Watch

boto3 = pytest.importorskip("boto3")
pytest.importorskip("moto")
from botocore.awsrequest import AWSPreparedRequest  # noqa: E402  (needs the extra)
from botocore.compat import HTTPHeaders  # noqa: E402  (needs the extra)
from moto.core.botocore_stubber import BotocoreStubber  # noqa: E402  (needs moto)

VALUE = "value-4Gk1zP0tQ9xW"
HANDLE = "secret://house/team/app"


class Handler(BaseHTTPRequestHandler):
    """Hands requests to moto."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = HTTPHeaders.from_dict(dict(self.headers))
        url = "https://secretsmanager.eu-central-1.amazonaws.com/"
        request = AWSPreparedRequest("POST", url, headers, body, stream_output=False)
        status, answered, text = BotocoreStubber().process_request(request)
        payload = text if isinstance(text, bytes) else text.encode()
        self.send_response(status)
        for name, value in {**answered, "Content-Length": len(payload)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *args: Any) -> None:
        return


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """The address of a server that answers like AWS."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def settings(aws: str, tmp_path: Path) -> StoreSettings:
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = example-of-a-secret\n")
    return StoreSettings(kind="aws", address=aws, region="eu-central-1", credentials_file=file)


@pytest.fixture
async def store(settings: StoreSettings) -> AsyncIterator[AwsStore]:
    made = AwsStore("house", settings, 5.0)
    yield made
    await made.close()


@pytest.fixture
def client(aws: str) -> Iterator[Any]:
    made = boto3.client(
        "secretsmanager",
        region_name="eu-central-1",
        endpoint_url=aws,
        aws_access_key_id="AKIAEXAMPLE",
        aws_secret_access_key="example",
    )
    for secret in made.list_secrets(IncludePlannedDeletion=True)["SecretList"]:
        made.delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)
    yield made
    made.close()


def around(store: AwsStore) -> Secrets:
    configured = SecretSettings(stores={"house": StoreSettings(kind="aws")})
    return Secrets({"house": store}, configured, SystemClock(), Watch(SystemClock(), 3_600))


async def failure(store: AwsStore, name: str) -> AirsideError:
    with pytest.raises(AirsideError) as caught:
        await store.fetch(name)
    assert caught.value.code is Code.SECRET_UNAVAILABLE
    return caught.value


async def test_texts_fields_and_binaries(store: AwsStore, client: Any) -> None:
    client.create_secret(Name="team/app", SecretString=f'{{"token": "{VALUE}"}}')
    client.create_secret(Name="binary", SecretBinary=VALUE.encode())
    client.create_secret(Name="not-text", SecretBinary=b"\xff\xfe" * 10)
    secrets = around(store)
    assert (await secrets.resolve(HANDLE + "#token")).value == VALUE
    assert (await secrets.resolve("secret://house/binary")).value == VALUE
    with pytest.raises(AirsideError, match="not UTF-8"):
        await secrets.resolve("secret://house/not-text")
    await store.check()


async def test_what_is_missing_or_marked_for_deletion_is_gone(store: AwsStore, client: Any) -> None:
    assert not isinstance(await failure(store, "nothing"), TransientError)
    client.create_secret(Name="team/app", SecretString=VALUE)
    client.delete_secret(SecretId="team/app")
    assert not isinstance(await failure(store, "team/app"), TransientError)


async def test_writing_makes_a_version_and_keeps_the_previous_one(store: AwsStore, client: Any) -> None:
    await store.put("team/app", VALUE)
    first = await store.fetch("team/app")
    await store.put("team/app", "newer-" + VALUE)
    second = await store.fetch("team/app")
    assert (first.content, second.content) == (VALUE, "newer-" + VALUE)
    assert first.version != second.version
    assert [document.content for document in await store.others("team/app")] == [VALUE]


@pytest.mark.parametrize("accepted", ["pending", "previous", "current"])
async def test_in_the_middle_of_a_rotation_whatever_is_accepted_is_found(
    store: AwsStore, client: Any, accepted: str
) -> None:
    client.create_secret(Name="team/app", SecretString=f"previous-{VALUE}")
    client.put_secret_value(SecretId="team/app", SecretString=f"current-{VALUE}")
    client.put_secret_value(SecretId="team/app", SecretString=f"pending-{VALUE}", VersionStages=["AWSPENDING"])

    async def use(texts: Any) -> str:
        if texts["key"] != f"{accepted}-{VALUE}":
            raise CredentialRefused
        return "done"

    assert await around(store).using({"key": HANDLE}, use) == "done"


async def test_without_an_answer_it_fails_closed_and_in_time(settings: StoreSettings, tmp_path: Path) -> None:
    away = AwsStore("house", settings.model_copy(update={"address": "http://127.0.0.1:9"}), 1.0)
    error = await failure(away, "team/app")
    assert isinstance(error, TransientError)
    assert "cannot be asked" in error.message
    await away.close()
    stranger = AwsStore("house", settings.model_copy(update={"credentials_file": tmp_path / "none"}), 1.0)
    assert isinstance(await failure(stranger, "team/app"), TransientError)


def test_a_region_is_needed() -> None:
    with pytest.raises(AirsideError, match="region"):
        AwsStore("house", StoreSettings(kind="aws"), 1.0)
