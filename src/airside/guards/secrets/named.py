"""What a named value is: whose key by name and shape, else a password or a key by how both look."""

import re
from typing import Final, NamedTuple

import re2

from airside.guards.secrets import harmless
from airside.guards.secrets.checksums import decoded
from airside.guards.secrets.formats import NAMED
from airside.guards.secrets.heads import Head
from airside.guards.secrets.hit import Rank
from airside.guards.secrets.shape import HEX, mixed, random_looking, rareness, wordlike
from airside.guards.secrets.vocabulary import ABOUT, KEYS, QUALIFIERS

_WORDS: Final = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]")
_FOREIGN: Final = (
    *(
        "kennwort",
        "contrase",
        "clave",
        "senha",
        "palavra",
        "passe",
        "mdp",
        "parola",
        "wachtwoord",
        "senord",
        "adgangskode",
    ),
    *(
        "passord",
        "salasana",
        "hasło",
        "haslo",
        "heslo",
        "jelsz",
        "ifre",
        "пароль",
        "密码",
        "密碼",
        "口令",
        "パスワード",
        "暗証番号",
    ),
    *("비밀번호", "암호", "المرور", "السر", "סיסמ", "पासवर्ड", "khẩu", "sandi", "รหัสผ่าน", "κωδικ", "geheim", "секрет"),
)
_PASSWORDS: Final = (
    "password",
    "passwd",
    "passwort",
    "pwd",
    "psw",
    "passphrase",
    "passcode",
    "passw",
    "pword",
    *_FOREIGN,
)
_UNRELATED: Final = (
    *(
        "publickey",
        "public_key",
        "public-key",
        "keyword",
        "keyboard",
        "keycode",
        "keydown",
        "keyup",
        "keypress",
        "keyframe",
    ),
    *(
        "authors",
        "author_",
        "author-",
        "authored",
        "monkey",
        "donkey",
        "turkey",
        "hockey",
        "jockey",
        "compass",
        "bypass",
        "passenger",
        "passive",
        "passage",
    ),
    *(
        "primarykey",
        "primary_key",
        "primary-key",
        "foreignkey",
        "foreign_key",
        "partition",
        "sortkey",
        "sort_key",
        "cache_key",
    ),
    *("cachekey", "cache-key", "tokeniz", "tokenis", "keystone", "sig_", "design", "assign", "singleton", "idempoten"),
    *(
        "integrity",
        "publishable",
        "sitekey",
        "site_key",
        "site-key",
        "csrf",
        "authenticity",
        "publictoken",
        "public_token",
        "surpass",
        "trespass",
        "spinner",
        "mapping",
    ),
    *("shipping", "opinion", "typing", "ping", "typin", "encompass", "discredit", "accredit", "keynote", "keyring"),
)


class Verdict(NamedTuple):
    """The rule that a named value is found by, and how sure it is."""

    rule: str
    score: float
    rank: Rank = Rank.GENERIC


_FORMS: Final = tuple((named, re2.compile(named.body)) for named in NAMED)
_BY_NAME: Final = {
    "_" + re.sub(r"[^a-z0-9]+", "_", name).strip("_"): [form for form in _FORMS if name in form[0].names]
    for name in {name for named in NAMED for name in named.names}
}


def judge(head: Head) -> Verdict | None:
    """Return by what rule a named value is a secret; None if it is none."""
    value = head.value
    if value.startswith("$ANSIBLE_VAULT") or harmless.placeholder(value) or harmless.hashed(value):
        return None
    name = head.name.lower()
    if any(word in name for word in _UNRELATED) or name.endswith("author"):
        return None
    words = [word.lower() for word in _WORDS.findall(head.name)]
    about = bool(words) and (words[-1] in ABOUT or (words[-1] == "s" and len(words) > 1 and words[-2] in ABOUT))
    if not about or words[-1] in {"code", "id", "hash", "env", "prod", "service"}:
        provider = _provider("_" + "_".join(words), value)
        if provider is not None and not about:
            return Verdict(provider, 0.95, Rank.NAMED)
    if about:
        return None
    return _generic(head, name, words)


