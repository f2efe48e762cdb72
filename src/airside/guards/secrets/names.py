"""What the name of a value says about it: a password, a key, whose key, or something else altogether."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import re2
from ahocorasick_rs import AhoCorasick

from airside.guards.secrets.formats import NAMED
from airside.guards.secrets.formats.form import Named
from airside.guards.secrets.vocabulary import ABOUT, KEYS, OTHERS, PASSWORDS, QUALIFIERS

_WORDS: Final = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]")
_OPENERS: Final = ("api", "secret", "access", "private", "auth", "client", "app", "encryption", "signing", "master")
_COMPOUND: Final = (
    *(opener + noun for noun in ("key", "secret", "token") for opener in _OPENERS),
    *("sharedkey", "accountkey", "sessiontoken", "refreshtoken", "webhooksecret", "storagekey"),
)
_SHORT: Final = (
    "pass",
    "pw",
    "pwd",
    "psw",
    "pin",
    "clave",
    "senha",
    "passe",
    "mdp",
    "parola",
    "haslo",
    "sifre",
    "identified",
)
_KNOWN_MAX: Final = 4_096


class Form(NamedTuple):
    """The shape of a provider's key, compiled."""

    named: Named
    expression: Any


class Name(NamedTuple):
    """What a name says: the greatest that holds of `password`, `strong` (a key that opens something), `weak`."""

    squashed: str
    password: bool
    strong: bool
    weak: bool
    secret: bool
    basic: bool
    forms: tuple[Form, ...]


def _by_word() -> Mapping[str, list[Form]]:
    found: dict[str, list[Form]] = {}
    for named in NAMED:
        form = Form(named, re2.compile(named.body))
        for name in named.names:
            found.setdefault("_" + re.sub(r"[^a-z0-9]+", "_", name).strip("_"), []).append(form)
    return found


_FORMS: Final = _by_word()
_PROVIDERS: Final = list(_FORMS)
_PROVIDER_SEARCH: Final = AhoCorasick(_PROVIDERS)
_OTHER_SEARCH: Final = AhoCorasick(sorted(OTHERS))
_PASSWORD_SEARCH: Final = AhoCorasick(sorted(PASSWORDS))


@lru_cache(_KNOWN_MAX)
def read(name: str) -> Name | None:
    """Return what a name says; None if what it names is no secret."""
    low = name.lower()
    if _OTHER_SEARCH.find_matches_as_indexes(low) or low.endswith(("author", "-hash")):
        return None
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or words[-1] in ABOUT or (words[-1] == "s" and len(words) > 1 and words[-2] in ABOUT):
        return None
    joined = "_" + "_".join(words)
    forms = [
        form
        for hit in _PROVIDER_SEARCH.find_matches_as_indexes(joined, overlapping=True)
        for form in _FORMS[_PROVIDERS[hit[0]]]
    ]
    squashed = "".join(character for character in low if character.isalnum())
    kinds = set(words)
    password = (
        bool(_PASSWORD_SEARCH.find_matches_as_indexes(low))
        or not kinds.isdisjoint(_SHORT)
        or any(word.endswith(("pass", "pwd")) for word in words)
    )
    strong = not KEYS.isdisjoint(kinds) or _key(words) or squashed.rstrip("0123456789").endswith(_COMPOUND)
    weak = "key" in kinds or "keys" in kinds or "token" in low or "secret" in low
    if not (password or strong or weak or forms):
        return None
    return Name(squashed, password, strong, weak, "secret" in kinds, words[-1] == "auth", tuple(dict.fromkeys(forms)))


def _key(words: list[str]) -> bool:
    """Whether the words name a key that opens something: `api key`, `ENCRYPTION_KEY`."""
    return any(word in {"key", "keys"} and not QUALIFIERS.isdisjoint(words[:index]) for index, word in enumerate(words))
