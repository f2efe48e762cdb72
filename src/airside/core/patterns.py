"""Patterns of names, as settings, manifests and tokens write them: `*` is any text, everything else is itself.

Rules of policy have patterns of their own (`policy/globs.py`): for them a look-alike must not pass for the name.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase


def fits(name: str, pattern: str) -> bool:
    """Return whether a name is what a pattern says; brackets and question marks stand for themselves."""
    if "*" not in pattern:
        return name == pattern
    return fnmatchcase(name, pattern.replace("[", "[[]").replace("?", "[?]"))


def fits_any(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a name is what one of several patterns says."""
    return any(fits(name, pattern) for pattern in patterns)
