"""From findings to what follows: which mode each has here, and the text that goes on."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from airside.config.guards import GuardRule, GuardSettings
from airside.guards.finding import Finding, Guard, Mode, Place

_STRENGTH: Mapping[Mode, int] = {mode: strength for strength, mode in enumerate(Mode)}

_OF_EFFECTS: Mapping[Mode, Mode] = {Mode.TOKENISE: Mode.FLAG, Mode.REDACT: Mode.BLOCK}
"""What follows in arguments instead: they say what shall happen, and nothing else may happen in its place.

What must not go on stops the call; what only has to be kept from a model does not.
"""

_OF_LINKS = (
    GuardRule(guards=["exfiltration"], kinds=["LINK_WITH_DATA", "SCRIPT_LINK"], places=["answer"], mode="redact"),
    GuardRule(guards=["exfiltration"], kinds=["opaque_link"], mode="observe"),
)
"""What follows from links where the settings say nothing of them: those that carry data away do not leave."""

Replacement = Callable[[Finding, Mode, str], str]
"""Returns what stands in the place of the found characters."""


class Where(Struct, frozen=True):
    """Whose call it is and where in it a text stands."""

    agent: str
    stage: str
    place: Place


class Judged(Struct, frozen=True):
    """A finding with what follows from it."""

    finding: Finding
    mode: Mode


class Modes:
    """What follows from findings, by the settings."""

    def __init__(self, settings: GuardSettings) -> None:
        self._rules = (*settings.rules, *(_OF_LINKS if Guard.EXFILTRATION.value not in settings.modes else ()))
        self._own = {guard: _own(settings, guard) for guard in Guard}

    def judge(self, findings: Iterable[Finding], where: Where) -> tuple[Judged, ...]:
        """Return the findings that count here; those of mode `off` are left out. Arguments are never rewritten."""
        judged = [Judged(finding, self._mode(finding, where)) for finding in findings]
        if where.place is Place.ARGUMENTS:
            judged = [replace(one, mode=_OF_EFFECTS.get(one.mode, one.mode)) for one in judged]
        return tuple(one for one in judged if one.mode is not Mode.OFF)

    def altering(self, where: Where) -> frozenset[Guard]:
        """Return the guards whose findings may change, or hold back, a text that stands there."""
        altering = {guard for guard, mode in self._own.items() if _alters(mode)}
        for rule in self._rules:
            if _alters(Mode(rule.mode)) and _reaches(rule, where):
                altering.update([Guard(guard) for guard in rule.guards] or Guard)
        return frozenset(altering)

    def _mode(self, finding: Finding, where: Where) -> Mode:
        for rule in self._rules:
            if _fits(rule, finding, where):
                return Mode(rule.mode)
        return self._own[finding.guard]


def _own(settings: GuardSettings, guard: Guard) -> Mode:
    return Mode(settings.modes.get(guard.value, "flag"))


def _fits(rule: GuardRule, finding: Finding, where: Where) -> bool:
    return (
        (not rule.guards or finding.guard.value in rule.guards)
        and (not rule.kinds or finding.kind in rule.kinds or finding.rule in rule.kinds)
        and _reaches(rule, where)
        and finding.score >= rule.score_min
    )


def _reaches(rule: GuardRule, where: Where) -> bool:
    return (
        (not rule.agents or where.agent in rule.agents)
        and (not rule.stages or where.stage in rule.stages)
        and (not rule.places or where.place.value in rule.places)
    )


def _alters(mode: Mode) -> bool:
    return _STRENGTH[mode] >= _STRENGTH[Mode.TOKENISE]


def strongest(judged: Iterable[Judged]) -> Mode:
    """Return the hardest mode among them; `off` for none."""
    return max((one.mode for one in judged), key=_STRENGTH.__getitem__, default=Mode.OFF)


def rewritten(text: str, judged: Sequence[Judged], replacement: Replacement) -> str:
    """Return a text with what is tokenised or redacted replaced; overlapping findings together, by the hardest."""
    pieces: list[str] = []
    at = 0
    for one, start, end in _apart(judged):
        pieces += (text[at:start], replacement(one.finding, one.mode, text[start:end]))
        at = end
    return "".join(pieces) + text[at:] if pieces else text


def _apart(judged: Sequence[Judged]) -> list[tuple[Judged, int, int]]:
    """Return spans to replace that do not touch, in their order, each with the finding that decides."""
    replaced = [one for one in judged if _STRENGTH[one.mode] >= _STRENGTH[Mode.TOKENISE]]
    replaced.sort(key=lambda one: (one.finding.start, -one.finding.end))
    apart: list[tuple[Judged, int, int]] = []
    for one in replaced:
        start, end = one.finding.start, one.finding.end
        if apart and start < apart[-1][2]:
            before, begun, until = apart[-1]
            decides = one if _STRENGTH[one.mode] > _STRENGTH[before.mode] else before
            apart[-1] = (decides, begun, max(until, end))
        else:
            apart.append((one, start, end))
    return apart


def label(finding: Finding, _: Mode, __: str) -> str:
    """Return what stands for a redacted value: its kind."""
    return f"[{finding.kind}]"
