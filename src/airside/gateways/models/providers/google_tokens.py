"""Access tokens of a Google service account: a signed assertion is exchanged for a token, which is kept until shortly
before it expires (RFC 7523, as Google describes under "server to server").
"""

import asyncio
import base64
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Struct

from airside.core.errors import AirsideError, Code, TransientError
from airside.gateways.models.formats.port import BrokenAnswer
from airside.gateways.models.upstream import Interrupted, Patience, Unreachable, Upstream

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFETIME_S = 3_600
EARLY_S = 300.0  # a token is renewed this long before it expires
TRIED_AGAIN_S = 10.0  # after a failed renewal, while the token still holds
ANSWER_BYTES_MAX = 65_536
_PATIENCE = Patience(total_s=10.0, connect_s=5.0)


class ServiceAccount(Struct, frozen=True):
    """What is used of a service account's key file."""

    client_email: str
    private_key: str
    token_uri: str
    private_key_id: str = ""
    project_id: str = ""


def load_account(path: Path, setting: str) -> ServiceAccount:
    """Read a service account's key file; raises `misconfigured`, without quoting it."""
    try:
        account = msgspec.json.decode(path.read_bytes(), type=ServiceAccount)
        if isinstance(_private_key(account), RSAPrivateKey):
            return account
    except OSError as error:
        raise AirsideError(Code.MISCONFIGURED, f"{setting} cannot be read: {error.strerror}") from None
    except (msgspec.MsgspecError, ValueError, TypeError):
        pass
    raise AirsideError(Code.MISCONFIGURED, f"{setting} is not the key file of a service account")


def _private_key(account: ServiceAccount) -> Any:
    return load_pem_private_key(account.private_key.encode(), password=None)


class AccountTokens:
    """Gives the access token of a service account. Concurrent calls share one exchange."""

    def __init__(self, name: str, account: ServiceAccount, upstream: Upstream) -> None:
        self._name = name
        self._account = account
        self._key: RSAPrivateKey = _private_key(account)
        self._upstream = upstream
        self._token = ""
        self._expires_s = self._renew_s = 0.0
        self._renewing = asyncio.Lock()

    async def token(self) -> str:
        """Return a token that holds for a while; raises TransientError if none can be had just now."""
        if time.monotonic() < self._renew_s:
            return self._token
        async with self._renewing:
            if time.monotonic() >= self._renew_s:
                await self._renew()
        return self._token

    def secrets(self) -> Sequence[str]:
        """Return what must not be told."""
        return (self._token,) if self._token else ()

    async def _renew(self) -> None:
        try:
            token, lifetime_s = await self._exchanged()
        except TransientError:
            if time.monotonic() >= self._expires_s:
                raise
            self._renew_s = min(time.monotonic() + TRIED_AGAIN_S, self._expires_s)
            return
        self._token = token
        self._expires_s = time.monotonic() + lifetime_s
        self._renew_s = max(self._expires_s - EARLY_S, time.monotonic() + lifetime_s / 2)

    async def _exchanged(self) -> tuple[str, float]:
        body = urlencode({"grant_type": GRANT, "assertion": self._assertion(int(time.time()))}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept-Encoding": "identity"}
        try:
            answer = await self._upstream.post(self._account.token_uri, headers, body, _PATIENCE)
            try:
                said = msgspec.json.decode(await answer.read(ANSWER_BYTES_MAX))
                if answer.status == 200:
                    return str(said["access_token"]), float(said["expires_in"])
            finally:
                answer.close()
        except (Unreachable, Interrupted, BrokenAnswer) as error:
            raise self._failed(f"cannot be reached ({error})") from None
        except (msgspec.MsgspecError, LookupError, TypeError, ValueError):
            raise self._failed("gave no readable token") from None
        kind = str(said.get("error") or "") if isinstance(said, dict) else ""
        if answer.status < 500 and answer.status != 429:
            advice = f"Check providers.{self._name}.credentials_file and the clock of this machine."
            message = f"{self._name}: the token endpoint refused the service account ({kind[:64] or answer.status})"
            raise AirsideError(Code.UPSTREAM_FAILED, message, advice=advice, details={"unbilled": True})
        raise self._failed(f"answered {answer.status}")

    def _failed(self, why: str) -> TransientError:
        said = f"{self._name}: the token endpoint {why}"
        return TransientError(Code.UPSTREAM_FAILED, said, details={"not_sent": True})

    def _assertion(self, now_s: int) -> str:
        head = {"alg": "RS256", "typ": "JWT", "kid": self._account.private_key_id}
        claims = {
            "iss": self._account.client_email,
            "scope": SCOPE,
            "aud": self._account.token_uri,
            "iat": now_s,
            "exp": now_s + LIFETIME_S,
        }
        signing = b".".join([_encoded(msgspec.json.encode(head)), _encoded(msgspec.json.encode(claims))])
        signature = self._key.sign(signing, PKCS1v15(), SHA256())
        return (signing + b"." + _encoded(signature)).decode()


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