def _provider(name: str, value: str) -> str | None:
    if not 6 <= len(value) <= 300 or harmless.word(value):
        return None
    for word, forms in _BY_NAME.items():
        if word in name:
            for named, form in forms:
                if form.fullmatch(value) and (random_looking(value) or mixed(value)) and not harmless.located(value):
                    return named.rule
    return None


def _generic(head: Head, name: str, words: list[str]) -> Verdict | None:
    value = head.value
    if any(character.isspace() for character in value) or harmless.word(value) or harmless.located(value):
        return None
    if not head.quoted and harmless.code(value) and not (head.line and _drawn(value)):
        return None
    if any(word in name for word in _PASSWORDS) or "pass" in words or "pw" in words or "pin" in words:
        return Verdict("generic_password", 0.8) if _password(head, name) else None
    squashed = name.replace("_", "").replace("-", "")
    if _squash(value) in squashed or squashed in _squash(value):
        return None
    strong = bool(KEYS.intersection(words)) or _key(words) or squashed.rstrip("0123456789").endswith(_COMPOUND)
    if strong and head.name.isascii() is False and len(value) >= 8 and mixed(value):
        return Verdict("generic_key", 0.7)
    if words[-1:] == ["auth"] and _basic(value):
        return Verdict("basic_auth", 0.95, Rank.NAMED)
    if harmless.number(value):
        return None
    if strong and _drawn(value):
        return Verdict("generic_key", 0.7)
    if "secret" in words and not head.prose and (head.quoted or head.line) and _password(head, name):
        return Verdict("generic_secret", 0.6)
    weak = "key" in words or "token" in name or "secret" in name
    if weak and len(value) >= 24 and not harmless.uuid(value) and random_looking(value) and not _hexadecimal(value):
        return Verdict("generic_key", 0.5)
    return None


_COMPOUND: Final = (
    "apikey",
    "secretkey",
    "accesskey",
    "privatekey",
    "authkey",
    "accesstoken",
    "authtoken",
    "clientsecret",
    "appsecret",
    "encryptionkey",
    "signingkey",
    "appkey",
    "masterkey",
    "sharedkey",
    "accountkey",
)


def _squash(value: str) -> str:
    return "".join(character for character in value.lower() if character.isalnum())


def _key(words: list[str]) -> bool:
    """Whether the words name a key that opens something: `api key`, `ENCRYPTION_KEY`."""
    return any(
        word in {"key", "keys"}
        and (words[max(0, index - 1)] in QUALIFIERS or any(w in QUALIFIERS for w in words[:index]))
        for index, word in enumerate(words)
    )


def _drawn(value: str) -> bool:
    """Whether a value may be a generated key."""
    if len(value) >= 16:
        return random_looking(value)
    return len(value) >= 10 and random_looking(value) and mixed(value)


def _hexadecimal(value: str) -> bool:
    return all(character in HEX for character in value)


def _basic(value: str) -> bool:
    data = decoded(value) if len(value) >= 8 else None
    return data is not None and b":" in data and data.isascii() and data.decode().isprintable()


def _password(head: Head, name: str) -> bool:
    """Whether a value given to a password is one, and not a word, a label or a reference."""
    value = head.value
    if not 4 <= len(value) <= 128 or value.lower() in name or (harmless.uuid(value) and head.prose):
        return False
    letters = sum(character.isalpha() for character in value)
    digits = sum(character.isdigit() for character in value)
    others = len(value) - letters - digits
    symbols = others - sum(value.count(plain) for plain in "_-./: ")
    settled = head.quoted or head.line
    if letters and digits:
        return len(value) >= 6 if settled else len(value) >= 6 and (symbols > 0 or digits >= 2)
    if letters and symbols:
        return (
            len(value) >= 6
            and not value.endswith(("...", ":", "?"))
            and (settled or symbols > 1)
            and value[0] not in "!*/\\"
        )
    if digits and not letters:
        return (settled and (symbols > 0 or len(value) >= 5) and not harmless.number(value)) or (
            digits == len(value) >= 5 and settled
        )
    if not letters:
        return False
    rare = rareness(value)
    return (
        settled
        and len(value) >= 6
        and (not wordlike(value) if rare is not None else not value.islower() and not value.istitle())
    )
