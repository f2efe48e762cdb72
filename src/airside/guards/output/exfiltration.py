"""Links in answers that carry data away: by an image that is fetched unasked, or by a click.

What is told to a server is in a link's path, query, fragment and subdomain. A link that stands in the conversation word
for word can carry only what is in there; one that the model made can carry anything it has read.
"""

import base64
import binascii
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import unquote_plus, urlsplit

from msgspec import Struct

from airside.guards.finding import Finding, Guard
from airside.guards.output.links import Link, fits, is_address, links

CARRIES: Final = "LINK_WITH_DATA"
RUNS: Final = "SCRIPT_LINK"
_LONG_CHARS: Final = 40
_ENCODED_CHARS: Final = 20
_ENTROPY_MIN: Final = 3.6  # bits a character; words of a path stay below
_WORDS: Final = 5
_HOST_LABEL_CHARS: Final = 25
_SCRIPTS: Final = frozenset({"javascript", "vbscript", "data"})
_B64: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")
_HEX: Final = frozenset("0123456789abcdefABCDEF")


class Talk(Struct, frozen=True):
    """What an answer's links are judged by. `hosts` are allowed by the settings.

    `named` is whether the user or the developer named a host; `quoted` whether a link stands in the conversation.
    """

    hosts: Sequence[str]
    named: Callable[[str], bool]
    quoted: Callable[[str], bool]


def found(text: str, talk: Talk, secrets: Sequence[tuple[int, int]] = ()) -> list[Finding]:
    """Return the links of an answer that may carry data away. `secrets` are spans of what must not leave."""
    return [finding for link in links(text) if (finding := _finding(link, talk, secrets)) is not None]


def _finding(link: Link, talk: Talk, secrets: Sequence[tuple[int, int]]) -> Finding | None:
    if link.scheme in _SCRIPTS:
        return _of(link, "script_link", RUNS, 1.0)
    host = link.host
    if not host or fits(host, talk.hosts):
        return None
    if any(start < link.end and end > link.start for start, end in secrets):
        return _of(link, "data_in_image" if link.fetched else "data_in_link", CARRIES, 1.0)
    if talk.quoted(link.url):
        return None
    named = talk.named(host)
    score = carried(link.url)
    if score == 1.0 or (score and link.fetched and not named):
        return _of(link, "data_in_image" if link.fetched else "data_in_link", CARRIES, score)
    if named:
        return None
    if "@" in urlsplit(link.url).netloc or _disguised(host):
        return _of(link, "disguised_host", "disguised_host", 0.8)
    if link.fetched:
        return _of(link, "image_elsewhere", "image_elsewhere", 0.6)
    if is_address(host):
        return _of(link, "link_to_address", "link_to_address", 0.5)
    return _of(link, "opaque_link", "opaque_link", 0.3) if score else None


def _of(link: Link, rule: str, kind: str, score: float) -> Finding:
    return Finding(guard=Guard.EXFILTRATION, rule=rule, kind=kind, start=link.start, end=link.end, score=score)


def _disguised(host: str) -> bool:
    """Whether a host is written to look like another: letters of other alphabets, plain or as punycode."""
    return not host.isascii() or any(label.startswith("xn--") for label in host.split("."))


def carried(url: str) -> float:
    """Return how sure it is that a link carries data: 1 for readable text that is encoded, less for what looks so."""
    try:
        parts = urlsplit(url.replace("\\", "/"))
        labels = (parts.hostname or "").split(".")[:-2]
    except ValueError:
        return 0.9
    values = [value.partition("=")[2] or value for value in parts.query.replace(";", "&").split("&") if value]
    values += [segment for segment in parts.path.split("/") if segment]
    values += [parts.fragment] if parts.fragment else []
    return max([*map(_value, values), *map(_label, labels)], default=0.0)


def _label(label: str) -> float:
    if len(label) >= _HOST_LABEL_CHARS and _entropy(label) > _ENTROPY_MIN - 0.4:
        return 0.9
    return 0.0


def _value(value: str) -> float:
    plain = unquote_plus(value)
    if _readable(plain):
        return 1.0
    if len(plain) >= _LONG_CHARS and "-" not in plain and _entropy(plain) > _ENTROPY_MIN and not _is_hash(plain):
        return 0.9
    words = plain.split()
    return 0.9 if len(words) >= _WORDS and len(plain) >= _LONG_CHARS else 0.0


def _is_hash(text: str) -> bool:
    return len(text) <= 128 and set(text) <= _HEX


def _readable(text: str) -> bool:
    """Whether this is text in base64 or hex."""
    if len(text) < _ENCODED_CHARS:
        return False
    letters = set(text)
    if letters <= _HEX and len(text) % 2 == 0:
        return _is_text(bytes.fromhex(text))
    if not letters <= _B64:
        return False
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return _is_text(base64.b64decode(bare + "=" * (-len(bare) % 4)))
    except (ValueError, binascii.Error):
        return False


def _is_text(data: bytes) -> bool:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return len(text) >= 10 and sum(char.isprintable() or char in "\n\t\r" for char in text) == len(text)


def _entropy(text: str) -> float:
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


def open_at(text: str) -> int | None:
    """Return where the end of a text may still become a link: its last word, if that has what links have."""
    start = max(text.rfind(" "), text.rfind("\n"), text.rfind("\t")) + 1
    return start if start < len(text) else None
