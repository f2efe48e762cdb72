"""AWS Signature Version 4, verified as AWS does: from the request as it came and the secret key."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

from tests.fake_providers.dialect import Refusal, Request

ACCESS_KEY = "AKIAFAKEPROVIDER0001"
SECRET_KEY = "fake/provider/secret/key/0123456789abcdef"
REGION = "eu-central-1"
SKEW_MAX = timedelta(minutes=5)
MUST_SIGN = {"host", "x-amz-date"}


def verify(request: Request, service: str) -> None:
    """Refuse a request whose signature is not that of the secret key over these very bytes."""
    algorithm, _, rest = request.headers.get("authorization", "").partition(" ")
    if algorithm != "AWS4-HMAC-SHA256":
        raise denied("MissingAuthenticationTokenException", "Missing Authentication Token")
    fields = dict(part.strip().split("=", 1) for part in rest.split(","))
    access_key, day, region, signed_service, terminator = (fields["Credential"].split("/") + [""] * 5)[:5]
    if access_key != ACCESS_KEY:
        raise denied("UnrecognizedClientException", "The security token included in the request is invalid.")
    if (region, signed_service, terminator) != (REGION, service, "aws4_request"):
        raise denied("InvalidSignatureException", f"Credential should be scoped to {REGION}/{service}/aws4_request.")
    names = fields["SignedHeaders"].split(";")
    if MUST_SIGN - set(names) or names != sorted(names):
        raise denied("InvalidSignatureException", "'host' and 'x-amz-date' must be in SignedHeaders, in order.")
    stamp = request.headers.get("x-amz-date", "")
    try:
        signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise denied("IncompleteSignatureException", "Date must be in ISO-8601 'basic format'.") from None
    if abs(datetime.now(UTC) - signed_at) > SKEW_MAX or not stamp.startswith(day):
        raise denied("InvalidSignatureException", f"Signature expired: {stamp} is too far from now.")
    expected = signature(request, names, f"{day}/{region}/{service}/aws4_request", stamp)
    if not hmac.compare_digest(expected, fields.get("Signature", "")):
        message = "The request signature we calculated does not match the signature you provided."
        raise denied("InvalidSignatureException", message)


def signature(request: Request, names: list[str], scope: str, stamp: str) -> str:
    """Return the signature of a request; see AWS's "Create a signed AWS API request"."""
    parts = urlsplit(request.target)
    query = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    canonical = "\n".join(
        [
            request.method,
            quote(parts.path, safe="/-_.~"),  # encoded once more, as every service but S3 wants it
            "&".join(f"{name}={value}" for name, value in query),
            *[f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in names],
            "",
            ";".join(names),
            hashlib.sha256(request.raw).hexdigest(),
        ]
    )
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SECRET_KEY}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


def denied(kind: str, message: str) -> Refusal:
    """Return a refusal in AWS's shape."""
    return Refusal(403, {"message": message}, x_amzn_errortype=kind)
