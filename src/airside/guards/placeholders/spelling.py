"""How placeholders are spelled: `<KIND_NUMBER>`, and how a text's are found and put back. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Final

_SPELLED: Final = re.compile(r"<([A-Z][A-Z0-9_]{0,39})_([1-9][0-9]{0,5})>")  # linear: its parts cannot trade characters
_KIND: Final = re.compile(r"[A-Z][A-Z0-9_]{0,39}")


PUT_BACK: Final = "put_back"
"""What the notes of a call say that holds values in the place of placeholders: such an answer is its run's alone."""


def spelled(kind: str, number: int) -> str:
    """Return the placeholder of a kind's value by its number."""
    return f"<{kind}_{number}>"


def is_kind(kind: str) -> bool:
    """Whether placeholders can be of such a kind: upper case, digits and underscores, at most 40 characters."""
    return _KIND.fullmatch(kind) is not None


def placeholders_in(text: str) -> list[str]:
    """Return what is spelled like a placeholder in a text, each once, in order; the run's vault says which are some."""
    if "<" not in text:
        return []
    return list(dict.fromkeys(match.group(0) for match in _SPELLED.finditer(text)))


def found_in(text: str) -> list[tuple[str, int]]:
    """Return what is spelled like a placeholder in a text and where each begins, in order."""
    return [(match.group(0), match.start()) for match in _SPELLED.finditer(text)] if "<" in text else []


def kind_of(placeholder: str) -> str:
    """Return the kind that a placeholder names."""
    return placeholder[1:-1].rpartition("_")[0]


def put_back(text: str, values: Mapping[str, str]) -> str:
    """Return a text with every placeholder that has a value replaced by it, in one pass: values are not looked into."""
    if not values or "<" not in text:
        return text
    return _SPELLED.sub(lambda match: values.get(match.group(0), match.group(0)), text)


def put_back_where(text: str, values: Mapping[str, str], allowed: Callable[[int], bool]) -> str:
    """Return a text with placeholders replaced as `put_back` does, those that begin where it is allowed."""
    return _SPELLED.sub(lambda m: values.get(m.group(0), m.group(0)) if allowed(m.start()) else m.group(0), text)
