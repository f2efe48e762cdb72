"""Places in a text where a value is given a name: `password = "…"`, `"api_key": "…"`, `<secret>…`, `--token …`.

RE2 finds the heads, up to the first characters of the value; the value is then cut out by its quotes or its end.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import re2

from airside.guards.secrets.formats import NAMED
from airside.guards.secrets.shape import random_letters
from airside.guards.secrets.vocabulary import QUALIFIERS

VALUE_CHARS_MIN: Final = 4
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
        "identified by",
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
    *("المرور", "السر", "סיסמ", "पासवर्ड", "khẩu", "sandi", "รหัสผ่าน", "κωδικ"),
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
_TAGS: Final = (
    r"(?:[ \t]{0,4}</?[\w:.-]{1,40}[^<>\n]{0,60}>\s{0,40}){1,3}"
    r"|(?:[ \t]{1,4}[\w:.-]{1,40}=\"[^\"<>\n]{0,60}\"){0,3}[ \t/]{0,4}>\s{0,20}"
    r"(?:<[\w:.-]{1,40}>\s{0,20}){0,2}(?:<!\[CDATA\[)?"
)
_ATTRIBUTE: Final = r"[ \t]{0,8},?\s{0,40}[\"']?(?:default_?)?value[\"']?[ \t]{0,8}[:=][ \t]{0,8}"
_QUOTED_ONLY: Final = r"(?:[ \t]{0,8}[,(]\s{0,40}|[ \t]{1,8})"
_VERB: Final = r"[ \t]{1,3}(?:is|was|ist|est|es|é|são|war|will be|are)[ \t:]{1,4}"
# The match takes in the first characters of the value, a fixed number: most heads have none and are passed over.
_WRAP: Final = r"(?:\[\]byte|Buffer\.from|bytes|new String|String|str|SecureString|b64decode|Some|Secret)\("
_WITHIN: Final = r"[^\s\"'`]{4}"
_FIRST: Final = r"[^\s\"'`=,;:(){}<>\[\]$&|?][^\s\"'`=,;(){}<>\[\]]{3}"
_HEAD: Final = (
    rf"(?:{'|'.join((*_SECRETS, *(re.escape(name) for name in _PROVIDERS)))})[\pL\pN_.\-]{{0,40}}{_CLOSE}"
    rf"(?:(?:{_SIGN}|{_ATTRIBUTE}|{_TAGS}|{_VERB})(?:(?:{_WRAP})?{_OPEN}{_WITHIN}|{_FIRST})|{_QUOTED_ONLY}{_OPEN}{_WITHIN})"
)
_FLAG: Final = rf"--?[a-z-]{{0,30}}(?:{'|'.join(_SECRETS[:20])})[a-z-]{{0,20}}[ \t]{{1,4}}(?:{_OPEN}{_WITHIN}|{_FIRST})"
_NAME_CHARS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-$"
_QUOTES: Final = frozenset("\"'`")
_PAIR: Final = re.compile(r"[;&][A-Za-z_ .]{2,40}=")  # the next of several
_PAIRS: Final = frozenset("?&;")  # before names in addresses and connection strings
_VALUE: Final = re.compile(
    r"(?:\s{1,20}value\s{0,4}=\s{0,4}[\"']|\s{0,4}>\s{0,20}|\s{0,4},\s{0,20}[\"'][Vv]alue[\"']\s{0,4}:\s{0,4}[\"'])([^\s\"'<]{4,1024})"
)
_NAME: Final = re.compile(r"[\w.$-]+")
_SCHEME: Final = re.compile(
    r"(?:[Bb]earer|[Tt]oken|[Bb]asic|SSWS|[Aa]pi-?[Kk]ey|GenieKey|[Dd]iscogs|OAuth|[Kk]ey) (?=[^\s=:\"'])"
)
_FLAG_BEGINS: Final = re.compile("--[A-Za-z]")  # not so the rules of tables
_PLAIN: Final = re.compile(r"[A-Za-z_.:(,;\-]+[)\]]*")
_INNER: Final = re.compile(r"[A-Za-z_][\w.-]{1,40}=(?=[^=])")
_RUN: Final = re.compile(r"[^\s\"'`]{1,1024}")
_QUOTED: Final = {quote: re.compile(rf"[^{quote}\n]{{1,1024}}") for quote in "\"'`"}


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
    searched = text.encode() if text.isascii() else text  # the same places, and no offsets to convert
    for match in _HEADS.finditer(searched):
        head = _head(text, match.start(), match.end() - VALUE_CHARS_MIN)
        if head is not None:
            yield head
    if _FLAG_BEGINS.search(text):
        for match in _FLAGS.finditer(searched):
            head = _head(text, match.start(), match.end() - VALUE_CHARS_MIN)
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
    """Return the head that ends where its value begins; None if what stands there is no value, which is most often."""
    scheme = _SCHEME.match(text, at)
    if scheme is not None:  # Authorization: Token …
        at, quote = scheme.end(), text[at - 1]
    else:
        quote = text[at - 1]
    found = _QUOTED[quote].match(text, at) if quote in _QUOTED else _RUN.match(text, at)
    if found is None:
        return None
    value, end = found.group(), found.end()
    quoted = quote in _QUOTED and text[end : end + 1] == quote
    if quoted:
        value = value.rstrip("\\")
        if " " in value or len(value) < VALUE_CHARS_MIN:
            return None
        inner = _INNER.match(value)
        if inner is not None:
            begin, at, value = at, at + inner.end(), value[inner.end() :]
        called = _NAME.match(text, begin)
        said = quote == "`" and called is not None and text[called.end() : at - 1].isspace()
        head = Head(_name(text, begin), value, at, at + len(value), quoted=True, line=False, prose=said)
        return _attribute(text, head) if called is not None and called.group().lower() in {"key", "keyname"} else head
    return _bare(text, begin, at, value)


def _attribute(text: str, head: Head) -> Head:
    """Return what an element's own value is, where a head is only its key: `<add key="Password" value="…"/>`."""
    value = _VALUE.match(text, head.end + 1)
    if value is None:
        return head
    return Head(head.value, value.group(1), value.start(1), value.end(1), quoted=True, line=False, prose=False)


