"""The syntax of handles: `secret://STORE/NAME` or `secret://STORE/NAME#FIELD`, in ASCII, exactly so spelled.

What looks like a handle and is none (other case, look-alike letters, `..`) names nothing and stays the text it is.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from airside.core.errors import AirsideError, Code

SCHEME: Final = "secret://"
NAME_CHARS_MAX: Final = 512

_STORE = r"[a-z][a-z0-9_-]{0,62}"
_SEGMENT = r"[A-Za-z0-9_+=@-][A-Za-z0-9_+=@.-]*"
_NAME = rf"{_SEGMENT}(?:/{_SEGMENT})*"
_FIELD = r"[A-Za-z0-9_.-]{1,128}"
_HANDLE = re.compile(rf"{SCHEME}(?P<store>{_STORE})/(?P<name>{_NAME})(?:#(?P<field>{_FIELD}))?")
_RUN = re.compile(rf"{SCHEME}[^\s\"'<>(){{}}\[\],;|&]*")
_BEFORE = re.compile(r"[A-Za-z0-9_]$")


class Handle(NamedTuple):
    """A name for a secret. It is no secret itself: agents, logs and journals may hold it."""

    store: str
    name: str
    field: str = ""

    def __str__(self) -> str:
        return f"{SCHEME}{self.store}/{self.name}" + (f"#{self.field}" if self.field else "")


class Place(NamedTuple):
    """A handle inside a text, from `start` to `end`; None for what begins like a handle and is none."""

    start: int
    end: int
    handle: Handle | None


def parse(text: str) -> Handle:
    """Return the handle that a text is; raises AirsideError `invalid_request` if it is none."""
    found = _HANDLE.fullmatch(text)
    if found is None or len(found["name"]) > NAME_CHARS_MAX:
        raise AirsideError(
            Code.INVALID_REQUEST,
            "this is no handle of a secret",
            advice="A handle is secret://STORE/NAME or secret://STORE/NAME#FIELD, without `..` and escapes.",
        )
    return Handle(found["store"], found["name"], found["field"] or "")


def handles_in(text: str) -> Iterator[Place]:
    """Yield what stands for a secret in a text, from left to right.

    A handle ends at white space, a quote, a bracket or one of `,;|&`; a full stop or colon at its end is not its.
    """
    if SCHEME not in text:
        return
    for run in _RUN.finditer(text):
        if _BEFORE.search(text[: run.start()][-1:]):
            continue  # `topsecret://…` is another scheme
        spelled = run[0].rstrip(".:") if run.end() < len(text) or run.start() else run[0]
        try:
            handle = parse(spelled)
        except AirsideError:
            handle = None
        yield Place(run.start(), run.start() + len(spelled), handle)
