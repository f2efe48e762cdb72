"""Asking again for a structured answer that does not fit: with the answer, and what is wrong with it.

Each try is a Call of its own, with its own reservation, intent and outcome.
"""

import json
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from airside.config.guard_output import RepairSettings
from airside.core.call import Call
from airside.core.errors import AirsideError
from airside.gateways.models.asides import Asides
from airside.gateways.models.guarding.answers.asked import Asked, Wanted
from airside.gateways.models.message import Message, OutputFormat, Prompt, Sampling, Text, ToolCall, ToolResult

PURPOSE: Final = "repair"
_ANSWER_CHARS_MAX: Final = 200_000
_ASK: Final = (
    "Your last answer is not what was asked for:\n{errors}\n\nAnswer again, with the corrected JSON and nothing else."
)


class Repair:
    """Asks models again."""

    def __init__(self, settings: RepairSettings, asides: Asides) -> None:
        self._settings = settings
        self._asides = asides

    @property
    def tries(self) -> int:
        """How often may be asked."""
        return self._settings.tries

    async def again(self, call: Call, asked: Asked, wanted: Wanted, said: str, errors: Sequence[str]) -> str | None:
        """Return a new answer; None if there is none to be had."""
        if len(said) > _ANSWER_CHARS_MAX:
            return None
        prompt = _prompt(asked.prompt, wanted, said, errors, self._settings.output_tokens_max)
        model = self._settings.model or call.name
        try:
            answer = await self._asides.ask(call, prompt, model=model, purpose=PURPOSE)
        except AirsideError:
            return None  # the mode of the guard decides on the answer that there is
        text = "".join([block.text for block in answer.blocks if isinstance(block, Text)])
        return text or None


def _prompt(asked: Prompt | None, wanted: Wanted, said: str, errors: Sequence[str], output_tokens_max: int) -> Prompt:
    """Return the conversation as far as it is words, then the answer, then what is wrong with it."""
    before = tuple(_words(message) for message in asked.messages) if asked is not None else ()
    again = _ASK.format(errors="\n".join(f"- {error}" for error in errors))
    schema = f"\n\nThe JSON must fit this schema:\n{json.dumps(wanted.spelled)}" if wanted.spelled else ""
    return Prompt(
        messages=(
            *[message for message in before if message.blocks],
            Message("assistant", (Text(said),)),
            Message("user", (Text(again + schema),)),
        ),
        output=OutputFormat("json_object"),
        sampling=Sampling(temperature=asked.sampling.temperature if asked is not None else None),
        output_tokens_max=output_tokens_max,
    )


def _words(message: Message) -> Message:
    """Return a turn as text: a repair calls no tools."""
    blocks: list[Text] = []
    for block in message.blocks:
        match block:
            case Text():
                blocks.append(Text(block.text))
            case ToolCall():
                blocks.append(Text(f"(called {block.name} with {block.arguments})"))
            case ToolResult():
                told = "\n".join(part.text for part in block.content if isinstance(part, Text))
                blocks.append(Text(f"(result of {block.name or 'the tool'}: {told})"))
    return replace(message, blocks=tuple(blocks))
