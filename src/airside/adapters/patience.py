"""The HTTP client that SDKs are given for the gateways: it waits for answers, and for gateways that are away."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import httpx2

from airside.adapters.port import Context

DELAYS_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
KEY_HEADER: Final = "idempotency-key"
_TIMEOUT: Final = httpx2.Timeout(None, connect=10.0)  # an answer may wait for a person; airside ends the attempt then


def new_key() -> str:
    """Return what a request is called, each time it is sent; not from `random` or `uuid`, which are the agent's."""
    return secrets.token_hex(8)


class PatientTransport(httpx2.AsyncHTTPTransport):
    """Sends a request again while the gateway is away: it may restart in the middle of a run.

    That is safe for every call: each request has a key of its own, by which the journal knows it when it comes again.
    """

    def __init__(self, *, verify: bool, delays_s: Sequence[float]) -> None:
        super().__init__(verify=verify)
        self._delays_s = delays_s

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request and return the answer, or raise what the last try raised."""
        request.headers.setdefault(KEY_HEADER, new_key())
        for delay_s in self._delays_s:
            try:
                return await super().handle_async_request(request)
            except httpx2.TransportError:
                await asyncio.sleep(delay_s)
        return await super().handle_async_request(request)


def http_client(
    context: Context, headers: Mapping[str, str] = MappingProxyType({}), *, delays_s: Sequence[float] = DELAYS_S
) -> httpx2.AsyncClient:
    """Return a client for the gateways that waits as long as it takes and heeds no proxy of the environment."""
    secure = context.gateway_url.startswith("https:")  # reading the certificates takes longer than a fork
    return httpx2.AsyncClient(
        base_url=context.gateway_url,
        headers=dict(headers),
        timeout=_TIMEOUT,
        trust_env=False,
        transport=PatientTransport(verify=secure, delays_s=delays_s),
    )