def _bare(text: str, begin: int, at: int, value: str) -> Head | None:
    """Return the head of a value without quotes, or with one that nothing closes."""
    value = value.split(None, 1)[0]
    end = at + len(value)
    lead = text[max(0, begin - NAME_CHARS_MAX) : begin].rstrip(_NAME_CHARS)[-1:]
    line = (
        lead in _PAIRS
        or text[at - 1] == ">"
        or text.startswith("--", begin - 2)
        or (lead in _QUOTES and text[end : end + 1] == lead)  # a header, quoted as a whole
        or (value[-1] not in ",;" and _ends_line(text, end) and _begins_line(text, begin))
    )
    if value.startswith("//") or lead == "/":  # addresses are looked at as such
        return None
    if not line and _PLAIN.fullmatch(value) and (len(value) < 8 or not random_letters(value)):
        return None
    inner = _INNER.match(value)
    if inner is not None:  # password: key=…
        begin, at, value = at, at + inner.end(), value[inner.end() :]
    value = _cut(value, line=line and lead not in _PAIRS and text[at - 1] != ">")
    if len(value) < VALUE_CHARS_MIN:
        return None
    name = _name(text, begin)
    called = _NAME.match(text, begin)
    sign = text[called.end() if called is not None else begin : at]
    prose = sign[:1] == " " and not any(mark in sign for mark in "=:>-")
    return Head(name, value, at, at + len(value), quoted=False, line=line and "==" not in sign, prose=prose)


def _name(text: str, begin: int) -> str:
    """Return the whole name of which a part begins at a place."""
    lead = text[max(0, begin - NAME_CHARS_MAX) : begin]
    tail = _NAME.match(text, begin)
    name = lead[len(lead.rstrip(_NAME_CHARS)) :] + (tail.group() if tail is not None else text[begin : begin + 20])
    if lead[-1:] == " ":  # my api key
        word = lead.rsplit(None, 1)[-1:]
        if word and word[0].lower() in QUALIFIERS:
            return f"{word[0]}_{name}"
    return name


def _begins_line(text: str, at: int) -> bool:
    before = text[max(0, at - NAME_CHARS_MAX) : at].rstrip(_NAME_CHARS)
    lead = before[before.rfind("\n") + 1 :].strip(" \t\"'-#/*>")
    return lead in {"", "export", "set", "ENV", "ARG", "env", "declare -x", "setenv", "SET"}


def _ends_line(text: str, at: int) -> bool:
    rest = text[at : at + 3].lstrip(" \t\r")
    return not rest or rest[0] in "\n#"


def _cut(value: str, *, line: bool) -> str:
    """Return an unquoted value up to where it ends: of an address's query, of a list of pairs, of a sentence."""
    pair = _PAIR.search(value)
    if pair is not None:
        value = value[: pair.start()]
    if "&" in value and not line:
        value = value[: value.index("&")]
    if not line:
        for stop in (";", ",", "</", "<", "|", "&&", "\\n", "\\r", "\\t", "%22", "%26"):
            cut = value.find(stop)
            if cut > 0:
                value = value[:cut]
        value = value if value.endswith("..") else value.rstrip(".:")
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
        (
            *_SECRETS,
            *(re.escape(name) for name in _PROVIDERS),
            "basic",
            "machine",
            "curl",
            "wget",
            "docker",
            "mongo",
            "mysql",
            "mariadb",
        )
    )
)
