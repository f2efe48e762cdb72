"""What a server says of its tools, made fit to be shown to a model: names, texts and schemas. Pure decisions, no I/O.

Texts stay data, but lose what only serves to deceive: control characters, text direction, characters that cannot be
seen. Names that hold, or look like, another's are refused: a tool must not be taken for a different one.
"""

import hashlib
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from airside.core import canonical
from airside.core.errors import AirsideError
from airside.gateways.tools.declare import NAME

NAME_CHARS_MAX: Final = 64
DESCRIPTION_CHARS_MAX: Final = 8_000
NOTE_CHARS_MAX: Final = 2_000
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
_TWINS: Final = str.maketrans({"0": "o", "O": "o", "1": "l", "I": "l", "-": "_"})
_TEXTS: Final = frozenset({"description", "title", "$comment"})


def tool_name(prefix: str, native: str) -> str:
    """Return the name that agents see: `prefix` and the source's own, in the characters that every framework takes.

    Dots and slashes become underscores; what is too long is cut and ends in a hash. Raises ValueError, saying why, for
    a name with characters that may look like others, or none at all.
    """
    if not native.isascii() or not native.isprintable():
        raise ValueError("its name holds characters that cannot be told from others")
    name = prefix + "".join(char if char.isalnum() or char in "_-" else "_" for char in native)
    if not native.strip("_-. /") or not name:
        raise ValueError("it has no name")
    if len(name) > NAME_CHARS_MAX:
        name = f"{name[: NAME_CHARS_MAX - 9]}_{hashlib.sha256(native.encode()).hexdigest()[:8]}"
    if not NAME.fullmatch(name):
        raise ValueError("its name is not acceptable")
    return name


def skeleton(name: str) -> str:
    """Return a name without what the eye overlooks: two names with one skeleton are taken for each other."""
    return name.translate(_TWINS).casefold()


def plain(text: str, chars_max: int = DESCRIPTION_CHARS_MAX) -> str:
    """Return a text without characters that are not seen, cut to a length."""
    if not text.isascii() or not text.isprintable():
        text = "".join(char for char in text if char in "\n\t" or unicodedata.category(char) not in _INVISIBLE)
    text = text.strip()
    return text if len(text) <= chars_max else text[: chars_max - 1].rstrip() + "…"


def plain_schema(schema: Any) -> dict[str, Any]:
    """Return the JSON Schema of an object with its texts made plain; raises ValueError, saying why it is unusable."""
    if not isinstance(schema, Mapping):
        raise ValueError("its schema is no object")
    try:
        canonical.encode(schema)
    except AirsideError as error:
        raise ValueError(f"its schema is not acceptable: {error.message}") from None
    cleaned: dict[str, Any] = _cleaned(schema)
    if cleaned.setdefault("type", "object") != "object":
        raise ValueError("its schema is not that of an object")
    if any(plain(str(name)) != name for name in cleaned.get("properties") or {}):
        raise ValueError("an argument's name holds characters that are not seen")
    return cleaned


def shown(native: str) -> str:
    """Return a foreign name for messages and notices, with everything odd escaped."""
    return ascii(native)[1:-1][:NAME_CHARS_MAX]


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: plain(item, NOTE_CHARS_MAX) if key in _TEXTS and isinstance(item, str) else _cleaned(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return value
