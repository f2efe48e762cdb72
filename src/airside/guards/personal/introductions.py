"""Names of people where the text itself says that it is a name: `my name is …`, `Mr …`, `Dear …`."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from ahocorasick_rs import AhoCorasick

from airside.guards.personal.context import listed, lowered
from airside.guards.personal.plain import Plain
from airside.guards.personal.shapes import CHECKED_MAX
from airside.guards.personal.spotted import Spotted

INTRODUCED_SCORE: Final = 0.8
_WORDS_MAX: Final = 4
_NAME_CHARS: Final = 80

SAYING: Final = listed(
    "my name is|my name's|my name:|her name is|his name is|their name is|maiden name is|maiden name:|full name is",
    "full name:|given name:|first name:|first name is|last name:|last name is|family name:|real name is|patient name:",
    "customer name:|je m'appelle|je m’appelle|mein name ist|ich heiße|ich heisse|me llamo|mi nombre es|mi chiamo",
    "il mio nome è|meu nome é|me chamo|mijn naam is|ik heet|nazywam się|mam na imię|jag heter|mit navn er|jeg heter",
    "jeg hedder|nimeni on|меня зовут|benim adım|jmenuji se|numele meu este|με λένε",
)
_SAYING: Final = AhoCorasick(list(SAYING))
_SPACES: Final = re.compile(r"[ \t]{1,3}")
_TITLE: Final = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Herrn?|Frau|Monsieur|Madame|Mme|Mlle|Señora?|Sra?|Signora?|Sig|Dott|Doña?|Pan[ií]?"
    r"|Mevrouw|Meneer|Fru|Г-н|Г-жа)\b\.?[ \t]+(?=[^\W\d_a-z])"
)
_WORD: Final = re.compile(r"[^\W\d_](?:[^\W\d_]|['’-](?=[^\W\d_]))*\.?")
_PARTICLES: Final = frozenset(
    listed("van|von|der|den|de|del|della|di|da|do|dos|das|la|le|du|al|el|bin|ibn|ter|ten|zu|af|av|y|e")
)
_NOT_NAMES: Final = frozenset(
    listed(
        "a|an|and|are|as|at|be|but|by|can|could|do|for|from|has|have|i|if|in|is|it|me|misspelled|missing|my|no|not|of|on",
        "or|please|required|should|so|spelled|that|the|there|they|this|to|too|unknown|was|we|what|when|where|which|who",
        "why|will|with|wrong|would|you|your|incorrect|different|important|hidden|private|secret|currently|still|also",
        "already|und|aber|et|mais|y|pero|e|ma|mas|en|maar|och|og|и|но|customer|team|sir|madam|all|everyone",
    )
)


def find(plain: Plain) -> Iterator[Spotted]:
    """Yield names that are introduced as such."""
    low = lowered(plain.text)
    if low is None:
        return
    for _, begin, until in islice(_SAYING.find_matches_as_indexes(low), CHECKED_MAX):
        space = _SPACES.match(plain.text, until)
        if space is None or (begin and low[begin - 1].isalnum()):
            continue
        end = name_end(plain.text, space.end(), proper=False)
        if end is not None:
            yield Spotted("person.introduced", "PERSON", space.end(), end, INTRODUCED_SCORE)


def find_titled(plain: Plain) -> Iterator[Spotted]:
    """Yield names behind a title."""
    for match in islice(_TITLE.finditer(plain.text), CHECKED_MAX):
        end = name_end(plain.text, match.end(), proper=True)
        if end is not None:
            yield Spotted("person.titled", "PERSON", match.end(), end, INTRODUCED_SCORE)


def name_end(text: str, start: int, *, proper: bool) -> int | None:
    """Return where a name that begins here ends; None if none does. `proper`: only words with a capital belong to it.

    One that begins in lower case goes on in lower case, up to a word that is none.
    """
    text = text[: start + _NAME_CHARS]
    word = _WORD.match(text, start)
    if word is None or word.group().rstrip(".").casefold() in _NOT_NAMES:
        return None
    lower = word.group()[0].islower()
    if lower and proper:
        return None
    end = _without_stop(word)
    for _ in range(_WORDS_MAX - 1):
        gap = text[word.end() : word.end() + 1]
        following = _WORD.match(text, word.end() + 1) if gap in (" ", "-") and word.end() == end else None
        if following is None or not _goes_on(following.group(), lower=lower):
            break
        word = following
        end = word.end() if word.group().casefold() in _PARTICLES else _without_stop(word)
    return end


def _goes_on(word: str, *, lower: bool) -> bool:
    folded = word.rstrip(".").casefold()
    if folded in _PARTICLES and not lower:
        return True
    return folded not in _NOT_NAMES and (word[0].islower() if lower else word[0].isupper())


def _without_stop(word: re.Match[str]) -> int:
    """Return the end of a word without the full stop of a sentence; that of an initial belongs to it."""
    found = word.group()
    stop = found.endswith(".") and len(found) > 2
    possessive = 2 if found.endswith(("'s", "’s")) else 0
    return word.end() - (1 if stop else possessive)
