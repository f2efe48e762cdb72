"""Any upstream reached by HTTP, whatever it speaks, and what each of its ways to fail means.

How a kind of provider is addressed and convinced is its `Service`; what it speaks are its service's languages. A
client of the same format is answered in the bytes that came, any other through the message model.

A failure is transient when another try may help and the client has been sent nothing yet. What a failed try cost is
unknown once the request has left, unless the provider answered with an error: then it did no work.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import NoReturn, Protocol

import msgspec
from msgspec.structs import replace
from yarl import URL

from airside.config.settings import ProviderSettings
from airside.core.call import Call, CallState, Outcome, Usage
from airside.core.errors import AirsideError, Code, TransientError
from airside.core.money import ZERO
from airside.gateways.models.formats.openai_embeddings.format import EMBEDDINGS, refuse_to_translate
from airside.gateways.models.formats.port import ANSWER_BYTES_MAX, BrokenAnswer, Format, RejectedAnswer
from airside.gateways.models.message import Answer
from airside.gateways.models.outgoing import Clean, as_it_is
from airside.gateways.models.pricing import Price, Pricing
from airside.gateways.models.provider import Ask
from airside.gateways.models.providers.filled import renewed
from airside.gateways.models.upstream import Interrupted, Patience, Response, TimedOut, Unreachable, Upstream

ERROR_BYTES_MAX = 65_536
MESSAGE_CHARS_MAX = 2_000
RETRY_AFTER_S_MAX = 3_600.0
_REFUSED = frozenset({401, 403})
_TRANSIENT_STATUS = frozenset({408, 409, 424, 425})  # 424 is how Bedrock says that a model failed
_UNBILLED: Mapping[str, object] = MappingProxyType({"unbilled": True})


class Service(Protocol):
    """How one kind of provider is reached."""

    languages: Sequence[Format]
    """The formats it speaks; the first is used for clients of any other."""

    prices: str
    """The address under which the price list knows it, or an empty string."""

    def url(self, language: Format, model: str, *, stream: bool) -> URL:
        """Return where a model is asked."""
        ...

    def dress(self, language: Format, body: bytes) -> bytes:
        """Return the request as this provider wants it, where that differs from the format."""
        ...

    async def headers(self, url: URL, body: bytes) -> Mapping[str, str]:
        """Return the headers, with the credential; raises TransientError if it cannot be had just now."""
        ...

    def unframed(self) -> Callable[[bytes], bytes] | None:
        """Return what turns the pieces of one stream into server-sent events, or None if they are that already."""
        ...

    def hidden(self) -> Sequence[str]:
        """Return the secrets that must not be told if the provider echoes them."""
        ...


class HttpProvider:
    """`Provider` for everything reached by HTTP."""

    def __init__(
        self,
        name: str,
        settings: ProviderSettings,
        service: Service,
        upstream: Upstream,
        pricing: Pricing,
        clean: Clean = as_it_is,
    ) -> None:
        self.name = name
        self.timeout_s = settings.timeout_s
        self._service = service
        self._upstream = upstream
        self._pricing = pricing
        self._clean = clean
        self._languages = {language.name: language for language in service.languages}
        self._patience = Patience(settings.connect_timeout_s, settings.timeout_s)
        self._stream_patience = Patience(settings.connect_timeout_s, settings.timeout_s, settings.idle_timeout_s)

    def price(self, model: str) -> Price:
        """Return the listed price of a model at this address."""
        return self._pricing.of(model, self._service.prices)

    def context_tokens(self, model: str) -> int:
        """Return what the price list says of a model's window."""
        return self._pricing.context_tokens(model, self._service.prices)

    def models(self) -> list[str]:
        """Return nothing: what an upstream offers is not asked for."""
        return []

    async def close(self) -> None:
        """Close the connections."""
        await self._upstream.close()

    async def complete(self, call: Call, ask: Ask) -> Outcome:
        """Send the request on and return what came of it."""
        face = ask.request.format
        language = self._languages.get(face.name) or self._service.languages[0]
        response = await self._post(call, ask, language)
        try:
            if response.status != 200:
                return await self._refusal(response, ask, language)
            if response.header("Content-Encoding") not in {"", "identity"}:
                raise BrokenAnswer("the answer is compressed although that was not asked for")
            if call.sink is not None and not response.header("Content-Type").startswith("application/json"):
                body = await self._stream(call, ask, language, response)
            else:
                body = await response.read(ANSWER_BYTES_MAX)
            used = language.usage(body)
            answer = None if language.name == face.name else language.answer(body)
        except RejectedAnswer as error:
            return self._rejected(ask, error.message or error.kind)
        except (Interrupted, BrokenAnswer) as error:
            self._broken(error, ask)
        except UnicodeDecodeError:
            self._broken(BrokenAnswer("the answer is not UTF-8"), ask)
        finally:
            response.close()
        outcome = self._ok(call, ask, body, used)
        return outcome if answer is None else _translated(outcome, answer, call, ask)

    async def _post(self, call: Call, ask: Ask, language: Format) -> Response:
        model, tokens, stream = ask.route.model, call.output_tokens_granted, call.sink is not None
        if language.name == ask.request.format.name:
            body = language.forward(ask.request, model=model, output_tokens=tokens)
        elif ask.request.format is EMBEDDINGS:
            refuse_to_translate(language.name)
        else:
            body = language.request(ask.request.prompt, model=model, output_tokens=tokens, stream=stream)
        body = await self._clean(call, self._service.dress(language, body))
        url = self._service.url(language, model, stream=stream)
        own = await self._service.headers(url, body)
        more = ask.request.headers if language.name == ask.request.format.name else {}
        patience = self._within(call.timeout_s, stream=stream)
        try:
            while True:
                response = await self._upstream.post(str(url), {**own, **more} if more else own, body, patience)
                if not _refuses_key(response.status, language) or not await renewed(own):
                    return response
                response.close()
        except Unreachable as error:
            said = f"{self.name} cannot be reached ({error})"
            raise TransientError(Code.UPSTREAM_FAILED, said, details={"not_sent": True}) from None
        except Interrupted as error:
            self._broken(error, ask)

    def _within(self, seconds: float, *, stream: bool) -> Patience:
        """Return how long to wait for a request, no longer than the call has left."""
        usual = self._stream_patience if stream else self._patience
        return usual if seconds >= usual.total_s else replace(usual, total_s=seconds)

    async def _stream(self, call: Call, ask: Ask, language: Format, response: Response) -> bytes:
        """Pass a stream on while it arrives; return the assembled answer in the upstream's language."""
        assert call.sink is not None, "only a streaming call streams"
        face, unframed, gate = ask.request.format, self._service.unframed(), ask.gate
        same = language.name == face.name
        noted = gate.begin(face, ask.delivered) if gate is not None and same else ask.delivered
        reader = language.reader(noted if same else None)
        writer = None if same else face.writer(ask.request, ask.delivered, _begun(call, ask))
        async for chunk in response.chunks():
            deltas = reader.feed(unframed(chunk) if unframed else chunk)
            if gate is not None:
                frames = await gate.passed(deltas, writer) if deltas else b""
                if frames:
                    gate.sent()
            elif writer is None:
                frames = b"".join([delta.frame for delta in deltas])
            else:
                frames = b"".join([writer.say(delta) for delta in deltas])
            if frames:
                await call.sink.write(frames)
        return reader.finish()

    def _ok(self, call: Call, ask: Ask, body: bytes, used: Usage | None) -> Outcome:
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

    async def _refusal(self, response: Response, ask: Ask, language: Format) -> Outcome:
        """Return the outcome of a request that the provider finds wrong; raise for every other error status."""
        body = b""
        with suppress(Interrupted, BrokenAnswer):
            body = await response.read(ERROR_BYTES_MAX)
        body = self._without_secrets(body)
        kind, message = language.provider_error(body)
        status, said = response.status, f"{self.name} answered {response.status}"
        if status == 429 and kind != "insufficient_quota":
            raise TransientError(Code.RATE_LIMITED, said, details=_UNBILLED, retry_after_s=_retry_after(response))
        if status >= 500 or status in _TRANSIENT_STATUS:
            raise TransientError(Code.UPSTREAM_FAILED, said, details=_UNBILLED, retry_after_s=_retry_after(response))
        if status < 400:
            advice = f"Check providers.{self.name}.base_url."
            raise AirsideError(Code.UPSTREAM_FAILED, f"{said} instead of 200", advice=advice, details=_UNBILLED)
        if status in {401, 402, 403, 407, 429}:
            advice = f"Check the key and the account behind providers.{self.name}."
            said += ": it does not accept airside's credential"
            raise AirsideError(Code.UPSTREAM_FAILED, said, advice=advice, details=_UNBILLED)
        same = language.name == ask.request.format.name
        return Outcome(
            state=CallState.ERROR,
            body=_object(body) if same else b"{}",
            upstream=f"{self.name}/{ask.route.model}",
            code=Code.UPSTREAM_REJECTED,
            message=f"{said}: {message[:MESSAGE_CHARS_MAX]}" if message else said,
        )

    def _rejected(self, ask: Ask, message: str) -> Outcome:
        """Return the outcome of a request that the provider began to answer and then found wrong."""
        plain = self._without_secrets(message.encode(errors="replace")).decode()
        return Outcome(
            state=CallState.ERROR,
            body=b"{}",
            upstream=f"{self.name}/{ask.route.model}",
            code=Code.UPSTREAM_REJECTED,
            message=f"{self.name}: {plain[:MESSAGE_CHARS_MAX]}",
        )

    def _without_secrets(self, body: bytes) -> bytes:
        """Return an error body without our credential, which a provider may quote, in whatever escapes."""
        text = body.decode("utf-8", "replace")
        with suppress(msgspec.MsgspecError, RecursionError):
            text = msgspec.json.encode(msgspec.json.decode(text)).decode()  # undoes escapes
        for secret in self._service.hidden():
            text = text.replace(secret, "[redacted]")
        return text.encode()


