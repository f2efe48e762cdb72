"""Which calls may be asked together, how their questions become one, and how what it costs is shared. Pure.

A call may join if its caller wishes so and it is one question: nothing but an optional system text and one user text,
no tools, no images, no structured answer, no stream. Calls are alike if tenant, subject, model and everything but the
question are equal.
"""

import json
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from airside.core.call import Call, CallKind, Need, Usage
from airside.core.errors import AirsideError
from airside.core.money import NanoUsd
from airside.gateways.models.message import Message, OutputFormat, Prompt, Text
from airside.gateways.models.provider import Ask

WISH = "batch"
GROUP = "group"
INTRODUCTION = (
    "Below are {n} separate questions as a JSON array of texts. Answer each of them on its own, as if it had been asked"
    " alone. Reply with a JSON array of exactly {n} texts, the answers in the same order, and with nothing else."
)


class Question(Struct, frozen=True):
    """A call that may be asked together with others of the same `key`."""

    key: tuple[object, ...]
    prompt: Prompt
    text: str


def question_of(call: Call) -> Question | None:
    """Return what a call asks, if it may be asked together with others."""
    if call.kind is not CallKind.MODEL or call.wishes.get(WISH) != GROUP or call.sink or call.ready:
        return None
    if not isinstance(call.payload, Ask):
        return None
    try:
        prompt = call.payload.request.prompt
    except AirsideError:
        return None
    *before, last = prompt.messages or (Message("user", ()),)
    plain = all(isinstance(block, Text) for message in prompt.messages for block in message.blocks)
    alone = last.role == "user" and all(message.role == "system" for message in before)
    if not (plain and alone) or prompt.tools or prompt.output != OutputFormat():
        return None
    who, route = call.who, call.payload.route
    rest = json.dumps([[message.role, message.text] for message in before])
    how = (prompt.sampling, prompt.reasoning, prompt.user, call.payload.request.format.name)
    key = (who.tenant_id, who.subject, route.provider.name, route.model, rest, how)
    return Question(key, prompt, last.text)


def together(questions: Sequence[Question], output_tokens: int) -> Prompt:
    """Return one prompt that asks all questions."""
    first = questions[0].prompt
    system = [message for message in first.messages if message.role == "system"]
    text = INTRODUCTION.format(n=len(questions)) + "\n\n" + json.dumps([one.text for one in questions])
    return Prompt(
        messages=(*system, Message("user", (Text(text),))),
        sampling=first.sampling,
        reasoning=first.reasoning,
        output_tokens_max=output_tokens,
        user=first.user,
    )


def answers_in(text: str, count: int) -> list[str] | None:
    """Return the answers that a reply holds, or None if it is anything but an array of so many texts."""
    bare = text.strip()
    if bare.startswith("```") and bare.endswith("```"):
        bare = bare.removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        value = json.loads(bare)
    except (ValueError, RecursionError):
        return None
    fits = isinstance(value, list) and len(value) == count and all(isinstance(one, str) and one for one in value)
    return value if fits else None


def widened(need: Need) -> Need:
    """Return the need of a call that may be asked in vain together with others, and then alone."""
    return Need(
        fixed_nanousd=NanoUsd(2 * need.fixed_nanousd),
        fixed_tokens=2 * need.fixed_tokens + need.output_tokens,
        output_tokens=need.output_tokens,
        output_tokens_min=need.output_tokens_min,
        nanousd_per_output_token=NanoUsd(2 * need.nanousd_per_output_token),
    )


def shares(amount: int, weights: Sequence[int]) -> list[int]:
    """Return an amount divided by weights, exactly: none is above its weight if all weights together cover it."""
    total = sum(weights)
    if total <= 0:
        return [amount, *[0] * (len(weights) - 1)]
    bounds, reached = [0], 0
    for weight in weights:
        reached += weight
        bounds.append(amount * reached // total)
    return [after - before for before, after in pairwise(bounds)]


def usage_shares(usage: Usage, weights: Sequence[int]) -> list[Usage]:
    """Return the tokens of a call divided by weights, class by class."""
    divided = [shares(getattr(usage, name), weights) for name in Usage.__struct_fields__]
    return [Usage(*tokens) for tokens in zip(*divided, strict=True)]
