"""Three-valued logic (Kleene): whether a condition holds, does not, or cannot be told.

What cannot be told counts against the call: it satisfies no allowing rule, and it does satisfy those that ask or deny.
"""

from collections.abc import Iterable

Truth = bool | None
"""True, False, or None for what cannot be told."""


def all_of(truths: Iterable[Truth]) -> Truth:
    """Return whether all hold: one that does not decides, and only then one that cannot be told."""
    whole: Truth = True
    for truth in truths:
        if truth is False:
            return False
        if truth is None:
            whole = None
    return whole


def any_of(truths: Iterable[Truth]) -> Truth:
    """Return whether any holds."""
    return negated(all_of(negated(truth) for truth in truths))


def negated(truth: Truth) -> Truth:
    """Return the opposite; what cannot be told stays so."""
    return None if truth is None else not truth
