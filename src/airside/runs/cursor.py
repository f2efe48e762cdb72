"""Pages of what is ordered by time: the cursor names the last thing shown, by its instant and its id.

A cursor is a place and not a number of rows, so that what is added meanwhile neither shifts nor repeats anything.
"""

from airside.core.errors import AirsideError, Code

PAGE_MAX = 200
INSTANT_DIGITS_MAX = 18
ID_CHARACTERS_MAX = 200

Place = tuple[int, str]
"""An instant (µs) and the id of what happened at it."""

BEGINNING: Place = (-1, "")
END: Place = (2**62, "")


def place_of(cursor: str, first: Place) -> Place:
    """Return the place that a cursor names; an empty one names `first`. Raises `invalid_request` for any other text."""
    if not cursor:
        return first
    instant, _, name = cursor.partition(".")
    if not instant.isdecimal() or len(instant) > INSTANT_DIGITS_MAX or not 0 < len(name) <= ID_CHARACTERS_MAX:
        raise AirsideError(Code.INVALID_REQUEST, "this cursor was not made by airside; start without one")
    return int(instant), name


def cursor_of(at_us: int, name: str) -> str:
    """Return the cursor of the page that begins after a place."""
    return f"{at_us}.{name}"
