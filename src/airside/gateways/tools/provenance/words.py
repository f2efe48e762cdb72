"""Which parts of a run's input are the user's own words, and which somebody else wrote."""

from collections.abc import Sequence
from typing import Any

from airside.policy.provenance.paths import fits, leaves, split


def words_of(value: Any, own: Sequence[str], untrusted: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the scalars of an input by their paths: the user's own, and the others.

    `own` are the paths of the user's words (`question`, `messages.*.text`; none means all), `untrusted` those of what
    others wrote, which beats `own`. Raises nothing: a path that is not there names nothing.
    """
    mine: dict[str, Any] = {}
    foreign: dict[str, Any] = {}
    for leaf in leaves(value):
        is_own = not own or any(fits(split(path), leaf.path) for path in own)
        is_foreign = any(fits(split(path), leaf.path) for path in untrusted)
        (mine if is_own and not is_foreign else foreign)[leaf.name] = leaf.value
    return mine, foreign
