"""The links of a text, in whatever way they are written, and how each would be followed. Pure and linear."""

import ipaddress
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import re2
from msgspec import Struct

LINKS_MAX: Final = 500
_BEFORE_CHARS: Final = 600


def _compiled(expression: str) -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    return re2.compile(expression, options)


_URL: Final = _compiled(
    r"(?:https?|ftp|wss?):/{1,3}[^\s<>\"'`\\]+"
    r"|(?:java|vb)script:[^\s<>\"'`]+"
    r"|data:(?:text/html|text/javascript|application/xhtml|image/svg)[^\s<>\"'`]*"
    r"|(?:\]\(\s*<?|(?:src|href|poster|data|srcset|action|background)\s*=\s*[\"']?|url\(\s*[\"']?|\]:\s*<?)"
    r"(?P<bare>[/\\]{2}[^\s<>\"'`]+)"
)
_IMAGE: Final = _compiled(r"!\[[^\[\]]{0,500}\]\(\s*<?$")
_TAG: Final = _compiled(
    r"<(?:img|image|iframe|frame|script|link|source|video|audio|embed|object|input|body|track|use)\b[^>]{0,500}"
    r"(?:src|href|poster|data|srcset|background)\s*=\s*[\"']?$"
)
_STYLE: Final = _compiled(r"(?:url\(|@import\s)\s*[\"']?$")
_DEFINITION: Final = _compiled(r"\[([^\[\]]{1,200})\]:\s*<?$")
_SHOWN: Final = _compiled(r"!\[([^\[\]]{0,200})\](?:\s?\[([^\[\]]{0,200})\])?")
_MAYBE: Final = _compiled(r":/|//|\\\\|script:|data:")


class Link(Struct, frozen=True):
    """A link in characters [start, end) of a text. `fetched` is whether it is followed without a click."""

    url: str
    start: int
    end: int
    fetched: bool

    @property
    def host(self) -> str:
        """The host, in lower case; empty if there is none."""
        try:
            return (urlsplit(self.url.replace("\\", "/")).hostname or "").rstrip(".")
        except ValueError:
            return ""

    @property
    def scheme(self) -> str:
        """What stands before the colon; empty for a link that takes its page's."""
        before, colon, _ = self.url.partition(":")
        return before.casefold() if colon and "/" not in before else ""


def links(text: str) -> list[Link]:
    """Return the links of a text, at most LINKS_MAX: Markdown, HTML, CSS, reference style, autolinks and bare ones."""
    if ":" not in text and "//" not in text and "\\\\" not in text:
        return []
    if not _MAYBE.search(text):
        return []
    shown: frozenset[str] | None = None
    found: list[Link] = []
    for match in _URL.finditer(text):
        start = match.start(1) if match.group(1) else match.start()
        before = text[max(0, start - _BEFORE_CHARS) : start]
        end = start + len(_trimmed(text[start : match.end()], inside=before[-1:] in {"(", "<", '"', "'"}))
        fetched = bool(_IMAGE.search(before) or _TAG.search(before) or _STYLE.search(before))
        named = _DEFINITION.search(before)
        if named and not fetched:
            shown = _shown(text) if shown is None else shown
            fetched = named.group(1).casefold() in shown
        found.append(Link(text[start:end], start, end, fetched))
        if len(found) == LINKS_MAX:
            break
    return found


def _trimmed(url: str, *, inside: bool) -> str:
    """Return a link without the punctuation of the sentence, or the bracket, that it stands in."""
    depth = 0
    for index, char in enumerate(url):
        if char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth < 0:
                url = url[:index]
                break
    return url if inside else url.rstrip(".,;:!?*_]}|")


def _shown(text: str) -> frozenset[str]:
    """Return the names of the images that a text shows by reference."""
    return frozenset((match.group(2) or match.group(1)).casefold() for match in _SHOWN.finditer(text))


def is_address(host: str) -> bool:
    """Whether a host is a network address, in any usual spelling, and not a name."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.replace(".", "").isdigit() or host.startswith("0x")
    return True


def fits(host: str, patterns: Sequence[str]) -> bool:
    """Whether a host is one of those: a name is itself, `*.name` what is under it, `*` any."""
    for pattern in patterns:
        name = pattern.casefold().rstrip(".")
        if name in {"*", host} or (name.startswith("*.") and host.endswith(name[1:])):
            return True
    return False
