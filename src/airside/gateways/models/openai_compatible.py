"""Any upstream that speaks Chat Completions, and what each of its ways to fail means.

A failure is transient when another try may help and the client has been sent nothing yet. What a failed try cost is
unknown once the request has left, unless the provider answered with an error: then it did no work.
"""

from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NoReturn
from urllib.parse import urlsplit

import msgspec
from aiohttp import ClientTimeout
from msgspec import Raw, Struct
from yarl import URL

from airside.config.settings import ProviderSettings
from airside.core.call import Call, CallState, Outcome, Sink, Usage
from airside.core.errors import AirsideError, Code, TransientError
from airside.core.money import ZERO
from airside.gateways.models import usage
from airside.gateways.models.openai_chat import upstream_body
from airside.gateways.models.pricing import Price, Pricing
from airside.gateways.models.provider import Ask
from airside.gateways.models.stream import ANSWER_BYTES_MAX, Assembler, BrokenStream
from airside.gateways.models.upstream import Answer, Interrupted, TimedOut, Unreachable, Upstream

ERROR_BYTES_MAX = 65_536
MESSAGE_CHARS_MAX = 2_000
RETRY_AFTER_S_MAX = 3_600.0
_TRANSIENT_STATUS = frozenset({408, 409, 425})
_UNBILLED: Mapping[str, object] = MappingProxyType({"unbilled": True})
_MODERN_HOSTS = ("openai.com", "azure.com")


class _Completion(Struct):
    choices: list[Raw]
    usage: Any = None


_completion = msgspec.json.Decoder(_Completion).decode


