"""The checks that a text of an answer passes: detectors, links, leaks, refusals, calls of tools, hooks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from airside.config.guards import GuardSettings
from airside.core.call import Call
from airside.core.errors import MEANINGS, AirsideError
from airside.core.run import Identity
from airside.gateways.models.formats.port import BrokenAnswer
from airside.gateways.models.guarding.answers.asked import Asked
from airside.gateways.models.guarding.answers.texts import Piece, decoded, parsed
from airside.gateways.models.guarding.items.item import Item
from airside.gateways.models.guarding.read import replaced_in, texts_of
from airside.gateways.models.message import Answer, Text, ToolCall, ToolResult
from airside.guards.canary import leaked
from airside.guards.defaults import wanted
from airside.guards.finding import Finding, Guard, Place
from airside.guards.leakage import TOLD_CHARS_MIN, similarity
from airside.guards.normalise.readings import Readings
from airside.guards.output import calls, exfiltration, refusals
from airside.guards.output.hooks import Hook, Question
from airside.guards.placeholders.reading import put_back_for_owner
from airside.guards.service import Guards
from airside.guards.verdict import Judged

WITHHELD: Final = "what the provider said is withheld by a guard"

_OF_OWNER: Final = frozenset({"text", "refusal"})
"""Texts in which the run's owner reads values, and not their placeholders."""

_DECLINING: Final = frozenset({"refusal", "content_filter", "SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII"})


class Said(Struct, frozen=True):
    """A text as it may leave, and what was found in it; `put_back`: with values in the place of placeholders."""

    text: str
    judged: tuple[Judged, ...] = ()
    put_back: bool = False


class Checks:
    """Checks texts of answers. `canary_of` returns the canary of a run, empty if it has none."""

    def __init__(
        self,
        guards: Guards,
        settings: GuardSettings,
        canary_of: Callable[[Identity], str],
        hooks: Sequence[Hook] = (),
    ) -> None:
        self.guards = guards
        self.settings = settings
        self._canary_of = canary_of
        self._hooks = hooks
        self._on = {guard: settings.enabled and wanted(settings, guard) for guard in Guard}

    async def said(self, who: Identity, asked: Asked, piece: Piece) -> Said:
        """Return a text of an answer as it may leave. Raises as `Guards.check`, and if placeholders cannot be read."""
        if piece.kind in {"arguments", "object"}:
            return await self._arguments(who, asked, piece)
        return await self.text(who, asked, piece.text, piece.kind)

    async def text(self, who: Identity, asked: Asked, text: str, kind: str) -> Said:
        """Return a text that is not spelled JSON as it may leave."""
        found = await self.guards.found(who, text, Place.ANSWER)
        more = self.more(who, asked, text, kind, found)
        checked = await self.guards.judged(who, text, (*found, *more), Place.ANSWER)
        if kind not in _OF_OWNER:
            return Said(checked.text, checked.judged)
        restored = await self.restored(who, checked.text)
        return Said(restored, checked.judged, restored != checked.text)

    async def _arguments(self, who: Identity, asked: Asked, piece: Piece) -> Said:
        """Check arguments text by text, names of fields too, so that they stay JSON.

        Placeholders stay: tools put them back.
        """
        value = parsed(piece.text)
        if value is None:
            return await self.text(who, asked, piece.text, "arguments")
        item = Item(0, (), Place.ANSWER, value)
        replaced: dict[tuple[Place, str], str] = {}
        judged: list[Judged] = []
        for place, text in texts_of(item):
            said = await self.text(who, asked, text, "arguments")
            judged += said.judged
            if said.text != text:
                replaced[place, text] = said.text
        changed = msgspec.json.encode(replaced_in(item, replaced)).decode() if replaced else piece.text
        return Said(changed, tuple(judged))

    async def told(self, who: Identity, message: str, body: bytes) -> tuple[str, bytes]:
        """Return what a provider says of its failure, as a message and as JSON, as it may leave; never raises."""
        try:
            return await self._told(who, message, body)
        except AirsideError:
            return WITHHELD, b"{}"

    async def retell(self, who: Identity, error: AirsideError) -> None:
        """Leave in an error, which may quote a provider, what may leave. What it says of cost and effect stays."""
        plain = {name: item for name, item in error.details.items() if isinstance(item, bool) or item is None}
        words = msgspec.json.encode({name: item for name, item in error.details.items() if name not in plain})
        message, body = await self.told(who, error.message, words)
        if error.advice != MEANINGS[error.code].advice:
            error.advice, _ = await self.told(who, error.advice, b"")
        if (message, body) != (error.message, words):
            error.message, error.details = message, {**(decoded(body) or {}), **plain}
            error.args = (f"{error.code}: {message}",)

    async def _told(self, who: Identity, message: str, body: bytes) -> tuple[str, bytes]:
        found = await self.guards.check(who, message, Place.ANSWER) if message else None
        value = decoded(body) if body else None
        if found is not None and found.blocked is not None:
            return WITHHELD, b"{}"
        text = found.text if found is not None else message
        if not value:
            return text, body if value == {} or not body else b"{}"
        item = Item(0, (), Place.ANSWER, value)
        replaced: dict[tuple[Place, str], str] = {}
        for place, said in texts_of(item):
            checked = await self.guards.check(who, said, place)
            if checked.blocked is not None:
                return text, b"{}"
            if checked.text != said:
                replaced[place, said] = checked.text
        return text, msgspec.json.encode(replaced_in(item, replaced)) if replaced else body

    async def restored(self, who: Identity, text: str) -> str:
        """Return a text with the run's values in place of placeholders, in JSON spelled as JSON spells them."""
        if "<" not in text:
            return text
        values = await self.values(who, text, as_json=text.lstrip()[:1] in {"{", "["})
        return put_back_for_owner(text, values, self.settings.links.hosts)

    async def values(self, who: Identity, text: str, *, as_json: bool) -> Mapping[str, str]:
        """Return the values of the placeholders in a text."""
        values = await self.guards.placeholders.values(who, text)
        return {name: json_inner(value.text) if as_json else value.text for name, value in values.items()}

    def more(
        self, who: Identity, asked: Asked, text: str, kind: str, found: Sequence[Finding], *, whole: bool = True
    ) -> list[Finding]:
        """Return what stands in a text beside what detectors find. Of a part of a text, only what may alter it."""
        more = self._leaks(who, asked, text, whole=whole) if self._on[Guard.LEAKAGE] else []
        if self._on[Guard.EXFILTRATION] and kind != "arguments":
            secret = [(one.start, one.end) for one in (*found, *more) if one.guard in _CARRIED]
            talk = exfiltration.Talk(self.settings.links.hosts, asked.named, asked.quoted)
            more += exfiltration.found(text, talk, secret)
        if whole and self._on[Guard.REFUSAL] and kind == "text":
            more += refusals.declined(text)
        elif whole and self._on[Guard.REFUSAL] and kind == "refusal":
            more.append(refusals.refused(text))
        return more

    def _leaks(self, who: Identity, asked: Asked, text: str, *, whole: bool) -> list[Finding]:
        """Return where the canary, or much of the system prompt, stands."""
        canary = self._canary_of(who)
        told = whole and len(text) >= TOLD_CHARS_MIN and asked.system
        if not canary and not told:
            return []
        readings = Readings(text)
        return [*leaked(canary, readings), *(similarity(asked.system, readings) if told else ())]

    async def whole(self, call: Call, asked: Asked, body: bytes, value: Mapping[str, Any]) -> list[Said]:
        """Return what is to be said of an answer besides its texts: how it ended, what it calls, what hooks find."""
        found: list[Finding] = []
        if self._on[Guard.REFUSAL] and _declining(value):
            found.append(refusals.refused(""))
        if self._on[Guard.TOOLS] and (b'"arguments"' in body or b"tool_use" in body or b"functionCall" in body):
            found += _calls(asked, body)
        found += await self._hooked(call, asked, body)
        judged = self.guards.judge(call.who, found, Place.ANSWER) if found else ()
        return [Said("", judged)] if judged else []

    async def _hooked(self, call: Call, asked: Asked, body: bytes) -> list[Finding]:
        due = [hook for hook in self._hooks if not hook.settings.agents or call.who.agent in hook.settings.agents]
        if not due or "aside" in call.notes:
            return []
        answer = read(asked, body)
        text = "".join(block.text for block in answer.blocks if isinstance(block, Text)) if answer else ""
        if not text:
            return []
        question = Question(call.who.agent, text, _context(asked))
        return [finding for hook in due if (finding := await hook.finding(question)) is not None]

    def holds(self, call: Call) -> bool:
        """Whether a check that needs the whole answer may block it."""
        altering = self.guards.altering(call.who, Place.ANSWER)
        return any(Guard(hook.settings.guard) in altering for hook in self._hooks) or Guard.TOOLS in altering


