"""What a question asks, taken apart: the pieces that two questions must share before one answer may serve both.

Rules only, no model: the same text always reads the same, and every difference that is found can be named.
"""

import re
import unicodedata
from functools import lru_cache

from msgspec import Struct

from airside.gateways.models.caching.lexicon import (
    AUXILIARIES,
    CALENDAR,
    DEGREES,
    DIRECTIONS,
    ENGLISH,
    LIGHT,
    NEGATIONS,
    NUMBER_WORDS,
    OTHER_LANGUAGES,
    PALE_VERBS,
    QUANTIFIERS,
    SAME,
    STRICT_DIRECTIONS,
    THIRD_PERSONS,
    UNITS,
    WEAK,
)
from airside.gateways.models.caching.phrases import CONTRACTIONS, COURTESY, PHRASES

CHARS_MAX = 600
"""Longer questions are not compared by meaning: the embedding would cut them off, and rules see too little of them."""

_TOKEN = re.compile(
    r"(?P<literal>\"[^\"]{1,200}\"|`[^`]{1,200}`)"
    r"|(?P<clock>\b\d{1,2}(?::\d{2})?\s?(?:[ap]\.?m\b\.?)|\b\d{1,2}:\d{2}(?::\d{2})?\b)"
    r"|(?P<number>(?<![\w.])[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w])|(?<![\w.])[+-]?\d+(?:\.\d+)*(?:st|nd|rd|th|k|m|bn|s)?(?![\w]))"
    r"|(?P<word>[^\W_]+(?:[-'][^\W_]+)*)"
    r"|(?P<symbol>[^\s\w?.!,;:'\"()\-…–—“”‘’¿¡])"
    r"|(?P<under>_)"
)
_SCALES = {"k": 1_000, "m": 1_000_000, "bn": 1_000_000_000}
_PAST = frozenset({"was", "were", "did", "had"})
_FUTURE = frozenset({"will", "shall"})
_POSSIBLE = frozenset({"can", "could", "may", "might"})
_DUTY = frozenset({"should", "must", "shall", "need", "needs"})
_PLAIN_NO = frozenset({"not", "no", "never", "none"})
_MINE, _YOURS = frozenset({"my", "our", "mine"}), frozenset({"your", "yours"})
_WH = frozenset({"what", "which", "who", "whom", "whose", "when", "where", "why", "how"})
_MONEY = frozenset({"usd", "eur", "gbp", "jpy"})
_SUBJECT = re.compile(
    r"\b(?:is|are|was|were|do|does|did|can|could|may|might|must|shall|should|will|would|am|have|has) (i|we|you)\b"
)
_PLURAL_KEPT = re.compile(r"(?:ss|us|is)$")


class Question(Struct, frozen=True):
    """A question in pieces. `unreadable` is a reason why it may not be compared at all, else empty.

    `core` is what is embedded: the question without courtesies, in one phrasing, one word for all that mean the same.
    """

    text: str
    core: str = ""
    unreadable: str = ""
    language: str = ""
    kind: str = ""
    modality: str = ""
    tense: str = ""
    subject: str = ""
    owners: frozenset[str] = frozenset()
    persons: frozenset[str] = frozenset()
    verbs: frozenset[str] = frozenset()
    numbers: tuple[str, ...] = ()
    literals: tuple[str, ...] = ()
    negations: tuple[str, ...] = ()
    quantifiers: tuple[str, ...] = ()
    calendar: tuple[str, ...] = ()
    places: frozenset[str] = frozenset()
    roles: frozenset[tuple[str, str]] = frozenset()
    weak: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()


@lru_cache(maxsize=4_096)
def read(text: str) -> Question:
    """Take a question apart. Never raises: what cannot be read says why in `unreadable`."""
    plain = unicodedata.normalize("NFKC", text).strip()
    reason = _unreadable(plain)
    if reason:
        return Question(text=text, unreadable=reason)
    lowered = _lowered(plain).replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
    core = _core(lowered)
    return _Reading(core).question(text, _language(lowered), _kind(core))


def _unreadable(text: str) -> str:
    """Return why a text may not be compared: too long, invisible characters, letters of two scripts in one word."""
    if not text or len(text) > CHARS_MAX:
        return "length"
    for char in text:
        if unicodedata.category(char) in {"Cf", "Co", "Cn", "Cs"} or (char < " " and char not in "\n\t\r"):
            return "invisible characters"
        if char.isnumeric() and not char.isascii() and not ("\u4e00" <= char <= "\u9fff"):
            return "foreign digits"
    for word in re.findall(r"[^\W\d_]+", text):
        if len({_script(char) for char in word}) > 1:
            return "mixed scripts"
    return ""


def _script(char: str) -> str:
    if char.isascii() or "\u00c0" <= char <= "\u024f":
        return "latin"
    return unicodedata.name(char, "?").split()[0]


