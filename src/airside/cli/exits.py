"""Exit codes, so that scripts can tell what happened without reading text. docs/cli.md lists them."""

from enum import IntEnum

from airside.core.errors import Code


class Exit(IntEnum):
    """What a command's exit code says."""

    OK = 0  # done; a waited-for run succeeded
    FAILED = 1  # the run did not succeed, or a check found something
    USAGE = 2  # the command line is wrong
    UNREACHABLE = 3  # airside, or its database, does not answer
    NOT_ALLOWED = 4  # no key, a wrong key, or one whose role does not suffice
    NOT_FOUND = 5  # nothing under this name
    REFUSED = 6  # airside refused: see the code in the message
    MISCONFIGURED = 7  # a setting or file is not usable
    WAITING = 8  # the run has not ended: a person must act, or --timeout passed
    PARTIAL = 9  # the run ended with a partial result, for instance because its budget was used up
    INTERNAL = 70  # a fault of airside
    INTERRUPTED = 130  # Ctrl+C


_OF_CODE = {
    Code.UNAUTHENTICATED: Exit.NOT_ALLOWED,
    Code.FORBIDDEN: Exit.NOT_ALLOWED,
    Code.NOT_FOUND: Exit.NOT_FOUND,
    Code.UNKNOWN_AGENT: Exit.NOT_FOUND,
    Code.JOURNAL_UNAVAILABLE: Exit.UNREACHABLE,
    Code.MISCONFIGURED: Exit.MISCONFIGURED,
    Code.INTERNAL: Exit.INTERNAL,
}
_OF_STATE = {"succeeded": Exit.OK, "partial": Exit.PARTIAL}
ENDED_BADLY = frozenset({"failed", "cancelled", "diverged", "escalated"})


def of_code(code: Code) -> Exit:
    """Return the exit code of an error."""
    return _OF_CODE.get(code, Exit.REFUSED)


def of_state(state: str) -> Exit:
    """Return the exit code that follows from how a run stands."""
    return Exit.FAILED if state in ENDED_BADLY else _OF_STATE.get(state, Exit.WAITING)
