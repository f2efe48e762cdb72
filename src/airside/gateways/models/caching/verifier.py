"""Whether an answer to one question may serve another: every difference that could change the answer is a veto.

Similar vectors are not enough: "flights from Paris to Rome" and back have a cosine of 0.999. Two questions pass when
they ask for the same kind of thing, in the same language, with the same numbers, units, times, names, negations,
quantities and directions, and every word that carries meaning has its equal on the other side.
"""

from collections import Counter

from msgspec import Struct

from airside.gateways.models.caching.question import Question, read


class Veto(Struct, frozen=True):
    """Why two questions may not share an answer: the kind of difference, and what each side has there."""

    kind: str
    left: str = ""
    right: str = ""


def vetoes(left: Question, right: Question) -> tuple[Veto, ...]:
    """Return every difference that forbids sharing an answer; none means that it may be shared."""
    for side in (left, right):
        if side.unreadable:
            return (Veto("unreadable", left.unreadable, right.unreadable),)
    if left.text == right.text:
        return ()
    found = [
        _language(left, right),
        _differs("question", left.kind, right.kind),
        _modality(left, right),
        _tense(left, right),
        _person(left, right),
        _verbs(left, right),
        _differs("number", left.numbers, right.numbers),
        _differs("literal", left.literals, right.literals),
        _differs("negation", left.negations, right.negations),
        _differs("quantity", left.quantifiers, right.quantifiers),
        _differs("date", left.calendar, right.calendar),
        _differs("direction", left.places, right.places),
        _words(left, right),
        _roles(left, right),
        _order(left, right),
    ]
    return tuple(veto for veto in found if veto)


def compare(left: str, right: str) -> tuple[Veto, ...]:
    """Return the vetoes between two texts."""
    return vetoes(read(left), read(right))


def _differs(kind: str, left: object, right: object) -> Veto | None:
    return None if left == right else Veto(kind, _shown(left), _shown(right))


def _shown(value: object) -> str:
    if isinstance(value, (frozenset, set)):
        value = sorted(value)
    return " ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _language(left: Question, right: Question) -> Veto | None:
    """The rules know English: a question in another language is only ever equal to itself."""
    other = "other" in {left.language, right.language}
    return Veto("language", left.language, right.language) if other else None


def _modality(left: Question, right: Question) -> Veto | None:
    """What may be is not what must be; a question without a modal verb goes with either."""
    apart = left.modality and right.modality and left.modality != right.modality
    return Veto("modality", left.modality, right.modality) if apart else None


def _tense(left: Question, right: Question) -> Veto | None:
    past = (left.tense == "past") != (right.tense == "past")
    return Veto("tense", left.tense, right.tense) if past else None


def _person(left: Question, right: Question) -> Veto | None:
    """Who acts and whose things are meant: "can you cancel" is not "can I cancel", nor "your order" mine."""
    if left.persons != right.persons:
        return Veto("person", _shown(left.persons), _shown(right.persons))
    if left.kind == "yes or no" and left.subject and right.subject and left.subject != right.subject:
        return Veto("person", left.subject, right.subject)
    if left.owners and right.owners and left.owners != right.owners:
        return Veto("person", _shown(left.owners), _shown(right.owners))
    return None


def _verbs(left: Question, right: Question) -> Veto | None:
    apart = left.verbs and right.verbs and not left.verbs & right.verbs
    return Veto("words", _shown(left.verbs), _shown(right.verbs)) if apart else None


def _words(left: Question, right: Question) -> Veto | None:
    mine, theirs = Counter(left.words), Counter(right.words)
    if mine != theirs:
        return Veto("words", _shown(set(mine - theirs)), _shown(set(theirs - mine)))
    return None if mine else Veto("words", "none", "none")


def _roles(left: Question, right: Question) -> Veto | None:
    """What a preposition points at must be the same: from here to there is not from there to here."""
    mine, theirs = dict(_by_word(left)), dict(_by_word(right))
    for word in mine.keys() & theirs.keys():
        if mine[word] != theirs[word]:
            return Veto("direction", f"{mine[word]} {word}", f"{theirs[word]} {word}")
    prepositions = {p for p, _ in left.roles} & {p for p, _ in right.roles}
    for preposition in prepositions:
        heads = [{word for p, word in side.roles if p == preposition} for side in (left, right)]
        if heads[0] != heads[1]:
            return Veto("direction", f"{preposition} {_shown(heads[0])}", f"{preposition} {_shown(heads[1])}")
    return None


def _by_word(side: Question) -> list[tuple[str, str]]:
    return [(word, preposition) for preposition, word in sorted(side.roles)]


def _order(left: Question, right: Question) -> Veto | None:
    """Words may move as one phrase with its preposition, or one at a time; else who does what to whom has changed."""
    movable = left.weak | right.weak | {word for _, word in left.roles | right.roles}
    mine = [word for word in left.words if word not in movable]
    theirs = [word for word in right.words if word not in movable]
    other_words = Counter(mine) != Counter(theirs)  # which is a veto of its own
    if other_words or mine == theirs or len(mine) <= 2 or _one_moved(mine, theirs):
        return None
    return Veto("order", _shown(mine), _shown(theirs))


def _one_moved(mine: list[str], theirs: list[str]) -> bool:
    return any(
        [word for word in mine if word != moved] == [word for word in theirs if word != moved] for moved in set(mine)
    )
