"""The guards of one installation, as the gateways' steps use them: a text goes in, and comes back as it may go on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from msgspec import Struct

from airside.config.guards import GuardSettings
from airside.core.errors import AirsideError, Code
from airside.core.ports import Notices
from airside.core.run import Identity
from airside.guards.finding import Finding, Mode, Place
from airside.guards.ports import Placeholders, Risks, Value
from airside.guards.scanner import Scanner
from airside.guards.verdict import Judged, Modes, Where, label, rewritten

FAILED: Final = "guard.failed"
FOUND: Final = "guard.found"
_NOTED: Final = frozenset({Mode.FLAG, Mode.TOKENISE, Mode.REDACT, Mode.BLOCK})
_log = structlog.get_logger(__name__)


class Checked(Struct, frozen=True):
    """A text as it may go on, and what was found in it as it came."""

    text: str
    judged: tuple[Judged, ...] = ()

    @property
    def blocked(self) -> Judged | None:
        """The finding for which the call must be refused, if there is one."""
        return next((one for one in self.judged if one.mode is Mode.BLOCK), None)


class Guards:
    """Scans, judges, rewrites, and tells whoever must know."""

    def __init__(
        self,
        settings: GuardSettings,
        scanner: Scanner,
        placeholders: Placeholders,
        risks: Risks,
        notices: Notices,
        stage_of: Callable[[str], str],
    ) -> None:
        self._settings = settings
        self._scanner = scanner
        self._modes = Modes(settings)
        self._placeholders = placeholders
        self._risks = risks
        self._notices = notices
        self._stage_of = stage_of

    async def check(self, who: Identity, text: str, place: Place) -> Checked:
        """Return a text as it may go on; raises `guard_blocked` if a guard fails, unless it is only to flag.

        A finding of mode `block` is the caller's to raise (`refusal`): it knows what of the call stays.
        """
        try:
            findings = await self._scanner.scan(text, place)
        except AirsideError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a guard fails of, nothing passes unchecked
            findings = self._failed(who, place, error)
        return await self.judged(who, text, findings, place)

    async def judged(self, who: Identity, text: str, findings: Sequence[Finding], place: Place) -> Checked:
        """Return what follows from findings, those of a scan or of a check that needs more than the text."""
        judged = self._modes.judge(findings, Where(who.agent, self._stage_of(who.agent), place))
        if not judged:
            return Checked(text)
        self._tell(who, place, judged)
        values = {_value(one.finding, text) for one in judged if one.mode is Mode.TOKENISE}
        names = await self._placeholders.names(who, sorted(values)) if values else {}

        def replacement(finding: Finding, mode: Mode, found: str) -> str:
            name = names.get(_value(finding, text)) if mode is Mode.TOKENISE else None
            return name or label(finding, mode, found)

        return Checked(rewritten(text, judged, replacement), judged)

    def _failed(self, who: Identity, place: Place, error: Exception) -> tuple[Finding, ...]:
        """Tell operators that a guard has failed, and close the call unless it is only to flag."""
        _log.error("guard_failed", place=place.value, error=type(error).__name__)
        self._notices.tell(who.tenant_id, FAILED, {"key": place.value, "place": place.value, "run": who.run_id})
        if self._settings.on_failure == "flag":
            return ()
        raise AirsideError(
            Code.GUARD_BLOCKED,
            f"a guard failed on a text of the {place.value} ({type(error).__name__}): nothing is let through unchecked",
            details={"not_sent": True, "unbilled": True},
        ) from None

    def _tell(self, who: Identity, place: Place, judged: Sequence[Judged]) -> None:
        """Raise the run's risk and tell operators of what is more than observed."""
        for one in judged:
            if one.mode in _NOTED:
                self._risks.rose(who, place, one.finding)
                told = {"guard": one.finding.guard.value, "rule": one.finding.rule, "mode": one.mode.value}
                self._notices.tell(
                    who.tenant_id,
                    FOUND,
                    {**told, "key": f"{who.agent}/{one.finding.rule}", "place": place.value, "agent": who.agent},
                )


def _value(finding: Finding, text: str) -> Value:
    return Value(finding.kind, text[finding.start : finding.end])


def note(judged: Sequence[Judged], place: Place, part: int = 0) -> list[Mapping[str, Any]]:
    """Return findings as they stand in a call's notes: rule, span and what was done, never the text."""
    return [
        {
            "guard": one.finding.guard.value,
            "rule": one.finding.rule,
            "place": place.value,
            "part": part,
            "span": [one.finding.start, one.finding.end],
            "score": round(one.finding.score, 3),
            "mode": one.mode.value,
            **({"via": list(one.finding.via)} if one.finding.via else {}),
        }
        for one in judged
    ]


def refusal(one: Judged, place: Place) -> AirsideError:
    """Return the error of a call that a finding blocks."""
    return AirsideError(
        Code.GUARD_BLOCKED,
        f"the {one.finding.guard.value} guard blocked a text of the {place.value} (rule {one.finding.rule})",
        details={"not_sent": True, "unbilled": True, "guards": note([one], place)},
    )