def _lowered(text: str) -> str:
    """Lower the case, but keep abbreviations apart that are other words in lower case (US and us, IT and it)."""
    if text.upper() != text:
        text = re.sub(
            r"\b[A-Z]{2,4}\b", lambda m: f"{m[0]}abbr" if m[0].lower() in LIGHT | _WH | DIRECTIONS else m[0], text
        )
    return text.lower()


def _core(lowered: str) -> str:
    """Return the question without courtesies, in one phrasing."""
    core = lowered
    for _ in range(3):
        shorter = COURTESY.sub(" ", core).strip()
        if shorter in {core, ""}:
            break
        core = shorter
    for pattern, replacement in (*CONTRACTIONS, *PHRASES):
        core = pattern.sub(replacement, core)
    return re.sub(r"\s+", " ", core).strip()


def _language(lowered: str) -> str:
    """Return `en`, `other`, or empty for a text without function words."""
    words = re.findall(r"[^\W\d_]+", lowered)
    foreign = sum(1 for word in words if word in OTHER_LANGUAGES or any(_script(char) != "latin" for char in word))
    accented = sum(1 for word in words if not word.isascii())
    english = sum(1 for word in words if word in ENGLISH)
    if foreign + accented > english:
        return "other"
    return "en" if english else ""


def _kind(core: str) -> str:
    """Return what is asked for: a way (`how`), a degree, a time, a place, a reason, a thing, a yes or no."""
    words = re.findall(r"[a-z]+", core)
    for at, word in enumerate(words):
        if word not in _WH or (at and words[at - 1] in {"on", "in", "than"} and word == "which"):
            continue
        following = words[at + 1] if at + 1 < len(words) else ""
        if word == "how" and following in DEGREES:
            return f"how {following}"
        if at and words[0] in AUXILIARIES and not core.startswith("explain"):
            break
        if word == "when" and at and not {"what", "how", "why", "where", "who", "which"}.isdisjoint(words):
            continue
        return "what" if word in {"which", "what"} else "who" if word in {"whom", "whose"} else word
    if words and words[0] in AUXILIARIES:
        return "yes or no"
    if words and any(word in AUXILIARIES for word in words[:4]) and core.endswith("?"):
        return "yes or no"
    return "what"


class _Reading:
    """One pass over the tokens of a core text."""

    def __init__(self, core: str) -> None:
        self.core = core
        self.numbers: list[str] = []
        self.literals: list[str] = []
        self.words: list[str] = []
        self.roles: set[tuple[str, str]] = set()
        self.weak: set[str] = set()
        self.seen: list[str] = []
        self.preposition = ""
        self.pending: list[str] = []  # numbers that wait for the thing they count

    def question(self, text: str, language: str, kind: str) -> Question:
        """Read every token and return the pieces."""
        for match in _TOKEN.finditer(self.core):
            group, token = match.lastgroup, match.group()
            if group == "word":
                parts = re.split(r"[-']", token)
                if "-" in token and any(part in LIGHT | DIRECTIONS for part in parts):
                    parts = ["".join(parts)]  # a check-in is no check-out
                for part in parts:
                    self._word(part)
            elif group in {"literal", "symbol", "under"}:
                self._symbol(token)
            else:
                self.pending.append(_clock(token) if group == "clock" else _number(token))
        self._release()
        seen = set(self.seen)
        return Question(
            text=text,
            core=re.sub(r"[a-z]+", lambda word: SAME.get(word[0], word[0]), self.core),
            language=language,
            kind=kind,
            modality="possible" if seen & _POSSIBLE else "duty" if seen & _DUTY else "",
            tense="past" if seen & _PAST else "future" if seen & _FUTURE else "",
            subject=self._subject(),
            owners=frozenset("my" if word in _MINE else "your" for word in seen & (_MINE | _YOURS)),
            persons=frozenset(seen & THIRD_PERSONS),
            verbs=frozenset(stem(word) for word in seen if word in PALE_VERBS or stem(word) in PALE_VERBS),
            numbers=tuple(sorted(self.numbers)),
            literals=tuple(self.literals),
            negations=tuple(sorted("not" if word in _PLAIN_NO else word for word in self.seen if word in NEGATIONS)),
            quantifiers=tuple(sorted(stem(word) for word in self.seen if word in QUANTIFIERS)),
            calendar=tuple(sorted(_day(word) for word in self.seen if _day(word) in CALENDAR and word != "may")),
            places=frozenset(seen & STRICT_DIRECTIONS),
            roles=frozenset(self.roles),
            weak=frozenset(self.weak),
            words=tuple(self.words),
        )

    def _symbol(self, symbol: str) -> None:
        unit = UNITS.get(symbol)
        if self.pending and unit == "percent":
            self.numbers.append(f"{self.pending.pop()} {unit}")
        elif unit in _MONEY:
            self.pending.append(unit)
        else:
            self.literals.append(symbol)

    def _word(self, word: str) -> None:
        self.seen.append(word)
        if _is_number_word(word, self.seen):
            self._number_word(NUMBER_WORDS[word])
        elif self.pending and (word in UNITS or word not in LIGHT | DIRECTIONS | NEGATIONS | QUANTIFIERS):
            self._counted(word)
        else:
            self._release()
            self._plain(word)

    def _release(self) -> None:
        """Take the numbers that wait as they are: what follows is no thing they count."""
        money = [value for value in self.pending if value in _MONEY]
        self.numbers += [f"{value} {money[0]}" if money else value for value in self.pending if value not in money]
        self.pending = []

    def _plain(self, word: str) -> None:
        if word in DIRECTIONS:
            self.preposition = word
        elif word not in NEGATIONS | QUANTIFIERS | LIGHT and _day(word) not in CALENDAR:
            self._content(same(word))

    def _number_word(self, value: int) -> None:
        if self.pending and self.pending[-1].isdigit():
            last = int(self.pending[-1])
            self.pending[-1] = str(last * value if value >= 100 else last + value)
        else:
            self.pending.append(str(value))

    def _counted(self, word: str) -> None:
        """Bind the numbers that wait to the thing or unit they count, which is then no content of its own."""
        unit = UNITS.get(word)
        scale = NUMBER_WORDS.get(word)
        if scale:
            self._number_word(scale)
            return
        thing = unit or same(word)
        money = [value for value in self.pending if value in _MONEY]
        values = [value for value in self.pending if value not in money]
        self.numbers += [f"{value} {(money or [thing])[0]}" for value in values] or money
        self.pending = []
        if unit is None or money:
            self._content(same(word))

    def _content(self, word: str) -> None:
        if not word or word in LIGHT:
            return
        if self.preposition in WEAK:
            self.weak.add(word)
        elif self.preposition:
            self.roles.add((self.preposition, word))
        self.preposition = ""
        self.words.append(word)

    def _subject(self) -> str:
        found = _SUBJECT.search(self.core)
        return "" if found is None else "you" if found[1] == "you" else "i"


