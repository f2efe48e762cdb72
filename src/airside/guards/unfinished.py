"""From where on the end of a text may still become a finding, by the guards that may change the text."""

import re
from collections.abc import Collection, Mapping
from typing import Final

from airside.guards.finding import Guard
from airside.guards.personal import unfinished as personal
from airside.guards.secrets import unfinished as secrets
from airside.guards.secrets.heads import first_name
from airside.guards.stream import Near, OpenAt

_ANY_CHARS: Final = 96
"""How far back a guard may look that does not say what it waits for."""

_PLACEHOLDER_CHARS: Final = 50

_KNOWN: Final[Mapping[Guard, OpenAt]] = {Guard.SECRETS: secrets.open_at, Guard.PERSONAL: personal.open_at}


def open_at(guards: Collection[Guard]) -> OpenAt:
    """Return the function that says where the end of a text is still open for these guards, and for placeholders."""
    if not guards:
        return placeholder_open_at
    asked = [_KNOWN[guard] for guard in guards if guard in _KNOWN]
    unknown = any(guard not in _KNOWN and guard not in _BY_WORD for guard in guards)

    def earliest(text: str) -> int | None:
        first = _any_at(text) if unknown else _word_at(text)
        for one in asked:
            at = one(text)
            if at is not None and at < first:
                first = at
        placeholder = placeholder_open_at(text)
        first = first if placeholder is None else min(first, placeholder)
        return first if first < len(text) else None

    return earliest


_LOUD: Final = re.compile(r"\S{12,}|//|\\\\|[tT]:|data:|BEGIN|----|PuTTY|(?:\d\D{0,3}){6}")
_LOUD_CHARS: Final = 96
_WITH_NEAR: Final = frozenset(
    {Guard.SECRETS, Guard.EXFILTRATION, Guard.SCHEMA, Guard.RULES, Guard.TOOLS, Guard.REFUSAL}
)


def near(guards: Collection[Guard]) -> Near | None:
    """Return the cheap look by which most text is known to hold nothing for these guards; None if there is none.

    Without a name before it a secret is one long run of characters, or a block; a link has its slashes.
    """
    if not _WITH_NEAR.issuperset(guards):
        return None
    return _near_secrets if guards else _near_placeholders


def _near_secrets(text: str) -> int:
    if first_name(text) is not None:
        return secrets.NAME_CHARS
    return _LOUD_CHARS if "<" in text or _LOUD.search(text) else 0


def _near_placeholders(text: str) -> int:
    return _PLACEHOLDER_CHARS if "<" in text else 0


_BY_WORD: Final = frozenset({Guard.EXFILTRATION, Guard.SCHEMA, Guard.RULES, Guard.TOOLS, Guard.REFUSAL})
"""Guards that find words whole, or nothing before the end."""


def placeholder_open_at(text: str) -> int | None:
    """Return where a placeholder begins that has not ended."""
    at = text.rfind("<", max(0, len(text) - _PLACEHOLDER_CHARS))
    return at if at >= 0 and ">" not in text[at:] else None


def _word_at(text: str) -> int:
    """Return where the last word begins; the end of a text that ends between words."""
    return max(text.rfind(" "), text.rfind("\n"), text.rfind("\t")) + 1


def _any_at(text: str) -> int:
    """Return where the words begin that such a guard may still need."""
    start = len(text) - _ANY_CHARS
    if start <= 0:
        return 0
    space = text.rfind(" ", 0, start)
    return space + 1 if space >= 0 else start
