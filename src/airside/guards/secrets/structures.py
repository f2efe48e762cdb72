"""Secrets that stand in a structure: addresses, headers, tokens of three parts, files of passwords, commands.

Each function is given a text and the place of the mark that it was called for, looks at a bounded part around it, and
yields what it finds there.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from airside.guards.secrets import harmless
from airside.guards.secrets.beginnings import begins
from airside.guards.secrets.blocks import pem, putty
from airside.guards.secrets.checksums import decoded, jwt
from airside.guards.secrets.hit import Hit, Rank
from airside.guards.secrets.shape import mixed, random_looking

_JWT: Final = re.compile(r"[A-Za-z0-9_-]{8,8192}\.[A-Za-z0-9_-]{0,8192}(?:\.[A-Za-z0-9_-]{0,8192}){1,3}")
_URL: Final = re.compile(r"[^\s:@/\"'`<>]{0,128}:([^\s\"'`<>/]{1,256})@(?=[\w\[.%$-])")
_URL_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]{20,255})@(?=\w)")
_SCHEME: Final = re.compile(r"[ \t]{1,4}([A-Za-z0-9+/=._~-]{8,8192})")
_NETRC: Final = re.compile(
    r"\S{1,255}\s{1,20}(?:(?:login|account|user)\s{1,20}\S{1,255}\s{1,20}){1,2}password\s{1,20}(\S{3,255})"
)
_PGPASS: Final = re.compile(r"[\w.*-]{1,255}:(?:[0-9]{2,5}|\*):[\w.*-]{1,64}:[\w.*-]{1,64}:(\S{3,255})[ \t]*$")
_CRYPT: Final = re.compile(r"\$(?:apr1|2[abxy]|1|5|6|7|y|argon2[a-z]{1,2})\$[A-Za-z0-9./$,=+]{20,200}")
_USER: Final = re.compile(r"[ =]{0,3}[\"']?([^\s:\"'$<>]{0,128})[\"']?:[\"']?([^\s\"'<>]{0,128})")
_MYSQL: Final = re.compile(r"-p[\"']?([^\s\"'$<>=-][^\s\"']{4,128})")
_SHORT_OPTION: Final = re.compile(r"[ ]{1,3}[\"']?([^\s\"'$<>{-][^\s\"']{3,128})")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/=]{40,65536}")
_NOUNS: Final = ("key", "token", "pass", "password", "passwd", "pwd", "pw", "secret", "id", "name", "auth", "user")
_CALLERS: Final = ("curl", "wget", "http ", "https ", "docker login", "svn ")


def tokens(text: str, at: int) -> Iterator[Hit]:
    """JSON Web Tokens: three parts (five, encrypted), the first of which is JSON that names an algorithm."""
    found = _JWT.match(text, at) if begins(text, at) else None
    if found is not None and jwt(found.group()):
        value = found.group().rstrip(".") if found.group().endswith("..") else found.group()
        if not any(word in value for word in ("...", "EXAMPLE")):
            yield Hit("json_web_token", "JWT", at, at + len(value), 1.0, Rank.STRUCTURE)


def addresses(text: str, at: int) -> Iterator[Hit]:
    """Addresses that carry a password, `scheme://user:password@host`, or a token in the user's place."""
    begin = at + len("://")
    found = _URL.match(text, begin)
    if found is not None:
        value = found.group(1)
        user = found.group()[: found.start(1) - begin - 1]
        if (
            not _stands_for(value)
            and value != user
            and "${" not in user
            and "{{" not in user
            and not value.startswith(("port", "8080"))
        ):
            yield Hit("url_password", "SECRET", found.start(1), found.end(1), 0.9, Rank.STRUCTURE)
        if len(user) >= 20 and (random_looking(user) or mixed(user)) and not harmless.placeholder(user):
            yield Hit("url_token", "SECRET", begin, begin + len(user), 0.9, Rank.STRUCTURE)
        return
    token = _URL_TOKEN.match(text, begin)
    if token is not None and random_looking(token.group(1)) and not harmless.placeholder(token.group(1)):
        yield Hit("url_token", "SECRET", token.start(1), token.end(1), 0.9, Rank.STRUCTURE)


def _stands_for(value: str) -> bool:
    if value.isalpha() and value.lower().endswith(_NOUNS):
        return True
    return len(value) < 3 or harmless.placeholder(value) or harmless.word(value) or (value.isdigit() and len(value) < 6)


def bearers(text: str, at: int) -> Iterator[Hit]:
    """What follows `Bearer`."""
    found = _SCHEME.match(text, text.index("earer", at) + 5)
    if found is not None:
        value = found.group(1).rstrip(".")
        if len(value) >= 16 and not harmless.placeholder(value) and (random_looking(value) or mixed(value)):
            yield Hit("bearer_token", "SECRET", found.start(1), found.start(1) + len(value), 0.9, Rank.NAMED)


