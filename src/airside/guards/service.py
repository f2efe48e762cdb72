"""The guards of one installation, as the gateways' steps use them: a text goes in, and comes back as it may go on."""

import asyncio
from asyncio import CancelledError
from collections.abc import Callable, Container, Mapping, Sequence
from itertools import repeat
from typing import Any, Final

import structlog
from msgspec import Struct
from msgspec.structs import replace

from airside.config.guards import GuardSettings
from airside.core.errors import AirsideError, Code
from airside.core.ports import Notices
from airside.core.run import Identity
from airside.guards.finding import FOREIGN, Finding, Guard, Mode, Place
from airside.guards.judge import NO_JUDGES, Judges, Unheard
from airside.guards.placeholders.spelling import put_back
from airside.guards.ports import Placeholders, Risks, Value
from airside.guards.scanner import Scanner
from airside.guards.verdict import Judged, Modes, Where, label, rewritten

FAILED: Final = "guard.failed"
FOUND: Final = "guard.found"
NOTES_MAX: Final = 100
_MANY: Final = 100  # findings in a text, after which other calls have their turn
_NOTED: Final = frozenset({Mode.FLAG, Mode.TOKENISE, Mode.REDACT, Mode.BLOCK})
_log = structlog.get_logger(__name__)


class Checked(Struct, frozen=True):
    """A text as it may go on, and what was found in it as it came."""

    text: str
    judged: tuple[Judged, ...] = ()

    @property
    def blocked(self) -> Judged | None:
        """The finding for which the call must be refused, if there is one."""
        return blocking(self.judged)


