"""`@together`: a function for many calls of a reading tool at once, for APIs that take many things in a request."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar

from msgspec import Struct

from airside.core.call import Effect
from airside.gateways.tools.declare import declared

CALLS_MAX: Final = 10_000
WAIT_S_MAX: Final = 1.0

Many = TypeVar("Many", bound=Callable[[list[dict[str, Any]]], Any])


class Together(Struct, frozen=True):
    """The function for many calls of a tool, how many it takes, and how long the first waits for others."""

    function: Callable[[list[dict[str, Any]]], Any]
    calls_max: int
    wait_s: float


_together: dict[str, Together] = {}


def declared_together() -> Mapping[str, Together]:
    """Return every function that was decorated in this process, by the name of its tool."""
    return MappingProxyType(_together)


def together(single: Callable[..., Any], *, calls_max: int = 100, wait_s: float = 0.01) -> Callable[[Many], Many]:
    """Declare a function, sync or async, that does many calls of the tool `single` at once.

    It is given a list of the calls' keyword arguments (all of one tenant, at most `calls_max`) and returns as many
    results in the same order; an exception among them is what that call raises. The first call waits `wait_s` seconds
    for others. Each call stays a call of its own: decided on, journaled and answered by itself.

    Raises ValueError unless `single` was declared as a tool that reads: of several effects in one request nobody could
    say which have happened when it breaks off.
    """
    tool = next((one for one in declared().values() if one.function is single), None)
    called = getattr(single, "__name__", "?")
    if tool is None or tool.manifest.effect is not Effect.READ:
        raise ValueError(f"{called!r} is not declared with @tool(effect='read'), so its calls cannot be made together")
    if not 1 <= calls_max <= CALLS_MAX or not 0 <= wait_s <= WAIT_S_MAX:
        raise ValueError(f"{called!r}: calls_max is 1 to {CALLS_MAX}, wait_s 0 to {WAIT_S_MAX}")

    def declare(function: Many) -> Many:
        _together[tool.name] = Together(function, calls_max, wait_s)
        return function

    return declare


def paired(results: Any, calls: int) -> Sequence[Any]:
    """Return one result for each call; raises ValueError if there are not as many."""
    if not isinstance(results, list | tuple) or len(results) != calls:
        found = len(results) if isinstance(results, list | tuple) else type(results).__name__
        raise ValueError(f"{calls} calls were made together, and the answer has {found}")
    return results
