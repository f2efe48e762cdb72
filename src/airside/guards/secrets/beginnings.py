"""Where a key may begin: not in the middle of a word, but after the end of an escape."""

from typing import Final

_ESCAPED: Final = frozenset("nrtbf")


def begins(text: str, at: int) -> bool:
    """Whether a token may begin here: after no letter or digit, unless those are an escape's end."""
    if at == 0:
        return True
    before = text[at - 1]
    if before == "." and at >= 2 and text[at - 2].isalnum():  # a name's last part
        return False
    if not (before.isascii() and before.isalnum()):
        return True
    if before in _ESCAPED and at >= 2 and text[at - 2] == "\\":
        return True
    if at >= 3 and text[at - 3] == "%":  # %3D
        return True
    return at >= 6 and text[at - 6 : at - 4] == "\\u"