_CARRIED: Final = frozenset({Guard.SECRETS, Guard.PERSONAL, Guard.LEAKAGE})


def json_inner(text: str) -> str:
    """Return a text as it is spelled inside a JSON string."""
    return msgspec.json.encode(text)[1:-1].decode()


def read(asked: Asked, body: bytes) -> Answer | None:
    """Return an answer in the message model; None if it cannot be held."""
    try:
        return asked.request.format.answer(body)
    except BrokenAnswer:
        return None


def _calls(asked: Asked, body: bytes) -> list[Finding]:
    answer, offered = read(asked, body), asked.offered
    if answer is None or offered is None:
        return []
    called = [calls.Called(block.name, block.arguments) for block in answer.blocks if isinstance(block, ToolCall)]
    return [finding for call in called for finding in calls.findings(call, offered)]


def _declining(value: Mapping[str, Any]) -> bool:
    """Whether an answer ends, in the terms of its format, because the model or its provider declines."""
    ends = [value.get("stop_reason"), (value.get("incomplete_details") or {}).get("reason")]
    for name, field in (("choices", "finish_reason"), ("candidates", "finishReason")):
        ends += [one.get(field) for one in value.get(name) or () if isinstance(one, dict)]
    return any(end in _DECLINING for end in ends if isinstance(end, str))


def _context(asked: Asked) -> list[str]:
    """Return what an answer is said to rest on: the user's words and the tools' results."""
    texts: list[str] = []
    for message in asked.prompt.messages if asked.prompt is not None else ():
        for block in message.blocks:
            if isinstance(block, ToolResult):
                texts += [part.text for part in block.content if isinstance(part, Text)]
            elif isinstance(block, Text) and message.role == "user":
                texts.append(block.text)
    return texts
