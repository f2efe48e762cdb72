"""The answer of a tool as it is journaled, sealed and replayed: the result, and the reviewer's edit if there was one.

`{"result": …}`, or `{"edited_arguments": {…}, "result": …}`: whoever reads the answer, now or in a replay, is told
that another call than the agent's was executed.
"""

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from airside.core.errors import AirsideError


class Answer(Struct, frozen=True):
    """A tool's answer. Both fields are JSON texts."""

    result: Raw
    edited_arguments: Raw | UnsetType = UNSET

    @property
    def edited(self) -> bool:
        """Whether a reviewer changed the arguments."""
        return self.edited_arguments is not UNSET


_decoder = msgspec.json.Decoder(Answer)


def pack(result: bytes, edited_arguments: bytes | None) -> bytes:
    """Return the canonical body of an answer; both parts are canonical JSON already."""
    if edited_arguments is None:
        return b'{"result":' + result + b"}"
    return b'{"edited_arguments":' + edited_arguments + b',"result":' + result + b"}"


def unpack(body: bytes) -> Answer:
    """Return the parts of a body that `pack` made."""
    return _decoder.decode(body)


def error_value(error: AirsideError) -> dict[str, Any]:
    """Return a failure as JSON for programs; the same on every face of the tool gateway."""
    return {
        "code": error.code.value,
        "message": error.message,
        "advice": error.advice,
        "details": dict(error.details),
    }


def edit_note(answer: Answer) -> str:
    """Return what an agent is told of an edit."""
    assert answer.edited_arguments is not UNSET, "there was no edit"
    return (
        "A reviewer changed the arguments of this call before it ran. It was executed with "
        f"{bytes(answer.edited_arguments).decode()} and answered:"
    )