class Guards:
    """Scans, judges, rewrites, and tells whoever must know. `placeholders` and `risks` are what it does so with.

    `judges` are opinions of models and other machines. They are set once the pipeline stands that their calls pass.
    """

    judges: Judges = NO_JUDGES

    def __init__(
        self,
        settings: GuardSettings,
        scanner: Scanner,
        placeholders: Placeholders,
        risks: Risks,
        notices: Notices,
        stage_of: Callable[[str], str],
    ) -> None:
        self.placeholders = placeholders
        self.risks = risks
        self._settings = settings
        self._scanner = scanner
        self._modes = Modes(settings)
        self._notices = notices
        self._stage_of = stage_of

    async def check(self, who: Identity, text: str, place: Place) -> Checked:
        """Return a text as it may go on; raises `guard_blocked` if a guard fails, unless it is only to flag.

        A finding of mode `block` is the caller's to raise (`refusal`): it knows what of the call stays.
        """
        return await self.judged(who, text, await self.found(who, text, place), place)

    async def found(self, who: Identity, text: str, place: Place) -> Sequence[Finding]:
        """Return what stands in a text; raises `guard_blocked` if a guard fails, unless it is only to flag.

        There is no time limit: detectors are linear, the text's length is bounded, and nothing else can end a thread.
        """
        try:
            findings = await self._scanner.scan(text, place)
            return (*findings, *await self.judges.found(who, text, place)) if place in FOREIGN else findings
        except Unheard as error:
            return self._failed(who, place, error)
        except (AirsideError, CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a guard fails of, a panic in Rust too, nothing passes
            return self._failed(who, place, error)

    def judge_now(self, who: Identity, text: str, place: Place) -> tuple[Judged, ...]:
        """Return what is found in a text of nobody's run, with what follows; see `found`. For what is seldom asked."""
        try:
            findings: Sequence[Finding] = self._scanner.scan_now(text, place)
        except (CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - as in `found`
            findings = self._failed(who, place, error)
        return self.judge(who, findings, place)

    def redacted(self, text: str, judged: Sequence[Judged]) -> str:
        """Return a text of nobody's run as it may go on: there are no placeholders, so that values are redacted."""
        return rewritten(text, judged, label)

    async def judged(self, who: Identity, text: str, findings: Sequence[Finding], place: Place) -> Checked:
        """Return what follows from findings, those of a scan or of a check that needs more than the text."""
        judged = self.judge(who, findings, place)
        return await self.rewrite(who, text, judged) if judged else Checked(text)

    def judge(self, who: Identity, findings: Sequence[Finding], place: Place) -> tuple[Judged, ...]:
        """Return the findings that count, with what follows from each; the run's risk rises and operators are told."""
        if not findings:
            return ()
        judged = self._modes.judge(findings, Where(who.agent, self.stage(who), place))
        self._tell(who, place, judged)
        return judged

    def settled(self, who: Identity, finding: Finding, mode: Mode, place: Place) -> Judged:
        """Return a finding with what follows from it by its own setting; who must know is told."""
        judged = Judged(finding, mode)
        self._tell(who, place, (judged,))
        return judged

    async def rewrite(self, who: Identity, text: str, judged: Sequence[Judged]) -> Checked:
        """Return a text with what is tokenised or redacted replaced; see `rewrite_all`."""
        return (await self.rewrite_all(who, [(text, judged)]))[0]

    async def rewrite_all(self, who: Identity, texts: Sequence[tuple[str, Sequence[Judged]]]) -> list[Checked]:
        """Return texts with what is tokenised or redacted replaced; what gets no placeholder is redacted, and says so.

        Raises `journal_unavailable` if placeholders cannot be made durable, unless guards that fail are only to flag:
        then those values are redacted.
        """
        values = [_value(one.finding, text) for text, judged in texts for one in judged if one.mode is Mode.TOKENISE]
        names = await self._named(who, values) if values else {}
        checked = []
        for text, judged in texts:
            checked.append(_rewritten(text, judged, names))
            if len(judged) > _MANY:
                await asyncio.sleep(0)
        return checked

    def altering(self, who: Identity, place: Place) -> frozenset[Guard]:
        """Return the guards whose findings may change a text of this run, or block it."""
        return self._modes.altering(self._where(who, place))

    def at_once(
        self, who: Identity, text: str, place: Place, only: Container[Guard], more: Sequence[Finding] = ()
    ) -> tuple[Judged, ...]:
        """Return what `only` these guards, and those that found `more`, say of a part of a text that is on its way.

        Nobody is told: the whole text will be checked, too. Raises as `found`.
        """
        try:
            findings = (*self._scanner.scan_now(text, place, only), *more)
        except (CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - as `found`
            findings = self._failed(who, place, error)
        return self._modes.judge(findings, self._where(who, place)) if findings else ()

    def _where(self, who: Identity, place: Place) -> Where:
        return Where(who.agent, self.stage(who), place)

    def stage(self, who: Identity) -> str:
        """Return the stage that the run's agent is in now: modes are by agent and stage."""
        return self._stage_of(who.agent)

    async def restored(self, who: Identity, text: str) -> str:
        """Return a text with the values of this run's placeholders, for whoever they belong to."""
        if "<" not in text:
            return text
        values = await self.placeholders.values(who, text)
        return put_back(text, {name: value.text for name, value in values.items()})

    async def _named(self, who: Identity, values: Sequence[Value]) -> Mapping[Value, str]:
        try:
            return await self.placeholders.names(who, values)
        except AirsideError as error:
            self._tell_failed(who, "placeholders", error.code.value)
            if self._settings.on_failure == "flag":
                return {}
            raise

    def _failed(self, who: Identity, place: Place, error: BaseException) -> tuple[Finding, ...]:
        """Tell operators that a guard has failed, and close the call unless it is only to flag."""
        self._tell_failed(who, place.value, type(error).__name__)
        if self._settings.on_failure == "flag":
            return ()
        raise AirsideError(
            Code.GUARD_BLOCKED,
            f"a guard failed on a text of the {place.value} ({type(error).__name__}): nothing is let through unchecked",
            details={"not_sent": True, "unbilled": True},
        ) from None

    def _tell_failed(self, who: Identity, place: str, error: str) -> None:
        _log.error("guard_failed", place=place, error=error)
        self._notices.tell(who.tenant_id, FAILED, {"key": place, "place": place, "error": error, "run": who.run_id})

    def _tell(self, who: Identity, place: Place, judged: Sequence[Judged]) -> None:
        """Raise the run's risk and tell operators of what is more than observed."""
        for one in judged:
            if one.mode in _NOTED:
                self.risks.rose(who, place, one.finding)
                told = {"guard": one.finding.guard.value, "rule": one.finding.rule, "mode": one.mode.value}
                self._notices.tell(
                    who.tenant_id,
                    FOUND,
                    {**told, "key": f"{who.agent}/{one.finding.rule}", "place": place.value, "agent": who.agent},
                )


def blocking(judged: Sequence[Judged]) -> Judged | None:
    """Return the finding for which a call must be refused, if there is one."""
    return next((one for one in judged if one.mode is Mode.BLOCK), None)


def _value(finding: Finding, text: str) -> Value:
    return Value(finding.kind, text[finding.start : finding.end])


def _rewritten(text: str, judged: Sequence[Judged], names: Mapping[Value, str]) -> Checked:
    def replacement(finding: Finding, mode: Mode, found: str) -> str:
        name = names.get(_value(finding, text)) if mode is Mode.TOKENISE else None
        return name or label(finding, mode, found)

    said = tuple([_without_name(one, text, names) for one in judged])
    return Checked(rewritten(text, judged, replacement), said)


def _without_name(one: Judged, text: str, names: Mapping[Value, str]) -> Judged:
    """Return a finding as it was followed: a value that got no placeholder was redacted."""
    if one.mode is not Mode.TOKENISE or _value(one.finding, text) in names:
        return one
    return replace(one, mode=Mode.REDACT)


def note(judged: Sequence[Judged], place: Place, part: int | Sequence[int] = 0) -> list[Mapping[str, Any]]:
    """Return findings as they stand in a call's notes: rule, span and what was done, never the text.

    `part` says in which part of the call a finding stands, of all or of each. Of more than NOTES_MAX the rest is
    counted, the entries of the journal being small.
    """
    parts = repeat(part) if isinstance(part, int) else part
    noted: list[Mapping[str, Any]] = [
        {
            "guard": one.finding.guard.value,
            "rule": one.finding.rule,
            "place": place.value,
            "part": number,
            "span": [one.finding.start, one.finding.end],
            "score": round(one.finding.score, 3),
            "mode": one.mode.value,
            **({"via": list(one.finding.via)} if one.finding.via else {}),
        }
        for one, number in zip(judged[:NOTES_MAX], parts, strict=False)
    ]
    return noted + [{"more": len(judged) - NOTES_MAX}] * (len(judged) > NOTES_MAX)


def refusal(one: Judged, place: Place, *, sent: bool = False) -> AirsideError:
    """Return the error of a call that a finding blocks; `sent` where it was made, and what it brought is withheld."""
    what = f"the {one.finding.guard.value} guard blocked a text of the {place.value} (rule {one.finding.rule})"
    unsent = {} if sent else {"not_sent": True, "unbilled": True}
    return AirsideError(
        Code.GUARD_BLOCKED,
        f"the call was made, but {what}" if sent else what,
        details={**unsent, "guards": note([one], place)},
    )
