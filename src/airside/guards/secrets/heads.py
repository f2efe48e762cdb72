"""Places in a text where a value is given a name: `password = "…"`, `"api_key": "…"`, `<secret>…`, `--token …`.

RE2 finds the heads, up to the first characters of the value; the value is then cut out by its quotes or its end.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import re2

from airside.guards.secrets.formats import NAMED

VALUE_CHARS_MIN: Final = 4
VALUE_CHARS_MAX: Final = 4_096
NAME_CHARS_MAX: Final = 60
_SECRETS: Final = (
    # English, and abbreviations that code uses everywhere
    *(
        "pass",
        "pwd",
        "psw",
        "pw",
        "secret",
        "token",
        "key",
        "auth",
        "cred",
        "passphrase",
        "bearer",
        "salt",
        "seed",
        "mnemonic",
    ),
    *("cookie", "session", "signature", "sig", "sas", "dsn", "webhook", "otp", "pin", "crypt", "login", "private"),
    # "password" in other languages
    *(
        "passwort",
        "kennwort",
        "geheim",
        "schlüssel",
        "schluessel",
        "contrase",
        "clave",
        "senha",
        "palavra-passe",
        "mot[ _-]?de[ _-]?passe",
        "mdp",
    ),
    *(
        "parola",
        "wachtwoord",
        "lösenord",
        "losenord",
        "adgangskode",
        "passord",
        "salasana",
        "hasło",
        "haslo",
        "heslo",
        "jelsz",
        "şifre",
        "sifre",
    ),
    *(
        "пароль",
        "секрет",
        "ключ",
        "токен",
        "密码",
        "密碼",
        "口令",
        "密钥",
        "パスワード",
        "暗証番号",
        "비밀번호",
        "암호",
    ),
    *("كلمة المرور", "كلمة السر", "סיסמ", "पासवर्ड", "mật khẩu", "kata sandi", "รหัสผ่าน", "κωδικ"),
)
_PROVIDERS: Final = sorted({name for named in NAMED for name in named.names})
_CLOSE: Final = r"[\"'`\]\)\\}*]{0,5}"
_OPEN: Final = r"(?:[bBrRuUfFL@]{0,2}\\{0,3}[\"'`]{1,3})"
# A type may stand between name and value, a block's mark or a line's end after the colon.
_SIGN: Final = (
    r"[ \t]{0,40}(?::[ \t]{0,4}&?[A-Za-z][\w.<>\[\]|?]{0,40}[ \t]{0,4})?"
    r"(?:\|\|=|\?\?=|[:?+]=|=>|={1,3}|!={1,2}|<-|->|:)"
    r"[ \t]{0,40}(?:[|>][+-]?[ \t]{0,4})?(?:\r?\n[ \t]{1,40})?"
)
_TAGS: Final = r"(?:[ \t]{0,4}</?[\w:.-]{1,40}[^<>\n]{0,60}>\s{0,40}){1,3}|[^<>\n=:\"']{0,4}>[ \t]{0,8}(?:<!\[CDATA\[)?"
_ATTRIBUTE: Final = r"[ \t]{0,8},?\s{0,40}[\"']?(?:default_?)?value[\"']?[ \t]{0,8}[:=][ \t]{0,8}"
_QUOTED_ONLY: Final = r"(?:[ \t]{0,8}[,(]\s{0,40}|[ \t]{1,8})"
_VERB: Final = r"[ \t]{1,3}(?:is|was|ist|est|es|é|são|war|will be|are)[ \t:]{1,4}"
_HEAD: Final = (
    rf"(?:{'|'.join((*_SECRETS, *(re.escape(name) for name in _PROVIDERS)))})[\pL\pN_.\-]{{0,40}}{_CLOSE}"
    rf"(?:(?:{_SIGN}|{_ATTRIBUTE}|{_TAGS}|{_VERB}){_OPEN}?|{_QUOTED_ONLY}{_OPEN})"
)
_FLAG: Final = rf"--?[a-z-]{{0,30}}(?:{'|'.join(_SECRETS[:20])})[a-z-]{{0,20}}[ \t]{{1,4}}{_OPEN}?"
_NAME_CHARS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-$"
_NOT_FIRST: Final = frozenset(" \t\r\n\"'`=,;(){}<>[]")
_NAME: Final = re.compile(r"[\w.$-]+")
_SCHEME: Final = re.compile(
    r"(?:[Bb]earer|[Tt]oken|[Bb]asic|SSWS|[Aa]pi-?[Kk]ey|GenieKey|[Dd]iscogs|OAuth|[Kk]ey) (?=[^\s=:\"'])"
)
_RUN: Final = re.compile(r"[^\s\"'`]{1,4096}")
_QUOTED: Final = {quote: re.compile(rf"[^{quote}\n]{{1,4096}}") for quote in "\"'`"}


class Head(NamedTuple):
    """A name and the value that it is given: characters [start, end) of the text.

    `quoted`: by its own quotes. `line`: the value is the rest of a line that begins with the name, as in settings.
    `prose`: a verb or only a space stands between them.
    """

    name: str
    value: str
    start: int
    end: int
    quoted: bool
    line: bool
    prose: bool


def heads(text: str) -> Iterator[Head]:
    """Yield the named values of a text, in order; names may overlap values, so that nothing hides in one."""
    for match in _HEADS.finditer(text):
        head = _head(text, match.start(), match.end())
        if head is not None:
            yield head
    if "--" in text:
        for match in _FLAGS.finditer(text):
            head = _head(text, match.start(), match.end())
            if head is not None:
                yield head


def first_name(text: str) -> int | None:
    """Return where the first name in a text begins, or a word after which a secret may follow; None without any."""
    match = _NAMES.search(text)
    if match is None:
        return None
    lead = text[: match.start()]
    return len(lead.rstrip(_NAME_CHARS))


def _head(text: str, begin: int, at: int) -> Head | None:
    if at >= len(text) or text[at] in _NOT_FIRST:
        return None
    between = text[begin:at]
    quote = text[at - 1]
    scheme = _SCHEME.match(text, at)
    if scheme is not None:  # Authorization: Token …
        at = scheme.end()
    quoted = quote in _QUOTED and not between.endswith(("']" + quote, '"]' + quote))
    found = (_QUOTED[quote] if quoted else _RUN).match(text, at)
    if found is None:
        return None
    end = found.end()
    if quoted:
        quoted = end < len(text) and text[end] == quote
        value = found.group().rstrip("\\") if quoted else found.group()
        if not quoted:  # the closing quote is missing: the value ends like one without quotes
            value = value.split(None, 1)[0] if value.split(None, 1) else ""
    else:
        value = found.group()
    line = False
    name = _NAME.match(between)
    called = between if name is None else name.group()
    lead = text[max(0, begin - NAME_CHARS_MAX) : begin]
    left = lead[len(lead.rstrip(_NAME_CHARS)) :]
    prose = False
    if not quoted:
        sign = between[len(called) :]
        prose = sign[:1] == " " and not any(mark in sign for mark in "=:>-")
        line = (
            _begins_line(text, begin - len(left))
            and "==" not in sign
            and _ends_line(text, end)
            and value[-1] not in ",;"
        )
        value = _cut(value, text, begin - len(left), line)
    if len(value) < VALUE_CHARS_MIN:
        return None
    return Head(left + called, value, at, at + len(value), quoted, line, prose)


def _begins_line(text: str, at: int) -> bool:
    before = text[max(0, at - 40) : at]
    lead = before[before.rfind("\n") + 1 :].strip(" \t\"'-#/*>")
    return lead in {"", "export", "set", "ENV", "ARG", "env", "declare -x", "setenv", "SET"}


def _ends_line(text: str, at: int) -> bool:
    rest = text[at : at + 3].lstrip(" \t\r")
    return not rest or rest[0] in "\n#"


def _cut(value: str, text: str, begin: int, line: bool) -> str:
    """Return an unquoted value up to where it ends: of an address's query, of a list of pairs, of a sentence."""
    if "&" in value and begin and text[begin - 1] in "?&;":
        value = value[: value.index("&")]
    if not line:
        for stop in (";", ",", "</", "<", "|", "&&", "\\n", "\\r", "\\t", "%22", "%26"):
            cut = value.find(stop)
            if cut > 0:
                value = value[:cut]
        value = value if value.endswith("..") else value.rstrip(".!?:")
        while value and value[-1] in ")]}" and value.count(_PARTNER[value[-1]]) < value.count(value[-1]):
            value = value[:-1]
    return value.rstrip("\\")


_PARTNER: Final = {")": "(", "]": "[", "}": "{"}


def _compiled(expression: str) -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = 64 << 20
    return re2.compile(expression, options)


_HEADS: Final = _compiled(_HEAD)
_FLAGS: Final = _compiled(_FLAG)
_NAMES: Final = _compiled(
    "|".join(
        (*_SECRETS, *(re.escape(name) for name in _PROVIDERS), "basic", "machine", "curl", "wget", "docker", "mongo")
    )
)