def _refuses_key(status: int, language: Format) -> bool:
    """Whether a status may mean that the credential is not accepted; Gemini says so as it says most things, by 400."""
    return status in _REFUSED or (status == 400 and language.name == "gemini")


def _begun(call: Call, ask: Ask) -> Answer:
    """Return what is known of an answer before it comes."""
    return Answer(blocks=(), stop="end", usage=None, model=ask.route.model, answer_id=call.call_id)


def _translated(outcome: Outcome, said: Answer, call: Call, ask: Ask) -> Outcome:
    """Return the outcome in the client's format; what cannot be said in it is an error, and is paid all the same."""
    answer = replace(said, answer_id=call.call_id, model=ask.route.model)
    try:
        return replace(outcome, body=ask.request.format.body(answer, ask.request))
    except AirsideError as error:
        return replace(outcome, state=CallState.ERROR, body=b"{}", code=error.code, message=error.message)


def _object(body: bytes) -> bytes:
    """Return an error body if it is a JSON object, else an empty one."""
    with suppress(msgspec.MsgspecError, RecursionError):
        if isinstance(msgspec.json.decode(body), dict):
            return body
    return b"{}"


def _retry_after(response: Response) -> float | None:
    """Return the seconds of `Retry-After`; a date there is ignored, because clocks differ."""
    try:
        seconds = float(response.header("Retry-After"))
    except ValueError:
        return None
    return min(seconds, RETRY_AFTER_S_MAX) if seconds >= 0 else None
