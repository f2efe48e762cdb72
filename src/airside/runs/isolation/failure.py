"""What an exception of an agent means: a message fit for people, and airside's code if a refusal of ours caused it.

Frameworks wrap what the gateways answer in exceptions of their own, which differ in all but this: somewhere in the
chain one carries the HTTP body, and the body carries our code. Gateways that do not answer at all show as a client's
transport error on a request to their address; that is an outage of airside's, told as `journal_unavailable`.
"""

import os
import sysconfig
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from airside.core.errors import Code
from airside.core.text import message_of, storable

MESSAGE_CHARACTERS_MAX: Final = 2_000
GATEWAY_VARIABLE: Final = "AIRSIDE_GATEWAY_URL"
_CHAIN_MAX: Final = 50
_NOT_AGENTS: Final = tuple(
    {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        str(Path(__file__).parents[2]),
    }
)
_CODES: Final = frozenset(Code)


def describe(error: BaseException) -> tuple[str, str]:
    """Return (message, code). The code is empty unless airside refused something; the message names file and line."""
    code = next((found for link in _chain(error) if (found := _code_of(link))), "")
    text = f"{type(error).__name__}: {message_of(error)}"[:MESSAGE_CHARACTERS_MAX]
    place = place_of(error)
    return storable(f"{text} ({Path(place[0]).name}:{place[1]})" if place else text), code


def _chain(error: BaseException) -> Iterator[BaseException]:
    ahead, seen = [error], set[int]()
    while ahead and len(seen) < _CHAIN_MAX:
        link = ahead.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        ahead += [follow for follow in (link.__cause__, link.__context__) if follow is not None]
        if isinstance(link, BaseExceptionGroup):
            ahead += link.exceptions


def _code_of(error: BaseException) -> str:
    """Return our code from what an exception carries: `.code`, or the decoded body of an HTTP answer."""
    for value in (getattr(error, "code", None), *_codes_in(getattr(error, "body", None))):
        if isinstance(value, str) and value in _CODES:
            return str(value)
    return Code.JOURNAL_UNAVAILABLE.value if _of_unreachable_gateway(error) else ""


def _of_unreachable_gateway(error: BaseException) -> bool:
    """Whether this is httpx's (or its successor's) transport error on a request to the gateways."""
    gateway = os.environ.get(GATEWAY_VARIABLE)
    if not gateway or not any(kind.__name__ == "TransportError" for kind in type(error).__mro__):
        return False
    try:
        return str(error.request.url).startswith(gateway)  # type: ignore[attr-defined]  # a property of those clients
    except RuntimeError:  # the client never attached a request
        return False


def _codes_in(body: Any) -> Iterator[Any]:
    if isinstance(body, Mapping):
        yield body.get("code")
        for name in ("error", "data"):
            inner = body.get(name)
            if isinstance(inner, Mapping):
                yield inner.get("code")


def place_of(error: BaseException) -> tuple[str, int] | None:
    """Return file and line of the innermost frame in code that is neither a library's nor ours: the agent's own."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 0
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith("<") and not any(map(Path(frame.filename).is_relative_to, _NOT_AGENTS)):
            return frame.filename, frame.lineno or 0
    return None
