"""Makes an example as plain as it can be: what it need not say, it does not."""

from collections.abc import Callable, Iterator
from typing import Any

from airside.policy.analysis.examples import WrittenCall

_PLAIN: tuple[tuple[str, Any], ...] = (
    ("agent", "agent"),
    ("tenant", "default"),
    *[(key, field.default) for key, field in WrittenCall.model_fields.items() if key not in {"tool", "model"}],
)


def shrunk(call: WrittenCall, fits: Callable[[WrittenCall], bool]) -> WrittenCall:
    """Return the call without what can be left out, such that it still fits."""
    for simpler in _without_arguments(call):
        if fits(simpler(call)):
            call = simpler(call)
    for key, plain in _PLAIN:
        if getattr(call, key) != plain and fits(changed := call.model_copy(update={key: plain})):
            call = changed
    for path in list(call.origins):
        less = {key: origin for key, origin in call.origins.items() if key != path}
        if fits(changed := call.model_copy(update={"origins": less})):
            call = changed
    for path in list(call.roles or ()):
        fewer = {key: role for key, role in (call.roles or {}).items() if key != path}
        if fits(changed := call.model_copy(update={"roles": fewer})):
            call = changed
    return call


def _without_arguments(call: WrittenCall) -> Iterator[Callable[[WrittenCall], WrittenCall]]:
    for name in call.arguments:

        def simpler(now: WrittenCall, name: str = name) -> WrittenCall:
            return now.model_copy(update={"arguments": {k: v for k, v in now.arguments.items() if k != name}})

        yield simpler
