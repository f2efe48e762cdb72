"""`@tool`: how a Python function is declared as a tool, with what it does to the world.

Decorating changes nothing about the function and imports nothing heavy. The schema of its arguments is made later, by
the tool host that serves it (`host.py`).
"""

import re
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar, overload

from msgspec import Struct

from airside.core.call import Effect

NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
TIMEOUT_S_MAX: Final = 3_600.0
AMOUNT_UNITS: Final = frozenset({"usd", "cents"})

Function = TypeVar("Function", bound=Callable[..., Any])


class ToolContext(Struct, frozen=True):
    """What a tool may know about the call it serves; a parameter of this type is filled in by the tool host.

    `idempotency_key` stays the same when a call is sent again, so hand it to whatever the tool talks to.
    """

    idempotency_key: str
    run_id: str
    tenant_id: str


class Declaration(Struct, frozen=True, kw_only=True):
    """A declared function and what its owner says of it; `where` is `module, line n` for messages."""

    name: str
    function: Callable[..., Any]
    effect: Effect
    reversible: bool
    idempotent: bool
    amount_argument: str
    amount_unit: str
    timeout_s: float
    where: str


_declared: dict[str, Declaration] = {}


def declared() -> MappingProxyType[str, Declaration]:
    """Return every function that was decorated in this process, by tool name."""
    return MappingProxyType(_declared)


@overload
def tool(function: Function, /) -> Function: ...
@overload
def tool(
    *,
    name: str = "",
    effect: Literal["read", "write", "execute"] = "execute",
    reversible: bool = False,
    idempotent: bool = False,
    amount: str = "",
    amount_unit: Literal["usd", "cents"] = "usd",
    timeout_s: float = 30.0,
) -> Callable[[Function], Function]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    effect: str = "execute",
    reversible: bool = False,
    idempotent: bool = False,
    amount: str = "",
    amount_unit: str = "usd",
    timeout_s: float = 30.0,
) -> Any:
    """Declare a function, sync or async, as a tool. What is not declared is taken at its worst.

    `effect`: `read` changes nothing, `write` changes data, `execute` does anything. `reversible`: it can be undone.
    `idempotent`: it honours `ToolContext.idempotency_key`, so that a call whose outcome is unknown may be sent again.
    `amount` names the argument that carries money, in `amount_unit` (`usd` or `cents`). `timeout_s` bounds one
    execution. Parameters are described by type annotations and by the docstring (Google or Sphinx style).

    Raises ValueError for a declaration that makes no sense, with the function's place.
    """

    def declare(function: Function) -> Function:
        code = getattr(function, "__code__", None)
        where = f"{getattr(function, '__module__', '?')}, line {getattr(code, 'co_firstlineno', '?')}"
        called = name or getattr(function, "__name__", "")
        _check(called, effect, amount_unit, timeout_s, where)
        before = _declared.get(called)
        if before and before.where.split(",")[0] != where.split(",", maxsplit=1)[0]:
            raise ValueError(f"tool {called!r} is declared twice: in {before.where} and in {where}")
        _declared[called] = Declaration(
            name=called,
            function=function,
            effect=Effect(effect),
            reversible=reversible,
            idempotent=idempotent,
            amount_argument=amount,
            amount_unit=amount_unit,
            timeout_s=timeout_s,
            where=where,
        )
        return function

    return declare if function is None else declare(function)


def _check(name: str, effect: str, amount_unit: str, timeout_s: float, where: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError(f"{where}: {name!r} is no name for a tool; use 1 to 64 of a-z A-Z 0-9 _ -")
    if effect not in set(Effect):
        raise ValueError(f"{where}: effect of {name!r} is {effect!r}; use read, write or execute")
    if amount_unit not in AMOUNT_UNITS:
        raise ValueError(f"{where}: amount_unit of {name!r} is {amount_unit!r}; use usd or cents")
    if not 0 < timeout_s <= TIMEOUT_S_MAX:
        raise ValueError(f"{where}: timeout_s of {name!r} is {timeout_s}; at most {TIMEOUT_S_MAX:.0f} s are allowed")
