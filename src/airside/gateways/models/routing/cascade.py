"""Try the cheaper model, check its answer, escalate: both calls are calls of their own, reserved, paid and journaled.

The trial is an aside: its answer is read here and delivered only if it passes, so that a stream's client sees one
answer. An accepted one goes through the rest of the pipeline as a ready answer, and is replayed like any other. What
the check found is kept as an outcome, from which `airside routing fit` learns.
"""

from msgspec.structs import replace

from airside.config.routing import CascadeSettings
from airside.core.call import Call, Need, Outcome
from airside.core.clock import Clock
from airside.core.errors import AirsideError, Code
from airside.core.ports import Forward
from airside.gateways.models.asides import Asides
from airside.gateways.models.formats.port import BrokenAnswer
from airside.gateways.models.message import Answer, Prompt
from airside.gateways.models.provider import Ask
from airside.gateways.models.routing.choice import Choice
from airside.gateways.models.routing.marks import mark_of_answer
from airside.gateways.models.routing.seeing import last_words
from airside.gateways.models.routing.verdicts import Verdicts
from airside.gateways.models.routing.verify import ALIKE_MIN, agreement, objection, text_of

ROUTE_HEADER = b"x-airside-route"
_NOT_OURS = frozenset({Code.KILLED, Code.ATTEMPT_SUPERSEDED, Code.CANCELLED, Code.JOURNAL_UNAVAILABLE})
"""Failures of a trial that are about the run, not about the model."""


class Cascade:
    """Tries answers out."""

    def __init__(self, settings: CascadeSettings, asides: Asides, verdicts: Verdicts, clock: Clock) -> None:
        self._settings = settings
        self._asides = asides
        self._verdicts = verdicts
        self._clock = clock

    def above(self, choice: Choice) -> str | None:
        """Return the model that a choice is escalated to; None if there is nothing to try first."""
        if not self._settings.enabled or choice.source == "asked" or choice.model == choice.strongest:
            return None
        return choice.strongest

    async def __call__(self, call: Call, choice: Choice, better: Call, forward: Forward) -> Outcome:
        """Return the answer of the chosen model if it passes, else that of the better one.

        `call` is aimed at the chosen model, `better` at the one to escalate to.
        """
        began_s = self._clock.monotonic_s()
        allowed_s = self._settings.time_share * min(call.timeout_s, call.deadline_s - began_s)
        until_s = began_s + allowed_s
        try:  # with a deadline of its own: what runs out of a trial's time is no failure of the provider
            tried, why = await self._tried(replace(call, deadline_s=until_s), until_s)
        except AirsideError as error:
            if error.code in _NOT_OURS:
                raise
            tried, why = None, f"it failed ({error.code})"
        score = 1.0 if tried is not None and not why else 0.0
        if tried is not None:
            self._verdicts.say(call, choice.model, score, source="cascade")
        note = {"tried": choice.model, "accepted": not why, "objection": why[:200]}
        if tried is None or why:
            note["escalated_to"] = choice.strongest
            return await forward(replace(better, notes=_with(better, note)))
        _tell(call, choice.model)
        ready = Outcome(state=tried.state, body=tried.body, upstream=tried.upstream, price=tried.price)
        return await forward(replace(call, ready=ready, need=Need(), notes=_with(call, note)))

    async def _tried(self, call: Call, until_s: float) -> tuple[Outcome, str]:
        ask: Ask = call.payload
        outcome = await self._try(call, "trial", until_s)
        answer = ask.request.format.answer
        prompt = ask.request.prompt
        try:
            said = answer(outcome.body)
        except BrokenAnswer:
            return outcome, "it is no answer"
        why = objection(said, prompt, chars_min=self._settings.answer_chars_min)
        if not why and self._settings.agreement:
            why = await self._second_opinion(call, said, until_s)
        if not why and self._settings.judge:
            why = await self._judged(call, said, prompt, until_s)
        return outcome, why

    async def _try(self, call: Call, purpose: str, until_s: float) -> Outcome:
        left_s = until_s - self._clock.monotonic_s()
        if left_s <= 0.0:
            raise AirsideError(Code.UPSTREAM_TIMEOUT, "no time is left to try the cheaper model")
        ask: Ask = call.payload
        return await self._asides.send(call, ask.request, model=call.name, purpose=purpose, timeout_s=left_s)

    async def _second_opinion(self, call: Call, said: Answer, until_s: float) -> str:
        ask: Ask = call.payload
        again = ask.request.format.answer((await self._try(call, "trial again", until_s)).body)
        return "" if agreement(said, again) >= ALIKE_MIN else "asked again, it says something else"

    async def _judged(self, call: Call, said: Answer, prompt: Prompt, until_s: float) -> str:
        left_s = until_s - self._clock.monotonic_s()
        if left_s <= 0.0:
            return "no time is left to judge it"
        request, text = last_words(prompt), text_of(said)
        if not text and prompt.tools:
            return ""  # a call of a tool: its schema is all that can be checked
        mark = await mark_of_answer(self._asides, call, request, text, model=self._settings.judge, timeout_s=left_s)
        return "" if mark >= self._settings.judge_min else f"the judge gave it {mark:.2f}"


def _tell(call: Call, model: str) -> None:
    """Say in the answer's headers which model gave it: the better one had been named there, in case it would."""
    told = call.payload.told
    told[:] = [(name, model.encode("latin-1", "replace") if name == ROUTE_HEADER else value) for name, value in told]


def _with(call: Call, note: object) -> dict[str, object]:
    return {**call.notes, "cascade": note}
