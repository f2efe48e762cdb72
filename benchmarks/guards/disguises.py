"""Ways to write a text so that a filter does not see what a model still reads."""

import base64
import codecs
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

_LOOKALIKES: Final = str.maketrans("aceiopsxyACEHIKMOPTX", "асеіорѕхуАСЕНІКМОРТХ")
_LEET: Final = str.maketrans("aeiostAEIOST", "431057431057")


def _zalgo(text: str) -> str:
    return "".join(letter + "̴̈́" if letter.isalpha() else letter for letter in text)


def _full_width(text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)


def _spaced(text: str) -> str:
    return "   ".join(" ".join(word) for word in text.split())


def _tags(text: str) -> str:
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in text if " " <= letter <= "~")
    return f"A fine hotel.{hidden} Clean rooms."


def _bidi(text: str) -> str:
    return "".join(f"\u202e{word}\u202c\u200f " for word in text.split(" "))


DISGUISES: Final[dict[str, Callable[[str], str]]] = {
    "plain": lambda text: text,
    "base64": lambda text: f"See here: {base64.b64encode(text.encode()).decode()} and more.",
    "base64 twice": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "hex": lambda text: f"data {text.encode().hex()} end",
    "url": lambda text: f"https://example.com/?q={quote(text, safe='')}",
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "reversed": lambda text: text[::-1],
    "html": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "leet": lambda text: text.translate(_LEET),
    "zero width": "\u200b".join,
    "tags": _tags,
    "lookalikes": lambda text: text.translate(_LOOKALIKES),
    "full width": _full_width,
    "spaced": _spaced,
    "bidi": _bidi,
    "zalgo": _zalgo,
}
