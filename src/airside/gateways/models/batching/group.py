"""Similar questions as one model call (requirement D21): gathered for a moment, asked at once, answered apart.

Each caller keeps its own call: identity, reservation, intent, outcome. `Widen` reserves, before the record, for the
case that asking together fails and each is asked alone after all; `Group` is the pipeline's end, which gathers, asks,
and gives everyone their answer and an exact share of what it cost. Any reply that does not fit, and any failure, lets
each be asked alone.
"""

import asyncio
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from airside.config.batching import BatchingSettings
from airside.core.call import Call, CallState, Outcome, Usage
from airside.core.errors import AirsideError
from airside.core.money import NanoUsd
from airside.core.ports import Forward
from airside.gateways.models.batching.question import (
    Question,
    answers_in,
    question_of,
    shares,
    together,
    usage_shares,
    widened,
)
from airside.gateways.models.formats.openai_chat.format import CHAT
from airside.gateways.models.formats.port import Addressed, BrokenAnswer
from airside.gateways.models.message import Answer, Text
from airside.gateways.models.provider import Ask
from airside.pipeline.refusal import charged_nothing

BODY_BYTES_MAX = 33_554_432


class Widen:
    """Lets calls that may be asked together reserve for both ways."""

    def __init__(self, settings: BatchingSettings) -> None:
        self._settings = settings

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on, with a wider need and a note if it may be asked together with others."""
        if not self._settings.enabled or call.wishes.get("batch") is None or question_of(call) is None:
            return await forward(call)
        return await forward(replace(call, need=widened(call.need), notes={**call.notes, "batch": "group"}))


class Share(Struct, frozen=True):
    """What a caller has of a group: an answer, or none, and what the asking cost it."""

    answer: Answer | None
    usage: Usage
    cost: NanoUsd
    metered: bool
    upstream: str
    price: str


class Member(Struct):
    """A caller in a group."""

    call: Call
    question: Question
    share: "asyncio.Future[Share]"

    @property
    def weight(self) -> int:
        """The nano-dollars that were reserved for asking together: half of the widened need."""
        return self.call.need.nanousd(self.call.output_tokens_granted) // 2

    @property
    def tokens(self) -> int:
        """The tokens that were reserved for asking together."""
        need = self.call.need
        return (need.fixed_tokens - need.output_tokens) // 2 + self.call.output_tokens_granted


class Group:
    """The end of the pipeline for calls that may be asked together; `alone` is the end for all others."""

    def __init__(self, settings: BatchingSettings, alone: Forward) -> None:
        self._settings = settings
        self._alone = alone
        self._open: dict[tuple[object, ...], list[Member]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, call: Call) -> Outcome:
        """Answer a call, together with others if it may be."""
        question = question_of(call) if call.notes.get("batch") == "group" else None
        if question is None:
            return await self._alone(call)
        member = Member(call, question, asyncio.get_running_loop().create_future())
        self._join(member)
        share = await member.share
        if share.answer is not None:
            ask: Ask = call.payload
            return Outcome(
                state=CallState.OK,
                body=ask.request.format.body(share.answer, ask.request),
                usage=share.usage,
                cost=share.cost,
                upstream=share.upstream,
                call_id=call.call_id,
                metered=share.metered,
                price=share.price,
            )
        try:
            outcome = await self._alone(call)
        except AirsideError as error:
            if share.cost or not share.metered:  # asking together was paid, so this is not free whatever it says
                error.details = {**error.details, "not_sent": False, "unbilled": False}
            raise
        return replace(
            outcome,
            usage=_sum(outcome.usage, share.usage),
            cost=NanoUsd(outcome.cost + share.cost),
            metered=outcome.metered and share.metered,
        )

    def _join(self, member: Member) -> None:
        waiting = self._open.setdefault(member.question.key, [])
        waiting.append(member)
        if len(waiting) == 1:
            task = asyncio.get_running_loop().create_task(self._gather(member.question.key, waiting))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif len(waiting) >= self._settings.calls_max:
            del self._open[member.question.key]

    async def _gather(self, key: tuple[object, ...], members: list[Member]) -> None:
        await asyncio.sleep(self._settings.window_ms / 1_000)
        if self._open.get(key) is members:
            del self._open[key]
        members = [member for member in members if not member.share.done()]
        try:
            found = await self._asked(members)
        except Exception:  # noqa: BLE001 - whatever broke, nobody may wait for ever; the cost is taken at its worst
            found = [_nothing(charged=True) for _ in members]
        for member, share in zip(members, found, strict=True):
            if not member.share.done():
                member.share.set_result(share)

    async def _asked(self, members: Sequence[Member]) -> list[Share]:
        """Ask all questions at once; a share without an answer lets its caller ask alone."""
        if len(members) < 2:
            return [_nothing(charged=False) for _ in members]
        call = _merged(members)
        if call is None:
            return [_nothing(charged=False) for _ in members]
        try:
            outcome = await self._alone(call)
            answer = CHAT.answer(outcome.body) if outcome.state is CallState.OK else None
        except AirsideError as error:
            return [_nothing(charged=not charged_nothing(error)) for _ in members]
        except BrokenAnswer:
            return [_nothing(charged=True) for _ in members]
        costs = shares(outcome.cost, [member.weight for member in members])
        usages = usage_shares(outcome.usage, [member.tokens for member in members])
        said = "".join(block.text for block in answer.blocks if isinstance(block, Text)) if answer else ""
        found = answers_in(said, len(members)) if answer and answer.stop == "end" and outcome.metered else None
        texts: list[str | None] = [*found] if found else [None] * len(members)
        return [
            Share(
                answer=_alone_of(answer, text, usage) if answer and text is not None else None,
                usage=usage,
                cost=NanoUsd(cost),
                metered=outcome.metered,
                upstream=outcome.upstream,
                price=outcome.price,
            )
            for text, usage, cost in zip(texts, usages, costs, strict=True)
        ]


def _merged(members: Sequence[Member]) -> Call | None:
    """Return the one call that asks everything, or None if what is reserved might not pay for it."""
    first = members[0].call
    ask: Ask = first.payload
    output = sum(member.call.output_tokens_granted for member in members)
    prompt = together([member.question for member in members], output)
    body = CHAT.request(prompt, model=ask.route.model, output_tokens=output, stream=False)
    request = CHAT.parse(body, Addressed(), bytes_max=BODY_BYTES_MAX)
    need = ask.route.price.need(request.input_tokens_bound, output)
    affordable = need.nanousd(output) <= sum([member.weight for member in members])
    if not affordable or need.tokens(output) > sum([member.tokens for member in members]):
        return None
    whole = Ask(request, ask.route, CHAT.delivered(), [], output)
    return replace(first, payload=whole, output_tokens_granted=output, need=need, parts=(), sink=None)


def _alone_of(answer: Answer, text: str, usage: Usage) -> Answer:
    return replace(answer, blocks=(Text(text),), usage=usage)


def _nothing(*, charged: bool) -> Share:
    """Return the share of a group that gave nothing: free if it certainly consumed nothing, else not known."""
    return Share(None, Usage(), NanoUsd(0), not charged, "", "")


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(*[getattr(one, name) + getattr(other, name) for name in Usage.__struct_fields__])
