"""AWS Signature Version 4: what makes a request to AWS authentic.

By AWS's "Create a signed AWS API request". The path is encoded once more than it is sent, as every service but S3
wants it.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl, quote

from msgspec import Struct
from yarl import URL

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-_.~"


class AwsKey(Struct, frozen=True):
    """An access key; `token` goes with a temporary one."""

    access_key: str
    secret_key: str
    token: str = ""


class Scope(Struct, frozen=True):
    """Where a signature holds."""

    region: str
    service: str


def signed(
    key: AwsKey, scope: Scope, now: datetime, method: str, url: URL, headers: Mapping[str, str], body: bytes
) -> dict[str, str]:
    """Return the headers of a request with its signature among them. `now` is in UTC.

    All given headers are signed, so none may be changed on the way.
    """
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    sent = {**headers, "X-Amz-Date": stamp}
    if key.token:
        sent["X-Amz-Security-Token"] = key.token
    host = url.raw_host or ""
    authority = host if url.is_default_port() else f"{host}:{url.port}"
    lower = {name.lower(): " ".join(value.split()) for name, value in {**sent, "Host": authority}.items()}
    names = sorted(lower)
    request = "\n".join(
        [
            method,
            quote(url.raw_path or "/", safe=f"/{_UNRESERVED}"),
            _query(url.raw_query_string),
            *[f"{name}:{lower[name]}" for name in names],
            "",
            ";".join(names),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    where = f"{stamp[:8]}/{scope.region}/{scope.service}/aws4_request"
    to_sign = "\n".join([_ALGORITHM, stamp, where, hashlib.sha256(request.encode()).hexdigest()])
    signing_key = f"AWS4{key.secret_key}".encode()
    for part in where.split("/"):
        signing_key = hmac.new(signing_key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(signing_key, to_sign.encode(), hashlib.sha256).hexdigest()
    credential = f"Credential={key.access_key}/{where}"
    sent["Authorization"] = f"{_ALGORITHM} {credential}, SignedHeaders={';'.join(names)}, Signature={signature}"
    return sent


def _query(raw: str) -> str:
    pairs = sorted(
        (quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED))
        for name, value in parse_qsl(raw, keep_blank_values=True)
    )
    return "&".join(f"{name}={value}" for name, value in pairs)
