"""The scripted model: a deterministic stand-in that plays a conversation file, and says so in every answer.

It goes the whole way of a real model: priced, metered, streamed word by word, journaled with the upstream `scripted`.
"""

import asyncio
import hashlib
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from airside.config.settings import ModelPrice
from airside.core.call import Call, CallState, Outcome, Sink, Usage
from airside.core.errors import Code
from airside.gateways.models import script
from airside.gateways.models.pricing import Price, configured
from airside.gateways.models.provider import Ask
from airside.gateways.models.stream import Delivered, frame

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

    def models(self) -> list[str]:
        """Return the one model."""
        return [self.label]

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    async def complete(self, call: Call, ask: Ask) -> Outcome:
        """Answer by the first turn of the script that fits; if none does, the outcome is an error that says so."""
        seen = script.scene(ask.request.value["messages"])
        said = script.answer(self._script, seen)
        if said is None:
            looked = f"last user text {seen.user[:80]!r}, {seen.results} tool results"
            return Outcome(
                state=CallState.ERROR,
                body=b"{}",
                upstream="scripted",
                code=Code.UPSTREAM_REJECTED,
                message=f"the script {self.label} has no turn that fits: {looked}",
            )
        used = _usage(said, ask, call.output_tokens_granted)
        completion = self._completion(call, said, used)
        delay_s = (said.turn.delay_ms or self._script.delay_ms) / 1_000
        if call.sink is not None and said.text:
            await _speak(said.text, completion, ask.delivered, call.sink, delay_s)
        elif delay_s:
            await asyncio.sleep(delay_s)
        return Outcome(
            state=CallState.OK,
            body=msgspec.json.encode(completion),
            usage=used,
            cost=ask.route.price.cost(used),
            upstream="scripted",
            call_id=call.call_id,
            price=ask.route.price.version,
        )

    def _completion(self, call: Call, said: script.Answer, used: Usage) -> dict[str, Any]:
        name = hashlib.sha256(call.request_hash or b"".join(call.parts)).hexdigest()
        message: dict[str, Any] = {"role": "assistant", "content": said.text}
        if said.calls:
            message["tool_calls"] = [
                {
                    "id": f"call_{name[:20]}{index:02d}",
                    "type": "function",
                    "function": {"name": tool, "arguments": msgspec.json.encode(arguments).decode()},
                }
                for index, (tool, arguments) in enumerate(said.calls)
            ]
        finish = "tool_calls" if said.calls else "stop"
        return {
            "id": f"chatcmpl-scripted-{name[:24]}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self.label,
            "system_fingerprint": "scripted",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
            "usage": {
                "prompt_tokens": used.input,
                "completion_tokens": used.output,
                "total_tokens": used.input + used.output,
            },
        }


async def _speak(text: str, completion: dict[str, Any], delivered: Delivered, sink: Sink, delay_s: float) -> None:
    """Stream the text word by word, the delay spread over the words."""
    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1][:-1]
    head = {name: item for name, item in completion.items() if name not in {"choices", "usage"}}
    for index, word in enumerate(words):
        if delay_s:
            await asyncio.sleep(delay_s / len(words))
        await sink.write(frame(head, {"content": word} if index else {"role": "assistant", "content": word}))
        delivered.role = True
        delivered.chars["content"] = delivered.chars.get("content", 0) + len(word)


def _usage(said: script.Answer, ask: Ask, granted: int) -> Usage:
    if said.turn.usage is not None:
        return Usage(input=said.turn.usage.input, output=said.turn.usage.output)
    spoken = len(said.text or "") + sum(len(tool) + len(str(arguments)) for tool, arguments in said.calls)
    output = max(1, -(-spoken // CHARS_PER_TOKEN))
    return Usage(input=-(-len(ask.request.body) // CHARS_PER_TOKEN), output=min(output, granted) if granted else output)
