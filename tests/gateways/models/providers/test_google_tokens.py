"""Tokens of service accounts: one exchange for all who ask, renewed early, kept while renewals fail."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from airside.core.errors import AirsideError, TransientError
from airside.gateways.models.providers import google_tokens
from airside.gateways.models.providers.google_tokens import AccountTokens, load_account
from airside.gateways.models.upstream import Unreachable
from tests.fake_providers.vertex import service_account


class Exchange:
    """A token endpoint behind the port of the HTTP client, which counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.status = 200
        self.body: bytes | None = None
        self.broken = False

    async def post(self, url: str, headers: Any, body: bytes, patience: Any) -> Any:
        self.asked.append(body)
        await asyncio.sleep(0)
        if self.broken:
            raise Unreachable("refused")
        return self

    async def read(self, bytes_max: int) -> bytes:
        return self.body or json.dumps({"access_token": f"t{len(self.asked)}", "expires_in": 3599}).encode()

    def close(self) -> None:
        """Do nothing."""


class Time:
    """The clock of the module under test."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_800_000_000 + self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(google_tokens, "time", made)
    return made


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
def tokens(tmp_path: Path, exchange: Exchange, clock: Time) -> AccountTokens:
    file = tmp_path / "account.json"
    file.write_text(json.dumps(service_account("http://127.0.0.1:1")))
    return AccountTokens("vertex", load_account(file, "x"), exchange)  # type: ignore[arg-type]  # the part that is used


async def test_many_who_ask_share_one_exchange(tokens: AccountTokens, exchange: Exchange) -> None:
    assert set(await asyncio.gather(*[tokens.token() for _ in range(20)])) == {"t1"}
    assert len(exchange.asked) == 1
    assert tokens.secrets() == ("t1",)


async def test_a_token_is_renewed_before_it_expires(tokens: AccountTokens, exchange: Exchange, clock: Time) -> None:
    await tokens.token()
    clock.now += 3_599 - google_tokens.EARLY_S - 1
    assert await tokens.token() == "t1"
    clock.now += 2
    assert await tokens.token() == "t2"


async def test_a_failed_renewal_leaves_the_token_while_it_holds(
    tokens: AccountTokens, exchange: Exchange, clock: Time
) -> None:
    await tokens.token()
    exchange.broken = True
    clock.now += 3_400
    assert [await tokens.token() for _ in range(5)] == ["t1"] * 5
    assert len(exchange.asked) == 2
    clock.now += 300
    with pytest.raises(TransientError) as caught:
        await tokens.token()
    assert caught.value.details == {"not_sent": True}
    exchange.broken = False
    assert await tokens.token() == "t4"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"access_token": "x", "expires_in": "soon"}'])
async def test_what_is_no_token(tokens: AccountTokens, exchange: Exchange, body: bytes) -> None:
    exchange.body = body or b"<html>"
    with pytest.raises(TransientError, match="no readable token"):
        await tokens.token()


async def test_a_refused_account_is_our_fault(tokens: AccountTokens, exchange: Exchange) -> None:
    exchange.status, exchange.body = 400, b'{"error": "invalid_grant", "error_description": "secret"}'
    with pytest.raises(AirsideError, match="invalid_grant") as caught:
        await tokens.token()
    assert type(caught.value) is AirsideError
    assert "secret" not in str(caught.value)
    exchange.status = 503
    with pytest.raises(TransientError, match="503"):
        await tokens.token()
