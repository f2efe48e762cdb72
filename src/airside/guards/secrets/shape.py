"""What a value looks like: drawn at random, as keys and generated passwords are, or made of words."""

import math
from collections import Counter
from itertools import pairwise
from typing import Final

HEX: Final = frozenset("0123456789abcdefABCDEF")
_PAIRS_MIN: Final = 5
_RARE: Final = 3.7  # words of nine letters and more: 4 of 100 are above; random letters: 5 of 100 below
_A: Final = ord("a")
_SAMPLE_CHARS: Final = 128  # what is longer is judged by its beginning

# How rare each pair of letters is in words of documentation and names in code, a row for each first letter: 0
# (frequent) to 9, in steps of 0.56 nats around chance. Counted over the 41,000 words that sources of Python packages
# use.
_RARENESS: Final = (
    "73338748496232949131567658"
    "15462677258166269336289948"
    "28562782393367169352489969"
    "25540558178466369435478869"
    "36325458598342646112756469"
    "27552279099366169243388859"
    "37670643299353369235378978"
    "16760788298555169453488959"
    "44344549998330249422949694"
    "16551568364665158726175979"
    "26550556167364459524575959"
    "27640678197267259744469939"
    "14761789298546229746379969"
    "26322417386665369621558979"
    "55337549595331439133354789"
    "17551674397277239143478949"
    "57657567698355657335067987"
    "16440659296545259433568959"
    "47361673296466337621366959"
    "27561683199567259234487948"
    "33453659399231639222989798"
    "17660779199667369656988769"
    "16551673197563269236787889"
    "35342485298546517540777458"
    "35453557398333419422666785"
    "17650676297656359655688855"
)


def entropy(value: str) -> float:
    """Return the Shannon entropy of a value's characters, in bits per character."""
    total = len(value)
    return -sum(count / total * math.log2(count / total) for count in Counter(value).values()) if total else 0.0


def rareness(value: str) -> float | None:
    """Return how unlike words the letters of a value follow one another, 0 to 9; None with too few pairs to say.

    A capital after a small letter begins a word, so that camelCase counts as its words.
    """
    total = pairs = 0
    for first, second in pairwise(value):
        if (second.islower() and first.isalpha()) or (second.isupper() and first.isupper()):
            row, column = ord(first.lower()) - _A, ord(second.lower()) - _A
            if 0 <= row < 26 and 0 <= column < 26:
                total += ord(_RARENESS[row * 26 + column]) - 48
                pairs += 1
    return total / pairs if pairs >= _PAIRS_MIN else None


def wordlike(value: str) -> bool:
    """Whether the letters of a value follow one another as in words."""
    rare = rareness(value)
    return rare is not None and rare < _RARE


def random_letters(value: str) -> bool:
    """Whether letters follow one another so unlike words that they were drawn at random."""
    rare = rareness(value)
    return rare is not None and rare >= _RARE + 0.5


def mixed(value: str) -> bool:
    """Whether a value has digits among its letters and is not made of words; a check for keys of many forms."""
    value = value[:_SAMPLE_CHARS]
    digits = sum(character.isdigit() for character in value)
    return 2 <= digits < len(value) and entropy(value) >= 3.0 and not (wordlike(value) and digits * 5 < len(value))


def random_looking(value: str) -> bool:
    """Whether a value of a key's length seems to be drawn at random.

    Digits alone are numbers. Hexadecimal digits need 16 of them, other characters variety and either digits between
    letters or letters that do not follow one another as in words.
    """
    if len(value) < 10:
        return False
    value = value[:_SAMPLE_CHARS]
    body = value.replace("-", "").replace("_", "").rstrip("=")
    if not body or body.isdigit() or body.replace(".", "").isdigit():
        return False
    varied = entropy(value)
    if all(character in HEX for character in body):
        return len(body) >= 16 and varied >= 3.0 and any(character.isdigit() for character in body)
    if varied < min(3.2, math.log2(len(value)) * 0.72):
        return False
    return _scattered(body) if any(character.isdigit() for character in body) else _rare(body)


def _scattered(body: str) -> bool:
    """Whether digits, small letters and capitals change places as often as chance would have it."""
    kinds = [_kind(character) for character in body]
    changes = sum(first != second for first, second in pairwise(kinds))
    digits = kinds.count(0)
    if len(set(kinds)) == 2 and 1 not in kinds:  # capitals and digits: base32, licence keys
        return changes >= len(body) / 6 and not wordlike(body)
    return (
        changes >= len(body) / 5
        and (digits >= 3 or digits * 8 >= len(body) or not wordlike(body))
        and not _words(body, digits)
    )


def _words(body: str, digits: int) -> bool:
    return digits * 6 < len(body) and wordlike(body)


def _rare(body: str) -> bool:
    rare = rareness(body)
    if rare is None:  # capitals and small letters change places too often for words
        return len(body) >= 16
    return rare >= _RARE + (0.5 if len(body) < 20 else 0)


def _kind(character: str) -> int:
    return 0 if character.isdigit() else 1 if character.islower() else 2 if character.isupper() else 3
