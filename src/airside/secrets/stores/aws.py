"""Secrets from AWS Secrets Manager through boto3.

While a rotation is under way the pending and the previous version are known too, so that whichever of them the other
side accepts can be used.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from airside.config.secrets import StoreSettings
from airside.core.errors import AirsideError, Code
from airside.secrets.lease import Document, text_of
from airside.secrets.store import down, missing
from airside.secrets.stores.threads import Threads

T = TypeVar("T")

_OVERLAPPING: Final = ("AWSPENDING", "AWSPREVIOUS")
_GONE: Final = frozenset({"ResourceNotFoundException", "InvalidRequestException"})
_DENIED: Final = frozenset(
    {"AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException", "InvalidSignatureException"}
)


class AwsStore:
    """`Store` for `kind: aws`."""

    def __init__(self, name: str, settings: StoreSettings, timeout_s: float) -> None:
        try:
            import boto3  # noqa: F401  (only to see whether the extra is there)
        except ImportError:
            raise AirsideError(
                Code.MISCONFIGURED,
                f"secrets.stores.{name}: the kind `aws` needs the extra `aws`",
                advice="Install airside[aws].",
            ) from None
        if not settings.region:
            raise AirsideError(Code.MISCONFIGURED, f"secrets.stores.{name}.region: the kind `aws` needs it")
        self._name = name
        self._settings = settings
        self._timeout_s = timeout_s
        self._threads = Threads(name)
        self._making = threading.Lock()
        self._client: Any = None

    async def fetch(self, name: str) -> Document:
        """Return the version that is labelled current."""
        return await self._asked(lambda client: _document(client.get_secret_value(SecretId=name), name), name)

    async def others(self, name: str) -> Sequence[Document]:
        """Return the pending and the previous version, those that there are."""
        found = []
        for stage in _OVERLAPPING:
            try:
                answer = await self._asked(
                    lambda client, one=stage: client.get_secret_value(SecretId=name, VersionStage=one),  # type: ignore[misc]  # a default is no part of the Callable
                    name,
                )
                found.append(_document(answer, name))
            except AirsideError:
                continue
        return found

    async def renew(self, document: Document) -> Document | None:  # noqa: ARG002 - nothing is leased
        """Return None."""
        return None

    async def check(self) -> None:
        """Return if the service answers and takes our credentials."""
        await self._asked(lambda client: client.list_secrets(MaxResults=1), "a list")

    async def put(self, name: str, content: str | dict[str, str]) -> None:
        """Write a new current version, the first one if there is none."""
        text = content if isinstance(content, str) else msgspec.json.encode(content).decode()

        def write(client: Any) -> None:
            try:
                client.put_secret_value(SecretId=name, SecretString=text)
            except client.exceptions.ResourceNotFoundException:
                client.create_secret(Name=name, SecretString=text)

        await self._asked(write, name)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    async def _asked(self, ask: Callable[[Any], T], name: str) -> T:
        return await self._threads.run(lambda: self._ask(ask, name))

    def _ask(self, ask: Callable[[Any], T], name: str) -> T:
        """Ask on this thread; boto3's errors become ours."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return ask(self._made())
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))[:100]
            if code in _GONE:
                raise missing(self._name, name) from None
            if code in _DENIED:
                raise down(self._name, "denies airside this secret, or its credentials have expired") from None
            raise down(self._name, f"failed ({code or 'no code'})") from None
        except BotoCoreError as error:
            raise down(self._name, f"cannot be asked ({type(error).__name__})") from None

    def _made(self) -> Any:
        """Return the client, made once: that takes a tenth of a second."""
        import boto3
        from botocore.config import Config
        from botocore.session import Session

        with self._making:
            if self._client is None:
                settings, session = self._settings, Session()
                if settings.credentials_file is not None:
                    session.set_config_variable("credentials_file", str(settings.credentials_file))
                    session.set_config_variable("profile", settings.profile)
                timeout_s = self._timeout_s / 2
                config = Config(connect_timeout=timeout_s, read_timeout=timeout_s, retries={"total_max_attempts": 1})
                self._client = boto3.session.Session(botocore_session=session).client(
                    "secretsmanager",
                    region_name=settings.region,
                    endpoint_url=settings.address or None,
                    verify=str(settings.ca_file) if settings.ca_file else None,
                    config=config,
                )
            return self._client


def _document(answer: Any, name: str) -> Document:
    text = answer.get("SecretString")
    if text is None:
        text = text_of(answer.get("SecretBinary", b""), name)
    return Document(text, str(answer["VersionId"]))
