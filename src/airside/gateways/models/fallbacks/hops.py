"""When falling back may help, and to which models. Pure."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from airside.core.errors import AirsideError, Code

EVERY = "*"
_ELSEWHERE = frozenset({Code.UPSTREAM_FAILED, Code.UPSTREAM_TIMEOUT, Code.BREAKER_OPEN})
_NEXT = _ELSEWHERE | {Code.RATE_LIMITED, Code.INVALID_REQUEST, Code.UNKNOWN_MODEL, Code.BUDGET_EXHAUSTED}


class Hop(Struct, frozen=True):
    """A model that did not answer, and why."""

    model: str
    code: str


def may_help(error: AirsideError) -> bool:
    """Whether another provider may answer what failed so: not what is wrong with the request or forbidden to the run.

    `rate_limited` counts if a provider said it; a limit of airside's own holds everywhere.
    """
    return error.code in _ELSEWHERE or (error.code is Code.RATE_LIMITED and error.recorded)


def may_go_on(error: AirsideError) -> bool:
    """Whether the next model of a chain may be tried after one of it failed so: also where it alone did not fit."""
    return error.code in _NEXT


def chain_of(chains: Mapping[str, Sequence[str]], asked: str, model: str) -> Sequence[str]:
    """Return the models to try after `model`, which the caller knew as `asked`: the chain of the one, else of the
    other, else of all.
    """
    for name in (model, asked, EVERY):
        if name in chains:
            return [other for other in dict.fromkeys(chains[name]) if other != model]
    return []


def spoken(hops: Sequence[Hop]) -> str:
    """Return what was tried, in a line."""
    return ", ".join(f"{hop.model}: {hop.code}" for hop in hops)
