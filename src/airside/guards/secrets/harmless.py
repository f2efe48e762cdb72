"""Values that stand where a secret would and are none: placeholders, references, names, hashes, numbers."""

import re
from itertools import pairwise
from typing import Final

from ahocorasick_rs import AhoCorasick

from airside.guards.secrets.shape import wordlike
from airside.guards.secrets.vocabulary import STAND_INS

# Parts of values that documentation puts in a secret's place.
_FILLERS: Final = (
    *(
        "example",
        "sample",
        "placeholder",
        "changeme",
        "change_me",
        "change-me",
        "changeit",
        "your",
        "insert",
        "replace",
    ),
    *(
        "redacted",
        "dummy",
        "xxxx",
        "****",
        "....",
        "----",
        "____",
        "todo",
        "fixme",
        "fake",
        "foobar",
        "lorem",
        "secret://",
    ),
    *(
        "1234-1234",
        "removed",
        "masked",
        "hidden",
        "goes-here",
        "goes_here",
        "enter_",
        "enter-",
        "my_secret",
        "mysecret",
        "my-secret",
    ),
    *("not-a-real", "notareal", "put_", "provided", "truncated", "<", "•", "…", "my-token", "my_token"),
)
_FILLER_SEARCH: Final = AhoCorasick(list(_FILLERS))
# What begins a reference to a value that is kept elsewhere.
_REFERENCES: Final = (
    *(
        "$",
        "%(",
        "%{",
        "#{",
        "{{",
        "{%",
        "<",
        "[",
        "@",
        "&",
        "process.env",
        "os.environ",
        "os.getenv",
        "getenv",
        "env.",
    ),
    *(
        "env:",
        "env(",
        "vault:",
        "ssm:",
        "arn:",
        "op://",
        "ref+",
        "secret:",
        "secrets.",
        "!secret",
        "!ref",
        "ENC[",
        "enc:",
    ),
    *(
        "sops:",
        "file:",
        "keyring:",
        "System.getenv",
        "config.",
        "settings.",
        "self.",
        "this.",
        "options.",
        "args.",
        "var.",
    ),
    *(
        "local.",
        "data.",
        "module.",
        "params.",
        "props.",
        "request.",
        "req.",
        "ctx.",
        "context.",
        "function",
        "lambda",
        "projects/",
    ),
)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_NUMBER: Final = re.compile(r"[-+]?[0-9][0-9.,:_/ -]*[a-zA-Z%]{0,3}")
_VERSION: Final = re.compile(r"v?[0-9]+(?:\.[0-9]+){1,3}[-+.a-z0-9]{0,12}")
_CALL: Final = re.compile(r"[A-Za-z_$][\w$.:>-]{0,100}[(\[]")
_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,80}(?:(?:\.|->|::)[A-Za-z_$][A-Za-z0-9_$]{0,80}){0,10}")
_PATH: Final = re.compile(
    r"(?:[A-Za-z]:\\|\.{0,2}/|~/)[\w.@/ -]*|[\w.@-]+(?:/[\w.@-]+){2,}|[\w/-]+\.(?:[a-z]{2,5}|[a-z]{1,3}[0-9])"
)
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]{1,20}://\S*")
_MAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_HASHES: Final = ("sha1-", "sha256-", "sha384-", "sha512-", "md5-", "sha1:", "sha256:", "sha512:", "md5:", "h1:")


def placeholder(value: str) -> bool:
    """Whether a value only stands for one: a filler, a repetition, a sequence, a reference or a template."""
    low = value.lower()
    return (
        _FILLER_SEARCH.find_matches_as_indexes(low) != []
        or value.startswith(_REFERENCES)
        or value.endswith("...")
        or "${" in value
        or "{{" in value
        or (value[0] == "{" and value[-1] == "}")
        or (value[0] == "%" and value[-1] == "%")
        or monotonous(value)
    )


def monotonous(value: str, share: float = 0.6) -> bool:
    """Whether most characters repeat or continue the one before: `aaaa1111`, `12345678`, `abcdefgh`."""
    if len(set(value)) <= 3:
        return True
    steps = sum(-1 <= ord(second) - ord(first) <= 1 for first, second in pairwise(value))
    return steps >= (len(value) - 1) * share


def word(value: str) -> bool:
    """Whether a value is a word that code and forms put where a secret goes: `password`, `None`, `required`."""
    return value.lower().partition("|")[0].strip(" .:;,!?*_-") in STAND_INS


def hashed(value: str) -> bool:
    """Whether a value says that it is a checksum."""
    return value.startswith(_HASHES)


def uuid(value: str) -> bool:
    """Whether a value is a UUID."""
    return _UUID.fullmatch(value) is not None


def number(value: str) -> bool:
    """Whether a value is a number, a date, a duration or a version."""
    return _NUMBER.fullmatch(value) is not None or _VERSION.fullmatch(value) is not None


def located(value: str) -> bool:
    """Whether a value is a path, a file's name, an address of a page or of a person."""
    if _PATH.fullmatch(value):
        return wordlike(value) or not any(character.isdigit() for character in value)
    return _URL.fullmatch(value) is not None or _MAIL.fullmatch(value) is not None


def code(value: str) -> bool:
    """Whether an unquoted value is an expression of a programming language: a name, a path of names, a call."""
    return "(" in value or _CALL.match(value) is not None or (_NAME.fullmatch(value) is not None and _named(value))


def _named(value: str) -> bool:
    digits = sum(character.isdigit() for character in value)
    return (
        ("." in value and wordlike(value))
        or "->" in value
        or "::" in value
        or (digits <= 2 and (wordlike(value) or len(value) < 8 or digits == 0))
    )
