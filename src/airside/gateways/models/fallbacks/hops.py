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
    """Whether the chain goes on after one of its models failed so.

    More than `may_help`: a model of the chain may also be too small, too dear or unknown, and the next one may not be.
    """
    return error.code in _NEXT


def chain_of(chains: Mapping[str, Sequence[str]], asked: str, model: str) -> Sequence[str]:
    """Return the models to try after `model` in their order.

    The chain of `model` counts; without one, that of `asked` (the name the caller used, before routing); else `*`.
    """
    for name in (model, asked, EVERY):
        if name in chains:
            return [other for other in dict.fromkeys(chains[name]) if other != model]
    return []


def spoken(hops: Sequence[Hop]) -> str:
    """Return what was tried, in a line."""
    return ", ".join(f"{hop.model}: {hop.code}" for hop in hops)
