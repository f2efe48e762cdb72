"""The context step: tells when a conversation nears the model's window, and shortens one that would not fit.

What the client sent stays what is hashed, stored and replayed; only what goes upstream is shorter, and the call's notes
say what was done. A request far below the window passes at the cost of one comparison.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from airside.config.context import ContextSettings
from airside.core.call import Call, Outcome
from airside.core.ports import Forward, Notices
from airside.gateways.models.context.leaving import Leaving
from airside.gateways.models.context.plan import Plan, Room, plan
from airside.gateways.models.context.tokens import Corrections, guess, guess_message
from airside.gateways.models.context.turns import apart
from airside.gateways.models.message import Edit, Prompt
from airside.gateways.models.provider import Ask, on_route

RECALL = "recall"
HANDLE_CHARS = 16
NOTE_SHARE = 0.2  # of the window: for the text in the place of what left
OVERFLOW_AT = 0.95  # of the window: the rest is for what the guess of its tokens is off
SettingsOf = Callable[[str], ContextSettings]
"""The settings of an agent, by its name."""


class Context:
    """Keeps model calls within the context window."""

    def __init__(self, settings_of: SettingsOf, leaving: Leaving, notices: Notices) -> None:
        self._settings_of = settings_of
        self._leaving = leaving
        self._notices = notices
        self._corrections = Corrections()

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on, shortened if it would not fit."""
        ask = call.payload
        if not isinstance(ask, Ask) or call.ready is not None:
            return await forward(call)
        settings, window = self._settings_of(call.who.agent), ask.route.context_tokens
        near = ask.request.input_tokens_bound + call.need.output_tokens >= window * settings.warn_at
        if settings.mode == "off" or not window or not near:
            return await forward(call)
        prompt = ask.request.prompt
        guessed = _guessed(prompt)
        correction = self._corrections.of(ask.route.model)
        used = (guessed * correction + call.need.output_tokens) / window
        if used >= settings.warn_at:
            call = self._warned(call, used, window)
        high = {"early": settings.trim_at, "overflow": OVERFLOW_AT}.get(settings.mode)
        if high is None or used <= high:
            return self._learnt(ask, guessed, await forward(call))
        beside = (guessed - sum(map(guess_message, prompt.messages))) + call.need.output_tokens / correction
        full = window / correction
        room = Room(full * high - beside, full * settings.trim_to - beside, full * NOTE_SHARE)
        return await forward(await self._shortened(call, prompt, room, settings))

    def _learnt(self, ask: Ask, guessed: float, outcome: Outcome) -> Outcome:
        """Take in what the provider counted, where the request went as it came."""
        usage = outcome.usage
        if outcome.metered and not outcome.replayed:
            reported = usage.read
            self._corrections.learn(ask.route.model, guessed=guessed, reported=reported)
        return outcome

    def _warned(self, call: Call, used: float, window: int) -> Call:
        """Note, and tell operators, how full the window is."""
        ask: Ask = call.payload
        percent = round(used * 100)
        said = {"used_percent": percent, "window_tokens": window, "model": ask.route.model}
        self._notices.tell(
            call.who.tenant_id,
            "context.nearly_full",
            {**said, "key": call.who.run_id, "run": call.who.run_id, "agent": call.who.agent},
        )
        ask.told.append((b"x-airside-context", b"%d%%" % percent))
        return _noted(call, said)

    async def _shortened(self, call: Call, prompt: Prompt, room: Room, settings: ContextSettings) -> Call:
        ask: Ask = call.payload
        conversation = apart(prompt.messages)
        recallable = any(tool.name.endswith(RECALL) for tool in prompt.tools)
        made = plan(conversation, _handles(call, prompt), room, settings, recallable=recallable)
        if not made.changes:
            return _noted(call, {"too_large": True})
        summary = ""
        if made.leaving:
            newest = next((message.text for message in reversed(prompt.messages) if message.text), "")
            summary = await self._leaving.text(call, made.leaving, newest, settings, tokens=room.note)
        request = ask.request.format.edited(ask.request, _edit(made, summary))
        call = replace(call, payload=replace(ask, request=request))
        messages = sum(len(turn.messages) for turn in made.leaving)
        return _noted(on_route(call, ask.route), {"left_out": messages, "shortened_results": len(made.results)})


def _edit(made: Plan, summary: str) -> Edit:
    drop = frozenset(message.at for turn in made.leaving for message in turn.messages)
    return Edit(drop=drop, results=made.results, summary=summary)


def _handles(call: Call, prompt: Prompt) -> Mapping[int, str]:
    """Return what names each wire message in the journal, where the client's pieces are its messages in their order."""
    return {
        message.at: call.part_ids[message.at].hex()[:HANDLE_CHARS]
        for message in prompt.messages
        if 0 <= message.at < len(call.part_ids)
    }


def _guessed(prompt: Prompt) -> float:
    tools = sum(guess(tool.name) + guess(tool.description) + guess(str(tool.schema)) for tool in prompt.tools)
    return tools + sum(map(guess_message, prompt.messages))


def _noted(call: Call, said: Mapping[str, Any]) -> Call:
    return replace(call, notes={**call.notes, "context": {**call.notes.get("context", {}), **said}})
