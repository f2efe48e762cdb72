"""What a named value is: whose key by name and shape, else a password or a key by how both look."""

from typing import NamedTuple

from airside.guards.secrets import harmless
from airside.guards.secrets.checksums import decoded
from airside.guards.secrets.heads import Head
from airside.guards.secrets.hit import Rank
from airside.guards.secrets.names import Name, read
from airside.guards.secrets.shape import HEX, mixed, random_letters, random_looking, rareness, wordlike
from airside.guards.secrets.vocabulary import COMMON


class Verdict(NamedTuple):
    """The rule that a named value is found by, and how sure it is."""

    rule: str
    score: float
    rank: Rank = Rank.GENERIC


def judge(head: Head) -> Verdict | None:
    """Return by what rule a named value is a secret; None if it is none."""
    name = read(head.name)
    value = head.value
    if name is None or harmless.placeholder(value) or harmless.hashed(value):
        return None
    if name.forms:
        provider = _provider(name, value)
        if provider is not None:
            return Verdict(provider, 0.95, Rank.NAMED)
    if harmless.word(value) or harmless.located(value) or any(character.isspace() for character in value):
        return None
    if not head.quoted and harmless.code(value) and not (head.line and (_drawn(value) or _settled(value))):
        return None
    if name.password:
        return Verdict("generic_password", 0.8) if _password(head, name) else None
    return _key(head, name)


def _provider(name: Name, value: str) -> str | None:
    """Return the rule of the provider whose key it is by its name and shape."""
    if not 6 <= len(value) <= 300 or harmless.word(value):
        return None
    for named, form in name.forms:
        if form.fullmatch(value) and (random_looking(value) or mixed(value)) and not harmless.located(value):
            return named.rule
    return None


def _key(head: Head, name: Name) -> Verdict | None:
    """Return what the value of a name that says "key", "token" or "secret" is."""
    value = head.value
    if name.basic and _basic(value):
        return Verdict("basic_auth", 0.95, Rank.NAMED)
    squashed = "".join(character for character in value.lower() if character.isalnum())
    if squashed in name.squashed or name.squashed in squashed or harmless.number(value):
        return None
    if not (head.quoted or head.line or len(value) >= 16):  # in an address, in prose
        return None
    if name.strong and (_drawn(value) or (not head.name.isascii() and len(value) >= 8 and mixed(value))):
        return Verdict("generic_key", 0.7)
    if name.secret and not head.prose and (head.quoted or head.line) and _password(head, name):
        return Verdict("generic_secret", 0.6)
    if not name.weak or len(value) < 24 or harmless.uuid(value) or _hexadecimal(value):
        return None
    return Verdict("generic_key", 0.5) if random_looking(value) else None


def _drawn(value: str) -> bool:
    """Whether a value may be a generated key."""
    if len(value) >= 16:
        return random_looking(value)
    return len(value) >= 10 and random_looking(value) and mixed(value)


def _settled(value: str) -> bool:
    """Whether what stands alone on a line of settings is no expression: it has digits, or letters of no word."""
    if "(" in value:
        return False
    return any(character.isdigit() for character in value) or random_letters(value)


def _hexadecimal(value: str) -> bool:
    return all(character in HEX for character in value)


def _basic(value: str) -> bool:
    data = decoded(value) if len(value) >= 8 else None
    return data is not None and b":" in data and data.isascii() and data.decode().isprintable()


def _password(head: Head, name: Name) -> bool:
    """Whether a value given to a password is one, and not a word, a label or a reference."""
    value = head.value
    if not 4 <= len(value) <= 128 or value.lower() in name.squashed or (head.prose and harmless.uuid(value)):
        return False
    letters = sum(character.isalpha() for character in value)
    digits = sum(character.isdigit() for character in value)
    symbols = len(value) - letters - digits - sum(value.count(plain) for plain in "_-./: ")
    settled = (head.quoted and not head.prose) or head.line
    if letters and digits:
        return len(value) >= 6 and (settled or symbols > 0 or digits >= 2)
    if letters and symbols:
        plain = value.endswith(("...", ":", "?")) or value[0] in "!*/\\"
        return len(value) >= 6 and not plain and (settled or (symbols > 1 and not head.prose))
    if digits:
        return settled and len(value) >= 5 and (symbols > 0 or digits == len(value))
    if not letters or len(value) < 6:
        return False
    if settled and value in COMMON:
        return True
    return _odd(value) if settled else len(value) >= 8 and random_letters(value)


def _odd(value: str) -> bool:
    """Whether letters alone are no word."""
    if rareness(value) is not None:
        return not wordlike(value)
    return not value.islower() and not value.istitle() and not value.isupper()
