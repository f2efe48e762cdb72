"""Amazon Bedrock as a service: Anthropic's models through InvokeModel, signed, its streams unframed.

Other models are reached through Bedrock's OpenAI-compatible endpoint, as `kind: openai_compatible` with a Bedrock key.
"""

import base64
import configparser
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec
from msgspec import Raw
from yarl import URL

from airside.config.settings import ProviderSettings
from airside.core.errors import AirsideError, Code, TransientError
from airside.gateways.models.formats.anthropic.format import MESSAGES
from airside.gateways.models.formats.port import BrokenAnswer, Format, RejectedAnswer
from airside.gateways.models.providers.credentials import FreshFile
from airside.gateways.models.providers.eventstream import Message, Messages
from airside.gateways.models.providers.services import PLAIN_HEADERS, api_key, base_host
from airside.gateways.models.providers.sigv4 import AwsKey, Scope, signed

VERSION = "bedrock-2023-05-31"
_SERVICE = "bedrock"
_THEIR_FAULT = frozenset({"validationException", "ValidationException"})


class Bedrock:
    """`Service` for `kind: bedrock`. A Bedrock API key is sent as it is; an access key signs each request."""

    languages: Sequence[Format] = (MESSAGES,)

    def __init__(self, name: str, settings: ProviderSettings) -> None:
        if not settings.region:
            raise AirsideError(Code.MISCONFIGURED, f"providers.{name}.region is needed, e.g. eu-central-1")
        if settings.base_url:
            base_host(name, settings)
        self.prices = settings.base_url.rstrip("/") or f"https://bedrock-runtime.{settings.region}.amazonaws.com"
        self._scope = Scope(settings.region, _SERVICE)
        self._bearer = api_key(name, settings)
        self._keys = None if self._bearer else AwsKeys(name, settings)

    def url(self, language: Format, model: str, *, stream: bool) -> URL:  # noqa: ARG002 - one language
        """Return where a model is invoked."""
        method = "invoke-with-response-stream" if stream else "invoke"
        return URL(f"{self.prices}/model/{quote(model, safe='')}/{method}", encoded=True)

    def dress(self, language: Format, body: bytes) -> bytes:  # noqa: ARG002 - one language
        """Return the request as Bedrock wants it: model and mode stand in the path, a version in the body."""
        return without_model(body, VERSION, "stream")

    async def headers(self, url: URL, body: bytes) -> Mapping[str, str]:
        """Return the headers, signed over the body."""
        if self._keys is None:
            return {**PLAIN_HEADERS, "Authorization": f"Bearer {self._bearer}"}
        return signed(self._keys.now(), self._scope, datetime.now(UTC), "POST", url, PLAIN_HEADERS, body)

    def unframed(self) -> Callable[[bytes], bytes] | None:
        """Return what takes the AWS framing off one stream."""
        messages = Messages()
        return lambda data: b"".join([_event(message) for message in messages.feed(data)])

    def hidden(self) -> Sequence[str]:
        """Return the keys."""
        return (self._bearer,) if self._keys is None else self._keys.secrets()


def without_model(body: bytes, version: str, *names: str) -> bytes:
    """Return a request of the Messages format as resellers want it: the version in it, and the model in the path."""
    fields = msgspec.json.decode(body, type=dict[str, Raw])
    for name in ("model", *names):
        fields.pop(name, None)
    return msgspec.json.encode({"anthropic_version": version, **fields})


def _event(message: Message) -> bytes:
    """Return a message as a server-sent event; raises what an exception in the stream means."""
    headers, payload = message.headers, message.payload
    if headers.get(":message-type") in {"exception", "error"}:
        kind = headers.get(":exception-type") or headers.get(":error-code") or "exception"
        if kind in _THEIR_FAULT:
            raise RejectedAnswer(kind, _told(payload))
        raise BrokenAnswer(f"the provider ended the stream with {kind[:64]}")
    try:
        event = base64.b64decode(msgspec.json.decode(payload)["bytes"], validate=True)
    except (msgspec.MsgspecError, LookupError, TypeError, ValueError, RecursionError):
        raise BrokenAnswer("an event of the stream holds no readable bytes") from None
    return b"data: " + event.replace(b"\n", b" ") + b"\n\n"


def _told(payload: bytes) -> str:
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return str(value.get("message") or "") if isinstance(value, dict) else ""


class AwsKeys:
    """The access key: from `credentials_file` (as AWS's tools keep it, read again when it changes), else from airside's
    own environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
    """

    def __init__(self, name: str, settings: ProviderSettings) -> None:
        self._setting = f"providers.{name}.credentials_file"
        self._profile = settings.profile
        path = settings.credentials_file
        self._file = FreshFile(path, self._setting) if path is not None else None
        self._known: AwsKey | None = None
        try:
            self.now()
        except TransientError as error:
            raise AirsideError(Code.MISCONFIGURED, error.message) from None

    def now(self) -> AwsKey:
        """Return the key that holds now; raises TransientError if the file has none."""
        self._known = self._read() if self._file is not None else _environment_key(self._setting)
        return self._known

    def secrets(self) -> Sequence[str]:
        """Return what must not be told."""
        known = self._known
        return tuple(secret for secret in (known.secret_key, known.token) if secret) if known is not None else ()

    def _read(self) -> AwsKey:
        assert self._file is not None, "only called with a file"
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(self._file.text())
            found = parser[self._profile]
            return AwsKey(
                found["aws_access_key_id"], found["aws_secret_access_key"], found.get("aws_session_token", "")
            )
        except (configparser.Error, KeyError):
            said = f"{self._setting} has no access key under [{self._profile}]"
            raise TransientError(Code.UPSTREAM_FAILED, said, details={"not_sent": True}) from None


def _environment_key(setting: str) -> AwsKey:
    access_key, secret_key = os.environ.get("AWS_ACCESS_KEY_ID", ""), os.environ.get("AWS_SECRET_ACCESS_KEY", "")
    if not access_key or not secret_key:
        raise AirsideError(
            Code.MISCONFIGURED, f"there is no access key: set {setting}, or AWS_ACCESS_KEY_ID and its secret"
        )
    return AwsKey(access_key, secret_key, os.environ.get("AWS_SESSION_TOKEN", ""))
