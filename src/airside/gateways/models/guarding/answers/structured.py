"""Whether the whole answer is what was asked for: its structure, with repairs, and the rules of the business."""

from collections.abc import Sequence

from msgspec import Struct

from airside.core.call import Call
from airside.gateways.models.guarding.answers.asked import Asked, Wanted
from airside.gateways.models.guarding.answers.checks import Checks, Said, read
from airside.gateways.models.guarding.answers.repair import Repair
from airside.gateways.models.guarding.answers.texts import Piece
from airside.gateways.models.message import ToolCall
from airside.guards.defaults import wanted as looked_for
from airside.guards.finding import Finding, Guard, Mode, Place
from airside.guards.output import rules
from airside.guards.output.structure import problems, taken_out
from airside.guards.verdict import Judged


class Fixed(Struct, frozen=True):
    """The texts of an answer after repairs, and what was found."""

    texts: list[str]
    said: list[Said]


class Structured:
    """Checks answers as a whole."""

    def __init__(self, checks: Checks, repair: Repair) -> None:
        self._checks = checks
        self._repair = repair
        settings = checks.settings
        self._schemas = settings.schemas
        self._rules = settings.checks if settings.enabled else []
        self._looks = settings.enabled and looked_for(settings, Guard.SCHEMA)

    def holds(self, call: Call, asked: Asked) -> bool:
        """Whether nothing of a stream may leave before the whole answer has been checked: where that may block it."""
        agent = call.who.agent
        if any(rule.mode == "block" and (not rule.agents or agent in rule.agents) for rule in self._rules):
            return True
        altering = self._checks.guards.altering(call.who, Place.ANSWER)
        if Guard.SCHEMA in altering and asked.wanted(self._schemas.get(agent)) is not None:
            return True
        return self._checks.holds(call)

    async def checked(
        self,
        call: Call,
        asked: Asked,
        body: bytes,
        found: Sequence[Piece],
        texts: list[str],
        *,
        repairable: bool,
    ) -> Fixed:
        """Return the answer's texts, repaired if that is needed and they have not left yet, and what was found."""
        wanted = asked.wanted(self._schemas.get(call.who.agent)) if self._looks else None
        if wanted is None and not self._rules:
            return Fixed(texts, [])
        places = [at for at, piece in enumerate(found) if piece.kind == "text"]
        if not places or not _whole(asked, body):
            return Fixed(texts, [])
        said: list[Said] = []
        text = "".join([texts[at] for at in places])
        if wanted is not None and (errors := problems(text, wanted.schema)):
            fixed, said = await self._fixed(call, asked, wanted, text, errors, repairable=repairable)
            if fixed is not None:
                text = fixed
                texts = [(text if at == places[0] else "") if at in places else one for at, one in enumerate(texts)]
        broken = rules.broken(self._rules, call.who.agent, text)
        if broken:
            judged = [self._judged(call, Mode(check.mode), one) for check, one in broken if check.mode != "off"]
            said.append(Said("", tuple(judged)))
        return Fixed(texts, said)

    async def _fixed(
        self, call: Call, asked: Asked, wanted: Wanted, text: str, errors: list[str], *, repairable: bool
    ) -> tuple[str | None, list[Said]]:
        """Return a text that fits, and what was found on the way to it; None if there is none."""
        inner = taken_out(text) if repairable else None
        if inner is not None and not problems(inner, wanted.schema):
            return inner, [self._told("taken_out", Mode.OBSERVE)]
        judged: list[Said] = []
        for _ in range(self._repair.tries if repairable else 0):
            again = await self._repair.again(call, asked, wanted, text, errors)
            if again is None:
                break
            checked = await self._checks.text(call.who, asked, taken_out(again) or again, "text")
            judged.append(checked)
            text, errors = checked.text, problems(checked.text, wanted.schema)
            if not errors:
                return text, [*judged, self._told("repaired", Mode.OBSERVE)]
        return None, [self._misfit(call, len(text))]

    def _misfit(self, call: Call, chars: int) -> Said:
        finding = Finding(guard=Guard.SCHEMA, rule="does_not_fit", kind="does_not_fit", start=0, end=chars)
        return Said("", self._checks.guards.judge(call.who, [finding], Place.ANSWER))

    @staticmethod
    def _told(rule: str, mode: Mode) -> Said:
        return Said("", (Judged(Finding(guard=Guard.SCHEMA, rule=rule, kind=rule, start=0, end=0), mode),))

    def _judged(self, call: Call, mode: Mode, finding: Finding) -> Judged:
        return self._checks.guards.settled(call.who, finding, mode, Place.ANSWER)


def _whole(asked: Asked, body: bytes) -> bool:
    """Whether an answer came to its end and is not a step on the way to one."""
    answer = read(asked, body)
    return (
        answer is not None
        and answer.stop in {"end", "stop_sequence"}
        and not any(isinstance(block, ToolCall) for block in answer.blocks)
    )
