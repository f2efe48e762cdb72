"""The words in which people say what arguments are and what results hold, as what policy and provenance read."""

from collections.abc import Mapping

from airside.core.tool import ArgumentRole, FieldLabel


def roles(said: Mapping[str, str]) -> dict[str, ArgumentRole]:
    """Return the roles of arguments by their paths; raises ValueError for a role that does not exist."""
    known = set(ArgumentRole)
    if unknown := sorted(set(said.values()) - known):
        raise ValueError(f"{unknown[0]!r} is no role; use one of {', '.join(sorted(known))}")
    return {path: ArgumentRole(role) for path, role in said.items()}


def labels(said: Mapping[str, str]) -> dict[str, FieldLabel]:
    """Return the labels of a result's fields by their paths; raises ValueError for a word that is no label."""
    return {path: label(text) for path, text in said.items()}


def label(text: str) -> FieldLabel:
    """Return `trusted`, `untrusted`, `secret` or `trusted secret` as a label; raises ValueError for other words."""
    words = text.split()
    if not words or set(words) - {"trusted", "untrusted", "secret"} or {"trusted", "untrusted"} <= set(words):
        raise ValueError(f"{text!r} is no label; use trusted, untrusted, secret or `trusted secret`")
    return FieldLabel(trusted="trusted" in words, secret="secret" in words)