class OpenAICompatible:
    """`Provider` for `kind: openai_compatible`."""

    def __init__(self, name: str, settings: ProviderSettings, upstream: Upstream, pricing: Pricing) -> None:
        self.name = name
        self.timeout_s = settings.timeout_s
        self._upstream = upstream
        self._pricing = pricing
        self._base_url = settings.base_url.rstrip("/")
        host = urlsplit(self._base_url).hostname
        if not host:
            raise AirsideError(Code.MISCONFIGURED, f"providers.{name}.base_url must be an http(s) address")
        self._url = URL(self._base_url + "/chat/completions")
        self._limit_field = "max_completion_tokens" if host.endswith(_MODERN_HOSTS) else "max_tokens"
        self._key = _key(name, settings)
        self._headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "airside",
            **({"Authorization": f"Bearer {self._key}"} if self._key else {}),
        }
        connect = {"connect": settings.connect_timeout_s, "sock_connect": settings.connect_timeout_s}
        self._timeout = ClientTimeout(total=settings.timeout_s, **connect)
        self._stream_timeout = ClientTimeout(total=settings.timeout_s, sock_read=settings.idle_timeout_s, **connect)

    def price(self, model: str) -> Price:
        """Return the listed price of a model at this address."""
        return self._pricing.of(model, self._base_url)

    def models(self) -> list[str]:
        """Return nothing: what an upstream offers is not asked for."""
        return []

    async def close(self) -> None:
        """Close the connections."""
        await self._upstream.close()

    async def complete(self, call: Call, ask: Ask) -> Outcome:
        """Send the request on and return what came of it."""
        answer = await self._post(call, ask)
        try:
            if answer.status != 200:
                return await self._refusal(answer, ask)
            if answer.header("Content-Encoding") not in {"", "identity"}:
                raise BrokenStream("the answer is compressed although that was not asked for")
            if call.sink is not None and not answer.header("Content-Type").startswith("application/json"):
                body, reported = await _stream(answer, Assembler(ask.delivered), call.sink)
            else:
                body, reported = await _whole(answer)
        except (Interrupted, BrokenStream) as error:
            self._broken(error, ask)
        finally:
            answer.close()
        return self._ok(call, ask, body, reported)

    async def _post(self, call: Call, ask: Ask) -> Answer:
        body = upstream_body(
            ask.request,
            model=ask.route.model,
            output_tokens=call.output_tokens_granted,
            limit_field=self._limit_field,
        )
        timeout = self._stream_timeout if call.sink is not None else self._timeout
        try:
            return await self._upstream.post(self._url, self._headers, body, timeout)
        except Unreachable as error:
            said = f"{self.name} cannot be reached ({error})"
            raise TransientError(Code.UPSTREAM_FAILED, said, details={"not_sent": True}) from None
        except Interrupted as error:
            self._broken(error, ask)

    def _ok(self, call: Call, ask: Ask, body: bytes, reported: Any) -> Outcome:
        used = usage.read(reported)
        price = ask.route.price
        return Outcome(
            state=CallState.OK,
            body=body,
            usage=used or Usage(),
            cost=price.cost(used) if used else ZERO,
            upstream=f"{self.name}/{ask.route.model}",
            call_id=call.call_id,
            metered=used is not None,
            price=price.version,
        )

    def _broken(self, error: Exception, ask: Ask) -> NoReturn:
        """Raise what a connection or an answer that broke off means. The provider may have been at work."""
        code = Code.UPSTREAM_TIMEOUT if isinstance(error, TimedOut) else Code.UPSTREAM_FAILED
        failure = AirsideError if ask.delivered.anything else TransientError
        raise failure(code, f"{self.name}: {error}") from None

    async def _refusal(self, answer: Answer, ask: Ask) -> Outcome:
        """Return the outcome of a request that the provider finds wrong; raise for every other error status."""
        body = b""
        with suppress(Interrupted, BrokenStream):
            body = await answer.read(ERROR_BYTES_MAX)
        error, message = self._provider_error(body)
        status, said = answer.status, f"{self.name} answered {answer.status}"
        if status == 429 and error.get("code") != "insufficient_quota":
            raise TransientError(Code.RATE_LIMITED, said, details=_UNBILLED, retry_after_s=_retry_after(answer))
        if status >= 500 or status in _TRANSIENT_STATUS:
            raise TransientError(Code.UPSTREAM_FAILED, said, details=_UNBILLED, retry_after_s=_retry_after(answer))
        if status < 400:
            advice = f"Check providers.{self.name}.base_url."
            raise AirsideError(Code.UPSTREAM_FAILED, f"{said} instead of 200", advice=advice, details=_UNBILLED)
        if status in {401, 403, 407, 429}:
            advice = f"Check the key and the account behind providers.{self.name}."
            said += ": it does not accept airside's credential"
            raise AirsideError(Code.UPSTREAM_FAILED, said, advice=advice, details=_UNBILLED)
        return Outcome(
            state=CallState.ERROR,
            body=msgspec.json.encode({"error": error}),
            upstream=f"{self.name}/{ask.route.model}",
            code=Code.UPSTREAM_REJECTED,
            message=f"{said}: {message}" if message else said,
        )

    def _provider_error(self, body: bytes) -> tuple[dict[str, Any], str]:
        """Return the provider's error object and message, without our key in them."""
        text = body.decode("utf-8", "replace")
        try:
            said = msgspec.json.encode(msgspec.json.decode(text)).decode()  # undoes escapes, which could hide the key
        except (msgspec.MsgspecError, RecursionError):
            return {}, self._without_key(text)[:MESSAGE_CHARS_MAX].strip()
        value = msgspec.json.decode(self._without_key(said))
        error = value.get("error", value) if isinstance(value, dict) else {}
        error = error if isinstance(error, dict) else {"message": str(error)}
        return error, str(error.get("message") or "")[:MESSAGE_CHARS_MAX]

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "[redacted]") if self._key else text


async def _whole(answer: Answer) -> tuple[bytes, Any]:
    body = await answer.read(ANSWER_BYTES_MAX)
    try:
        completion = _completion(body)
    except (msgspec.MsgspecError, RecursionError):
        raise BrokenStream("the answer is not a chat completion") from None
    if not completion.choices:
        raise BrokenStream("the answer holds no choice")
    return body, completion.usage


async def _stream(answer: Answer, assembler: Assembler, sink: Sink) -> tuple[bytes, Any]:
    async for chunk in answer.chunks():
        frames = assembler.feed(chunk)
        if frames:
            await sink.write(frames)
    return assembler.finish()


def _retry_after(answer: Answer) -> float | None:
    """Return the seconds of `Retry-After`; a date there is ignored, because clocks differ."""
    try:
        seconds = float(answer.header("Retry-After"))
    except ValueError:
        return None
    return min(seconds, RETRY_AFTER_S_MAX) if seconds >= 0 else None


def _key(name: str, settings: ProviderSettings) -> str:
    if settings.api_key_file is not None:
        try:
            return settings.api_key_file.read_text().strip()
        except OSError as error:
            raise AirsideError(
                Code.MISCONFIGURED, f"providers.{name}.api_key_file cannot be read: {error.strerror}"
            ) from None
    return settings.api_key.get_secret_value() if settings.api_key else ""
