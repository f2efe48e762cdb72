"""Which detectors the settings turn on."""

from collections.abc import Iterator

from airside.config.guards import GuardSettings
from airside.guards.detector import Detector
from airside.guards.finding import Guard, Mode
from airside.guards.injection import classifier, rules
from airside.guards.personal import detector as personal
from airside.guards.scanner import Scanner
from airside.guards.secrets import detector as secrets


def scanner_of(settings: GuardSettings) -> Scanner:
    """Return a scanner with every detector that is turned on; raises `misconfigured` if one needs what is missing."""
    return Scanner(detectors(settings), text_bytes_max=settings.text_bytes_max, verdicts_max=settings.verdicts_max)


def detectors(settings: GuardSettings) -> list[Detector]:
    """Return the detectors that look for something from which anything would follow."""
    return list(_detectors(settings)) if settings.enabled else []


def _detectors(settings: GuardSettings) -> Iterator[Detector]:
    if wanted(settings, Guard.SECRETS):
        yield secrets.detector()
    if wanted(settings, Guard.PERSONAL):
        yield from personal.detectors(settings.personal)
    if wanted(settings, Guard.INJECTION):
        yield rules.detector()
        yield classifier.detector()


def wanted(settings: GuardSettings, guard: Guard) -> bool:
    """Whether anything would follow from what a guard finds, for anyone, anywhere."""
    off = Mode.OFF.value
    by_rule = any(rule.mode != off for rule in settings.rules if not rule.guards or guard.value in rule.guards)
    return by_rule or settings.modes.get(guard.value, Mode.FLAG.value) != off
