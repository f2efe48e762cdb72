"""`@tool`: how a Python function is declared as a tool, with what it does to the world.

Decorating changes nothing about the function and imports nothing heavy. The schema of its arguments is made later, by
the tool host that serves it (`host.py`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, Literal, TypedDict, TypeVar, overload

from msgspec import Struct
from msgspec.structs import replace
from typing_extensions import Unpack

from airside.core.call import Effect
from airside.core.errors import AirsideError, Code
from airside.core.money import usd
from airside.core.tool import Tool
from airside.gateways.tools.labels import labels, roles

NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
TIMEOUT_S_MAX: Final = 3_600.0
CACHE_TTL_S_MAX: Final = 2_592_000.0
SOURCE: Final = "host"
AMOUNT_UNITS: Final = frozenset({"usd", "cents"})

Function = TypeVar("Function", bound=Callable[..., Any])


class ToolContext(Struct, frozen=True):
    """What a tool may know about the call it serves; a parameter of this type is filled in by the tool host.

    `idempotency_key` stays the same when a call is sent again, so hand it to whatever the tool talks to.
    """

    idempotency_key: str
    run_id: str
    tenant_id: str
    secrets: Mapping[str, str] = MappingProxyType({})

    def secret(self, name: str) -> str:
        """Return a secret's value by the name of its grant; raises AirsideError `secret_denied` without one.

        Ask for it in every call and keep it nowhere: it may be another one next time. If what it is for refuses it,
        raise `CredentialRefused`, and the call is made again with the newest one.
        """
        if name not in self.secrets:
            raise AirsideError(Code.SECRET_DENIED, f"no grant gives this tool a secret called {name[:64]!r}")
        return self.secrets[name]

    def __repr__(self) -> str:
        return f"ToolContext({self.idempotency_key!r}, {self.run_id!r}, {self.tenant_id!r})"


class Declaration(Struct, frozen=True, kw_only=True):
    """A declared function and its manifest, without description and schema; `where` is `module, line n`."""

    function: Callable[..., Any]
    manifest: Tool
    where: str

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.manifest.name


class _Labelling(TypedDict, total=False):
    """What may be said of a declared tool beyond its effect."""

    roles: Mapping[str, str]
    results: Mapping[str, str]
    hosts: Sequence[str]
    cache_ttl_s: float
    cache_shared: bool
    invalidates: Sequence[str]
    capability: str
    cost_usd: str | int | Decimal


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
    effect: Literal["read", "write", "execute"] | None = None,
    reversible: bool = False,
    idempotent: bool = False,
    amount: str = "",
    amount_unit: Literal["usd", "cents"] = "usd",
    timeout_s: float = 30.0,
    **more: Unpack[_Labelling],
) -> Callable[[Function], Function]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    effect: str | None = None,
    reversible: bool = False,
    idempotent: bool = False,
    amount: str = "",
    amount_unit: str = "usd",
    timeout_s: float = 30.0,
    **more: Unpack[_Labelling],
) -> Any:
    """Declare a function, sync or async, as a tool. What is not declared is taken at its worst.

    `effect`: `read` changes nothing, `write` changes data, `execute` does anything; without it the tool counts as
    undeclared. `reversible`: it can be undone. `idempotent`: it honours `ToolContext.idempotency_key`, so that a call
    whose outcome is unknown may be sent again. `amount` names the argument that carries money, in `amount_unit` (`usd`
    or `cents`). `timeout_s` bounds one execution. Parameters are described by type annotations and by the docstring
    (Google or Sphinx style).

    `roles` says what arguments are (`target amount recipient content id query`), by their paths; `results` what fields
    of the result are (`trusted`, `secret`, `trusted secret`), `""` being the whole; `hosts` where it sends something
    (`HOST:PORT`). A result may serve an equal call of the run for `cache_ttl_s` seconds, with `cache_shared` also of
    another run of the tenant; `invalidates` names tools whose cached results an effect of this one ends. `capability`
    names what it is part of, such as `payments`: what fails together is switched off together. `cost_usd` is the price
    of one call.

    Raises ValueError for a declaration that makes no sense, with the function's place.
    """

    def declare(function: Function) -> Function:
        code = getattr(function, "__code__", None)
        where = f"{getattr(function, '__module__', '?')}, line {getattr(code, 'co_firstlineno', '?')}"
        called = name or getattr(function, "__name__", "")
        _check(called, effect or Effect.EXECUTE, amount_unit, timeout_s, where)
        before = _declared.get(called)
        if before and before.where.split(",")[0] != where.split(",", maxsplit=1)[0]:
            raise ValueError(f"tool {called!r} is declared twice: in {before.where} and in {where}")
        if more and effect is None:
            raise ValueError(f"{where}: {called!r} has no `effect`, without which nothing else of it counts")
        manifest = Tool(
            name=called,
            description="",
            schema={},
            effect=Effect(effect or Effect.EXECUTE),
            reversible=reversible,
            idempotent=idempotent,
            amount_argument=amount,
            amount_unit=amount_unit,
            timeout_s=timeout_s,
            declared=effect is not None,
            source=SOURCE,
        )
        _declared[called] = Declaration(function=function, manifest=_labelled(manifest, more, where), where=where)
        return function

    return declare if function is None else declare(function)


def _labelled(manifest: Tool, more: _Labelling, where: str) -> Tool:
    ttl_s = more.get("cache_ttl_s", 0.0)
    try:
        if not 0 <= ttl_s <= CACHE_TTL_S_MAX:
            raise ValueError(f"cache_ttl_s is {ttl_s}; at most {CACHE_TTL_S_MAX:.0f} s are allowed")
        return replace(
            manifest,
            roles=roles(more.get("roles", {})),
            results=labels(more.get("results", {})),
            hosts=tuple(more.get("hosts", ())),
            cache_ttl_s=ttl_s,
            cache_shared=more.get("cache_shared", False),
            invalidates=tuple(more.get("invalidates", ())),
            capability=more.get("capability", ""),
            cost=usd(more.get("cost_usd", 0)),
        )
    except ValueError as error:
        raise ValueError(f"{where}: {manifest.name!r}: {error}") from None


def _check(name: str, effect: str, amount_unit: str, timeout_s: float, where: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError(f"{where}: {name!r} is no name for a tool; use 1 to 64 of a-z A-Z 0-9 _ -")
    if effect not in set(Effect):
        raise ValueError(f"{where}: effect of {name!r} is {effect!r}; use read, write or execute")
    if amount_unit not in AMOUNT_UNITS:
        raise ValueError(f"{where}: amount_unit of {name!r} is {amount_unit!r}; use usd or cents")
    if not 0 < timeout_s <= TIMEOUT_S_MAX:
        raise ValueError(f"{where}: timeout_s of {name!r} is {timeout_s}; at most {TIMEOUT_S_MAX:.0f} s are allowed")
