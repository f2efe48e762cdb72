"""The detector of personal data: every kind that is looked for, over the text as it came, folded and decoded."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from airside.config.personal import PersonalSettings
from airside.guards.detector import Detector
from airside.guards.finding import Finding, Guard, Place
from airside.guards.normalise.readings import Reading, Readings
from airside.guards.personal import (
    addresses,
    banking,
    births,
    cards,
    codes,
    email,
    identity_europe,
    identity_world,
    introductions,
    networks,
    records,
)
from airside.guards.personal.context import listed
from airside.guards.personal.names import Names
from airside.guards.personal.phones import Phones
from airside.guards.personal.plain import Plain
from airside.guards.personal.shapes import ShapeSet
from airside.guards.personal.spotted import Spotted, standing

Find = Callable[[Plain], Iterator[Spotted]]

_ID_WORDS: Final = listed(
    "national id|id number|identity number|identity card|id card|identification number|id no|personalausweis",
    "ausweisnummer|carte d'identité|carte nationale|documento de identidad|documento de identidade",
    "carta d'identità|identiteitskaart|dowód osobisty|удостоверение личности|身份证|신분증|身分証|رقم الهوية|kimlik",
    "national identification|personal id|citizen id",
)


class Personal:
    """Finds personal data of structured kinds, without any model."""

    guard = Guard.PERSONAL
    places = frozenset(Place)

    def __init__(self, settings: PersonalSettings) -> None:
        self._ignored = frozenset(settings.ignore)
        self._finds = tuple(_finds(settings))

    def find(self, readings: Readings, place: Place) -> Sequence[Finding]:
        """Return the personal data in a text."""
        if place not in self.places:
            return ()
        found = self._in(readings.raw)
        for reading in readings.texts[1:]:
            found = _widest(found, self._in(reading))
        return found

    def _in(self, reading: Reading) -> list[Finding]:
        plain = Plain(reading.text)
        spotted = [one for find in self._finds for one in find(plain) if one.kind not in self._ignored]
        return [_finding(one, reading) for one in standing(spotted)]


def detector(settings: PersonalSettings) -> Personal:
    """Return the detector of structured personal data."""
    return Personal(settings)


def detectors(settings: PersonalSettings) -> Iterator[Detector]:
    """Yield what finds personal data; raises `misconfigured` if names are wanted and the extra `pii` is missing."""
    yield detector(settings)
    if settings.names:
        yield Names(settings)


def _finds(settings: PersonalSettings) -> Iterator[Find]:
    yield email.find
    yield banking.find
    for family, shapes, common in _SETS:
        yield ShapeSet(shapes, family=family[0], kind=family[1], common=common).find
    yield records.find
    yield Phones(settings.phone_regions).find
    yield births.find
    yield addresses.find
    yield introductions.find
    yield networks.find_ip
    yield networks.find_mac
    yield codes.find_wallets
    yield codes.find_vehicles


_SETS: Final = (
    (("card", "CARD"), cards.SHAPES, ()),
    (("identity", "NATIONAL_ID"), (*identity_europe.SHAPES, *identity_world.SHAPES), _ID_WORDS),
)


def _finding(spotted: Spotted, reading: Reading) -> Finding:
    start, end = reading.span(spotted.start, spotted.end)
    return Finding(
        guard=Guard.PERSONAL,
        rule=spotted.rule,
        kind=spotted.kind,
        start=start,
        end=end,
        score=spotted.score,
        via=reading.via,
    )


def _widest(known: list[Finding], more: list[Finding]) -> list[Finding]:
    """Return what is known and more of it, where two of one kind overlap the one that covers more."""
    kept = list(known)
    for one in more:
        over = [other for other in kept if other.kind == one.kind and other.start < one.end and one.start < other.end]
        if all(other.end - other.start < one.end - one.start for other in over):
            kept = [other for other in kept if other not in over]
            kept.append(one)
    return kept
