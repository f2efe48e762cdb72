"""Model calls that airside itself makes beside an agent's call: summaries, checks of an answer, embeddings.

An aside is a Call like any other: the identity of the call it serves, its own id, its own reservation, intent and
outcome in the journal, replayed after a crash. Its purpose is part of what it is named by, so that an aside and an
equal request of the agent are never answered with each other's record. It passes `replay` and the steps from `retry` to
`record` only: who asks is known already, and an aside is never cached, routed, or answered by another model.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from airside.core import canonical
from airside.core.call import Call, CallKind, CallState, Effect, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.ports import Forward
from airside.gateways.models.formats.openai_chat.format import CHAT
from airside.gateways.models.formats.port import Addressed, BrokenAnswer, Format, ModelRequest
from airside.gateways.models.message import Answer, Prompt
from airside.gateways.models.provider import Ask, Routes, on_route

OUTPUT_TOKENS = 1_024
"""What an aside may say where its prompt sets no maximum."""

BODY_BYTES_MAX = 33_554_432
_BODY_SAYS_ALL = Addressed()


class Asides:
    """Makes asides.

    `forward` is the inner pipeline around the providers; `embeddings` the wire format of embeddings, if there is one.
    """

    def __init__(self, forward: Forward, routes: Routes, embeddings: Format | None = None) -> None:
        self._forward = forward
        self._routes = routes
        self._embeddings = embeddings

    async def ask(self, call: Call, prompt: Prompt, *, model: str, purpose: str, timeout_s: float = 0.0) -> Answer:
        """Return what a model says to a prompt on behalf of `call`, which must be identified.

        `purpose` is a short name that stands in the journal (`summary`, `judge`). `timeout_s` shortens the time it may
        take, which is never more than the call's own. Raises what any call may raise: `budget_exhausted`, `killed`,
        `unknown_model`, `upstream_failed`, …; whoever asked decides whether the call can go on without it.
        """
        outcome = await self.outcome(call, prompt, model=model, purpose=purpose, timeout_s=timeout_s)
        try:
            return CHAT.answer(outcome.body)
        except BrokenAnswer as error:
            raise AirsideError(Code.UPSTREAM_FAILED, f"{model} gave no usable answer to an aside: {error}") from None

    async def outcome(self, call: Call, prompt: Prompt, *, model: str, purpose: str, timeout_s: float = 0.0) -> Outcome:
        """As `ask`, with cost and usage: the answer as a Chat Completions body."""
        limit = prompt.output_tokens_max or OUTPUT_TOKENS
        body = CHAT.request(prompt, model=model, output_tokens=limit, stream=False)
        request = CHAT.parse(body, _BODY_SAYS_ALL, bytes_max=BODY_BYTES_MAX)
        return await self.send(call, request, model=model, purpose=purpose, timeout_s=timeout_s)

    async def embed(self, call: Call, texts: Sequence[str], *, model: str, purpose: str = "embed") -> "Embeddings":
        """Return the vectors of texts, in their order, by an embedding model of a provider. Raises as `ask`."""
        if self._embeddings is None:
            raise AirsideError(Code.MISCONFIGURED, "embeddings of a provider are not set up here")
        body = msgspec.json.encode({"model": model, "input": list(texts), "encoding_format": "float"})
        request = self._embeddings.parse(body, _BODY_SAYS_ALL, bytes_max=BODY_BYTES_MAX)
        outcome = await self.send(call, request, model=model, purpose=purpose)
        return Embeddings(_vectors(outcome.body, len(texts)), outcome)

    async def send(
        self,
        call: Call,
        request: ModelRequest,
        *,
        model: str,
        purpose: str,
        timeout_s: float = 0.0,
        notes: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """Make a request of any format as an aside and return its outcome, which is an answer, whole.

        A request that asks for a stream is streamed from upstream, to nobody.
        """
        route = self._routes.find(model)
        own = isinstance(call.payload, Ask) and request is call.payload.request  # then its limits are the call's
        limit = call.payload.output_tokens_max if own else request.output_tokens_max or OUTPUT_TOKENS
        ask = Ask(request, route, request.format.delivered(), [], limit)
        aside = Call(
            call_id=new_id("call"),
            kind=CallKind.MODEL,
            name=model,
            token=call.token,
            identity=call.who,
            parts=(*request.parts, canonical.encode({"aside": purpose})),
            effect=Effect.READ,
            idempotent=True,
            timeout_s=route.provider.timeout_s,
            run_header=call.run_header,
            sink=_Nowhere() if request.stream else None,
            payload=ask,
            peer=call.peer,
            deadline_s=call.deadline_s,
            notes={"aside": {"of": call.call_id, "for": purpose}, **(notes or {})},
        )
        aside = on_route(aside, route)
        limits = [aside.timeout_s, call.timeout_s, *([timeout_s] if timeout_s > 0 else [])]
        outcome = await self._forward(replace(aside, timeout_s=min(limits)))
        if outcome.state is not CallState.OK:
            code = Code(outcome.code) if outcome.code in set(Code) else Code.UPSTREAM_FAILED
            raise AirsideError(code, outcome.message or f"{model} gave no answer to an aside")
        return outcome


class _Nowhere:
    """The sink of a stream that only its assembled answer is wanted of."""

    async def write(self, chunk: bytes) -> None:
        """Drop a piece."""


class Embeddings(Struct, frozen=True):
    """Vectors in the order of their texts, and the outcome that they cost."""

    vectors: tuple[tuple[float, ...], ...]
    outcome: Outcome


class _Vector(Struct):
    index: int
    embedding: list[float]


class _Listed(Struct):
    data: list[_Vector]


_listed = msgspec.json.Decoder(_Listed).decode


def _vectors(body: bytes, count: int) -> tuple[tuple[float, ...], ...]:
    try:
        found = {item.index: tuple(item.embedding) for item in _listed(body).data}
    except msgspec.MsgspecError:
        found = {}
    if sorted(found) != list(range(count)) or len({len(vector) for vector in found.values()}) > 1:
        raise AirsideError(Code.UPSTREAM_FAILED, "the provider's embeddings do not match what was asked")
    return tuple(found[index] for index in range(count))