def _is_number_word(word: str, seen: list[str]) -> bool:
    """`one` is a number only where it counts: not in "a new one", "which one", "does one"."""
    if word not in NUMBER_WORDS or word in {"hundred", "thousand", "million", "billion"}:
        return word in NUMBER_WORDS
    before = seen[-2] if len(seen) > 1 else ""
    return word != "one" or before in WEAK | DIRECTIONS | {"use", "than", "just", "only"}


def _clock(token: str) -> str:
    digits = [int(part) for part in re.findall(r"\d+", token)]
    hour, minute = digits[0], digits[1] if len(digits) > 1 else 0
    halves = re.search(r"[ap]\.?m", token) is not None
    if hour > (12 if halves else 24) or minute > 59:
        return token
    if halves:
        hour = hour % 12 + (12 if "p" in token else 0)
    return f"{hour:02d}:{minute:02d} o'clock"


def _number(token: str) -> str:
    suffix = re.search(r"[a-z]+$", token)
    digits = token[: suffix.start()] if suffix else token
    digits = digits.replace(",", "").lstrip("+")
    scale = _SCALES.get(suffix.group()) if suffix else None
    if digits.count(".") > 1 or (suffix and scale is None):
        return digits + (suffix.group() if suffix else "")
    whole, _, fraction = digits.partition(".")
    fraction = fraction if fraction.strip("0") else ""
    if scale and not fraction:
        return str(int(whole) * scale)
    return f"{whole}.{fraction}" + (suffix.group() if suffix else "") if fraction else str(int(whole))


def _day(word: str) -> str:
    return word[:-1] if word.endswith("s") and word[:-1] in CALENDAR else word


def same(word: str) -> str:
    """Return the word that stands for this one and its inflections and synonyms."""
    root = stem(word)
    return _ROWS.get(word) or _ROWS.get(root, root)


def stem(word: str) -> str:
    """Return a word without its inflection; words with digits stay as they are."""
    if len(word) < 4 or any(char.isdigit() for char in word) or not word.isascii():
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("sses", "shes", "ches", "xes", "zes")):
        word = word[:-2]
    elif word.endswith("s") and not _PLURAL_KEPT.search(word):
        word = word[:-1]
    for suffix in ("ing", "ed", "able", "ment", "ly", "ity"):
        base = word[: -len(suffix)]
        if (
            word.endswith(suffix)
            and len(base) >= (4 if suffix in {"ment", "ity"} else 3)
            and re.search("[aeiouy]", base)
        ):
            return _bare(base)
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def _bare(base: str) -> str:
    if len(base) > 3 and base[-1] == base[-2] and base[-1] not in "ls":
        return base[:-1]
    if base.endswith("i"):
        return base[:-1] + "y"
    return base[:-1] if base.endswith("e") and len(base) > 4 else base


_ROWS = {**{stem(word): stem(row) for word, row in SAME.items()}, **{word: stem(row) for word, row in SAME.items()}}
"""Every word of a row, inflected or not, and the stem that stands for all of it."""
