"""The step `spotlight`: models are shown what users and tools have said, in marks of the run, and told what they mean.

It stands behind the caches, so that an answer is found again whatever the run's mark is, and before routing, so that
every model that is asked is asked the same. What the client sent stays what is hashed, stored and replayed.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from airside.config.spotlight import SpotlightSettings
from airside.core.call import Call, Outcome
from airside.core.lru import Lru
from airside.core.ports import Forward
from airside.gateways.models.formats.port import ModelRequest
from airside.gateways.models.guarding.prompts import anthropic, gemini, openai_chat, openai_responses
from airside.gateways.models.guarding.prompts.blocks import Say
from airside.gateways.models.guarding.rewriting import with_values
from airside.gateways.models.provider import Ask, on_route
from airside.guards.canary import Canaries
from airside.guards.finding import Place
from airside.guards.spotlight.marking import introduction, marked
from airside.guards.spotlight.marks import Mark, Marks

OFF_LOOP_BYTES: Final = 32_768
REMEMBERED_MAX: Final = 2_048
REMEMBERED_CHARS_MAX: Final = 8_192

_FORMATS: Final[Mapping[str, Callable[[ModelRequest, Say, str], Mapping[str, Any]]]] = {
    "openai_chat": openai_chat.marked,
    "openai_responses": openai_responses.marked,
    "anthropic": anthropic.marked,
    "gemini": gemini.marked,
}


class Spotlight:
    """Marks what goes to models. `settings_of` are the settings of an agent, by its name."""

    def __init__(self, settings_of: Callable[[str], SpotlightSettings], marks: Marks, canaries: Canaries) -> None:
        self._settings_of = settings_of
        self._marks = marks
        self._canaries = canaries
        self._known: Lru[tuple[Mark, Place, str], str] = Lru(REMEMBERED_MAX)

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass a model call on, marked."""
        ask = call.payload
        if not isinstance(ask, Ask) or call.ready is not None or ask.request.format.name not in _FORMATS:
            return await forward(call)
        settings = self._settings_of(call.who.agent)
        if settings.mode == "off" and not settings.canary:
            return await forward(call)
        mark = self._marks.of(call.who)
        said = introduction(mark, settings, self._canaries.of(call.who))

        def say(text: str, place: Place) -> str:
            return marked(text, place, mark, settings)

        def again(text: str, place: Place) -> str:
            known = self._known.get((mark, place, text)) or say(text, place)
            if len(known) <= REMEMBERED_CHARS_MAX:
                self._known.put((mark, place, text), known)
            return known

        if len(ask.request.body) > OFF_LOOP_BYTES:
            request = await asyncio.to_thread(_marked, ask.request, say, said)
        else:
            request = _marked(ask.request, again, said)
        return await forward(on_route(replace(call, payload=replace(ask, request=request)), ask.route))


def _marked(request: ModelRequest, say: Say, said: str) -> ModelRequest:
    return with_values(request, {(): _FORMATS[request.format.name](request, say, said)})
