"""What tests of guards share: a detector of words that tests plant, and guards around it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from airside.config.guards import GuardSettings
from airside.core.ports import Database, Keyring
from airside.guards.detector import Detector
from airside.guards.finding import Finding, Guard, Place
from airside.guards.normalise.readings import Readings
from airside.guards.placeholders.vault import Vault
from airside.guards.risk.runs import RunRisks
from airside.guards.scanner import Scanner
from airside.guards.service import Guards

PLANTED: Final[Mapping[Guard, tuple[str, str, str]]] = {
    Guard.SECRETS: ("planted_key", "SECRET", r"sk-planted-[a-z0-9]+"),
    Guard.PERSONAL: ("planted_email", "EMAIL", r"[a-z.]+@[a-z]+\.test"),
    Guard.INJECTION: ("planted_order", "planted_order", r"(?i)ignore all previous instructions"),
}


class Planted:
    """Finds what a guard of these tests looks for, wherever it stands."""

    places = frozenset(Place)

    def __init__(self, guard: Guard, score: float = 0.9) -> None:
        self.guard = guard
        self._rule, self._kind, expression = PLANTED[guard]
        self._expression = re.compile(expression)
        self._score = score

    def find(self, readings: Readings, place: Place) -> Sequence[Finding]:
        """Return where it stands."""
        return [
            Finding(
                guard=self.guard,
                rule=self._rule,
                kind=self._kind,
                start=match.start(),
                end=match.end(),
                score=self._score,
            )
            for match in self._expression.finditer(readings.raw.text)
        ]


class Raising:
    """A detector that fails, which none may."""

    guard = Guard.SECRETS
    places = frozenset(Place)

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def find(self, readings: Readings, place: Place) -> Sequence[Finding]:
        """Fail."""
        raise self._error


class Operators:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Mapping[str, Any]]] = []

    def tell(self, tenant_id: str, kind: str, body: Mapping[str, Any]) -> None:
        """Remember."""
        self.told.append((kind, body))

    def kinds(self) -> list[str]:
        """Return the kinds of what was told, in order."""
        return [kind for kind, _ in self.told]


def guards_of(
    database: Database,
    keyring: Keyring,
    *,
    detectors: Sequence[Detector] | None = None,
    notices: Operators | None = None,
    **settings: Any,
) -> Guards:
    """Return guards that look for what tests plant, with settings as they are written."""
    known = GuardSettings(**settings)
    found = [Planted(guard) for guard in PLANTED] if detectors is None else detectors
    return Guards(
        known,
        Scanner(found, text_bytes_max=known.text_bytes_max, verdicts_max=known.verdicts_max),
        Vault(database, keyring, values_max=known.placeholders_max),
        RunRisks(database),
        notices or Operators(),
        lambda agent: "general",
    )
