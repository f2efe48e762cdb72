"""Google Vertex AI: models under `/v1/projects/P/locations/L/publishers/...`, and the token endpoint of its OAuth."""

import functools
import json
import re
import time
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fake_providers import anthropic, anthropic_rules
from tests.fake_providers.dialect import Refusal, Request, Speaker, Stream, Whole, bearer, sse
from tests.fake_providers.gemini import generate
from tests.fake_providers.gemini_rules import refusal

PROJECT, LOCATION = "fake-project", "europe-west4"
EMAIL = "airside@fake-project.iam.example"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
VERSIONS = ("vertex-2023-10-16", "2026-10-21")  # SDKs from 2.0 on send the second
AUDIENCE = "https://oauth2.googleapis.com/token"  # what Google's own client claims, wherever the endpoint is
LIFETIME_S = 3_600
_PATH = re.compile(
    r"/v1(?:beta1)?/projects/([^/]+)/locations/([^/]+)/publishers/(google|anthropic)/models/([^/:]+):(\w+)"
)


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def service_account(root: str) -> dict[str, str]:
    """Return the key file of the service account, whose tokens come from the fake at `root`."""
    pem = _key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "key-1",
        "private_key": pem.decode(),
        "client_email": EMAIL,
        "client_id": "1",
        "token_uri": f"{root}/token",
    }


def token(request: Request, _speaker: Speaker) -> Whole:
    """Give an access token for an assertion that the service account has signed."""
    form = {name: values[0] for name, values in parse_qs(request.raw.decode()).items()}
    if form.get("grant_type") != GRANT:
        raise Refusal(400, {"error": "unsupported_grant_type", "error_description": "Invalid grant_type"})
    audience = [AUDIENCE, f"http://{request.headers.get('host')}/token"]
    try:
        claims = jwt.decode(form.get("assertion", ""), _key().public_key(), algorithms=["RS256"], audience=audience)
    except jwt.InvalidTokenError as error:
        raise Refusal(400, {"error": "invalid_grant", "error_description": f"Invalid JWT: {error}"}) from None
    if claims.get("iss") != EMAIL or SCOPE not in str(claims.get("scope", "")).split():
        raise Refusal(400, {"error": "invalid_scope", "error_description": "Invalid OAuth scope."})
    if claims["exp"] - claims["iat"] > LIFETIME_S:
        raise Refusal(400, {"error": "invalid_grant", "error_description": "Invalid JWT: lifetime too long"})
    return Whole({"access_token": access_token(), "expires_in": LIFETIME_S - 1, "token_type": "Bearer"})


def access_token(expires_in_s: int = LIFETIME_S) -> str:
    """Return an access token that is taken for that long."""
    return jwt.encode({"exp": int(time.time()) + expires_in_s, "sub": EMAIL}, _key(), algorithm="RS256")


def answer(request: Request, speaker: Speaker) -> Whole | Stream:
    """Answer one request."""
    try:
        jwt.decode(bearer(request), _key().public_key(), algorithms=["RS256"])
    except jwt.InvalidTokenError:
        message = "Request had invalid authentication credentials. Expected OAuth 2 access token."
        raise refusal(401, "UNAUTHENTICATED", message) from None
    match = _PATH.fullmatch(request.path)
    if match is None or (match[1], match[2]) != (PROJECT, LOCATION):
        raise refusal(404, "NOT_FOUND", f"Not found: {request.path}")
    if match[3] == "google":
        return generate(request, speaker, match[4], match[5])
    return _predict(request, speaker, match[4], match[5])


def _predict(request: Request, speaker: Speaker, model: str, method: str) -> Whole | Stream:
    """Answer for Anthropic's models, whose body is theirs but for the model and the version."""
    body: Any = request.body
    streaming = method == "streamRawPredict"
    if method not in {"rawPredict", "streamRawPredict"}:
        raise refusal(404, "NOT_FOUND", f"Not found: {method}")
    if not isinstance(body, dict) or body.get("anthropic_version") not in VERSIONS:
        raise anthropic_rules.invalid(f"anthropic_version: must be one of {VERSIONS}")
    if bool(body.get("stream")) != streaming:
        raise anthropic_rules.invalid(f"stream: does not fit {method}")
    anthropic_rules.check({name: value for name, value in body.items() if name != "stream"}, bedrock=True)
    if body["anthropic_version"] != VERSIONS[0]:
        anthropic_rules.check_newer(body)
    message = anthropic.message_of(body, speaker, model)
    if streaming:
        return Stream([sse(json.dumps(event), event["type"]) for event in anthropic.events_of(message)])
    return Whole(message)
