"""The scripted model: a deterministic stand-in that plays a conversation file, and says so in every answer.

It goes the whole way of a real model: priced, metered, streamed word by word, journaled with the upstream `scripted`.
"""

import asyncio
import hashlib
from decimal import Decimal
from pathlib import Path

import msgspec

from airside.config.settings import ModelPrice
from airside.core.call import Call, CallState, Outcome, Usage
from airside.core.errors import Code
from airside.gateways.models.formats.port import Delta
from airside.gateways.models.message import Answer, Block, Text, ToolCall
from airside.gateways.models.pricing import Price, configured
from airside.gateways.models.provider import Ask
from airside.gateways.models.providers import script

WITHOUT_SCRIPT = Path(__file__).with_name("without_script.yaml")
TIMEOUT_S = 660.0  # beyond the longest delay that a script may ask for
CHARS_PER_TOKEN = 4
SCRIPTED_PRICE = configured(ModelPrice(input=Decimal("0.15"), output=Decimal("0.60")), "scripted")
"""Invented, and labelled so: it lets a demonstration show costs."""


class ScriptedModel:
    """`Provider` for `kind: scripted`."""

    timeout_s = TIMEOUT_S

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._script = script.load(path)
        self.label = f"scripted/{self._script.name}"

    def price(self, model: str) -> Price:  # noqa: ARG002 - every model name costs the same here
        """Return the invented price."""
        return SCRIPTED_PRICE

    def context_tokens(self, model: str) -> int:  # noqa: ARG002 - as `price`
        """Return the window of the script; 0 where it has none."""
        return self._script.context_tokens

    def models(self) -> list[str]:
        """Return the one model."""
        return [self.label]

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    async def complete(self, call: Call, ask: Ask) -> Outcome:
        """Answer by the first turn of the script that fits; if none does, the outcome is an error that says so."""
        seen = script.scene(ask.request.prompt)
        said = script.answer(self._script, seen)
        if said is None:
            looked = f"last user text {seen.user[:80]!r}, {seen.results} tool results"
            return _refused(f"the script {self.label} has no turn that fits: {looked}")
        asked = -(-len(ask.request.body) // CHARS_PER_TOKEN)
        if 0 < self._script.context_tokens < asked:
            return _refused(
                f"the request has {asked} tokens; the window of {self.label} has {self._script.context_tokens}"
            )
        used = _usage(said, ask, call.output_tokens_granted)
        answer = self._answer(call, said, used)
        delay_s = (said.turn.delay_ms or self._script.delay_ms) / 1_000
        if call.sink is not None and said.text:
            await _speak(said.text, answer, call, ask, delay_s)
        elif delay_s:
            await asyncio.sleep(delay_s)
        return Outcome(
            state=CallState.OK,
            body=ask.request.format.body(answer, ask.request),
            usage=used,
            cost=ask.route.price.cost(used),
            upstream="scripted",
            call_id=call.call_id,
            price=ask.route.price.version,
        )

    def _answer(self, call: Call, said: script.Answer, used: Usage) -> Answer:
        name = hashlib.sha256(call.request_hash or b"".join(call.parts)).hexdigest()
        blocks: list[Block] = [Text(said.text)] if said.text else []
        blocks += [
            ToolCall(f"call_{name[:20]}{index:02d}", tool, msgspec.json.encode(arguments).decode())
            for index, (tool, arguments) in enumerate(said.calls)
        ]
        return Answer(
            blocks=tuple(blocks),
            stop="tool_calls" if said.calls else "end",
            usage=used,
            model=self.label,
            answer_id=f"scripted-{name[:24]}",
            fingerprint="scripted",
        )


def _refused(message: str) -> Outcome:
    return Outcome(state=CallState.ERROR, body=b"{}", upstream="scripted", code=Code.UPSTREAM_REJECTED, message=message)


async def _speak(text: str, answer: Answer, call: Call, ask: Ask, delay_s: float) -> None:
    """Stream the text word by word, the delay spread over the words."""
    assert call.sink is not None, "only a streaming call streams"
    writer = ask.request.format.writer(ask.request, ask.delivered, answer)
    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1][:-1]
    for word in words:
        if delay_s:
            await asyncio.sleep(delay_s / len(words))
        said = Delta(b"", "text", word)
        frames = writer.say(said) if ask.gate is None else await ask.gate.passed([said], writer)
        if frames:
            await call.sink.write(frames)


def _usage(said: script.Answer, ask: Ask, granted: int) -> Usage:
    if said.turn.usage is not None:
        return Usage(input=said.turn.usage.input, output=said.turn.usage.output)
    spoken = len(said.text or "") + sum(len(tool) + len(str(arguments)) for tool, arguments in said.calls)
    output = max(1, -(-spoken // CHARS_PER_TOKEN))
    return Usage(input=-(-len(ask.request.body) // CHARS_PER_TOKEN), output=min(output, granted) if granted else output)