def basics(text: str, at: int) -> Iterator[Hit]:
    """What follows `Basic`, if it is a user and a password in base64 (RFC 7617)."""
    found = _SCHEME.match(text, text.index("asic", at) + 4)
    data = decoded(found.group(1)) if found is not None and len(found.group(1)) <= 1024 else None
    if found is None or data is None or b":" not in data[1:-1] or not data.isascii() or not data.decode().isprintable():
        return
    if not _stands_for(data.decode().partition(":")[2]):
        yield Hit("basic_auth", "SECRET", found.start(1), found.end(1), 0.95, Rank.STRUCTURE)


def netrc(text: str, at: int) -> Iterator[Hit]:
    """Entries of `.netrc`."""
    found = _NETRC.match(text, at + len("machine "))
    if found is not None and not _stands_for(found.group(1)):
        yield Hit("netrc_password", "SECRET", found.start(1), found.end(1), 0.95, Rank.STRUCTURE)


def pgpass(text: str, at: int) -> Iterator[Hit]:
    """Lines of `.pgpass`: host, port, database, user, password."""
    begin = max(text.rfind("\n", max(0, at - 256), at) + 1, at - 256, 0)
    end = text.find("\n", at, at + 512)
    line = text[begin : min(at + 512, len(text) if end < 0 else end)]
    found = _PGPASS.match(line)
    if found is not None and not _stands_for(found.group(1)):
        yield Hit("pgpass_password", "SECRET", begin + found.start(1), begin + found.end(1), 0.95, Rank.STRUCTURE)


def crypted(text: str, at: int) -> Iterator[Hit]:
    """Hashes of passwords beside their users, as in `/etc/shadow` and `.htpasswd`: they can be guessed offline."""
    found = _CRYPT.match(text, at)
    if found is not None and at >= 2 and text[at - 1] == ":" and (text[at - 2].isalnum() or text[at - 2] in "_-"):
        yield Hit("password_hash", "SECRET", at, found.end(), 0.6, Rank.STRUCTURE)


def users(text: str, at: int) -> Iterator[Hit]:
    """`user:password` as an option of a command that speaks HTTP; either may be a token with the other left empty."""
    found = _USER.match(text, at + (6 if text.startswith("--user", at) else 2))
    if found is None or not any(caller in text[max(0, at - 400) : at] for caller in _CALLERS):
        return
    group = 2 if found.group(2) else 1
    start, end = found.span(group)
    while end > start and text[end - 1] in "\"'":
        end -= 1
    if not _stands_for(text[start:end].strip("{}")):
        yield Hit("command_password", "SECRET", start, end, 0.9, Rank.STRUCTURE)


def databases(text: str, at: int) -> Iterator[Hit]:
    """`-pPASSWORD`, as the commands of MySQL take it."""
    near = text[max(0, at - 200) : at]
    found = _MYSQL.match(text, at + 1) if "mysql" in near or "mariadb" in near or "mongo" in near else None
    if found is None and ("sshpass" in near[-12:] or "mongo" in near or "docker login" in near):
        found = _SHORT_OPTION.match(text, at + 3)
    if found is not None and not _stands_for(found.group(1)) and not harmless.located(found.group(1)):
        yield Hit("command_password", "SECRET", found.start(1), found.end(1), 0.8, Rank.STRUCTURE)


def wrapped(text: str, at: int) -> Iterator[Hit]:
    """Private keys in base64, as Kubernetes writes them: what begins so says `-----BEGIN`."""
    if at and (text[at - 1].isalnum() or text[at - 1] in "+/"):
        return
    found = _BASE64.match(text, at)
    data = decoded(found.group()[: len(found.group()) // 4 * 4]) if found is not None else None
    if found is not None and data is not None and b"PRIVATE KEY" in data[:64]:
        yield Hit("private_key_base64", "PRIVATE_KEY", at, found.end(), 1.0, Rank.BLOCK)


def keys(text: str, at: int) -> Iterator[Hit]:
    """Blocks of private keys."""
    block = putty(text, at) if text[at] == "P" else pem(text, at)
    if block is not None:
        yield Hit("private_key", "PRIVATE_KEY", block.start, block.end, 1.0 if block.closed else 0.9, Rank.BLOCK)


MARKS: Final[Mapping[str, Callable[[str, int], Iterator[Hit]]]] = {
    **dict.fromkeys(("-----BEGIN", "---- BEGIN SSH2", "PuTTY-User-Key-File-"), keys),
    **dict.fromkeys(("eyJ", "ewog", "ewoi"), tokens),
    "://": addresses,
    **dict.fromkeys(("Bearer", "bearer", "BEARER "), bearers),
    **dict.fromkeys(("Basic ", "basic "), basics),
    "machine ": netrc,
    **dict.fromkeys((":5432:", ":*:", ":5433:", ":6432:"), pgpass),
    **dict.fromkeys(("$apr1$", "$2a$", "$2b$", "$2y$", "$1$", "$5$", "$6$", "$y$", "$argon2"), crypted),
    **dict.fromkeys(("-u ", "--user"), users),
    " -p": databases,
    "LS0tLS1CRUdJTi": wrapped,
}
