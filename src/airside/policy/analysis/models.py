"""From a model of the formulas back to a call that can be put to the rules."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from airside.core.clock import SECOND_US
from airside.core.policy import Origin
from airside.core.tool import ArgumentRole
from airside.policy.analysis.examples import WrittenCall
from airside.policy.analysis.formulas import nested
from airside.policy.analysis.representatives import ABSENT
from airside.policy.analysis.space import MONEY, ROLES, Space


def written(space: Space, model: Any) -> WrittenCall:
    """Return the call that a model describes."""
    said: dict[str, Any] = {"agent": space.agent.value(model), "tenant": space.tenant.value(model)}
    said["caller"] = space.caller.value(model)
    if _true(model, space.is_model):
        return WrittenCall(model=space.model.value(model), **said)
    name = space.name.value(model)
    arguments, origins, roles, amount_argument = _arguments(space, model, name)
    known = name in space.tools
    manifest: dict[str, Any] = {
        "effect": space.effect.value(model),
        "reversible": _true(model, space.reversible),
        "declared": _true(model, space.declared),
        "amount_argument": amount_argument,
        "roles": roles,
    }
    return WrittenCall(
        tool=name,
        arguments=arguments,
        stage=space.stage.value(model),
        at=datetime.fromtimestamp(space.instant.value(model) / SECOND_US, UTC),
        origins=origins,
        plan=space.planned.value(model),
        taints=tuple(text for text, there in space.taints.items() if _true(model, there)),
        leaves=tuple(text for text, there in space.leaves.items() if _true(model, there)),
        confidence=space.confidence.value(model),
        risk=space.risk.value(model),
        moved={window: model.eval(moved, model_completion=True).as_long() for window, moved in space.moved.items()},
        principal=dict.fromkeys(space.principals, "someone"),
        **said,
        **({} if known else manifest),
    )


def _arguments(
    space: Space, model: Any, name: str
) -> tuple[dict[str, Any], dict[str, Origin], dict[str, ArgumentRole], str]:
    tool = space.tools.get(name)
    values = {path: axis.value(model) for path, axis in space.paths.items()}
    there = {path: value for path, value in values.items() if value is not ABSENT}
    keys = {path: f"path {path}" for path in there}
    money = tool.amount_argument if tool else "amount_usd" if _true(model, space.amount_known) else ""
    if money and money not in there:
        there[money] = _amount(model, space, tool.amount_unit if tool else "usd")
        keys[money] = MONEY
    for role in ROLES:
        path = _path_of(role, tool)
        if path and path not in there and _true(model, space.arguments[role].present):
            there[path] = "something"
            keys[path] = role
    origins, roles = {}, {}
    for path, key in keys.items():
        exact = path.replace("*", "0")
        origins[exact] = space.arguments[key].origin.value(model)
        role = space.arguments[key].role.value(model)
        if role:
            roles[exact] = ArgumentRole(role)
    return nested(there), origins, roles, money


def _path_of(role: str, tool: Any) -> str:
    """Return a path at which an argument of a role stands."""
    if tool is None or not role:
        return f"{role or 'undeclared'}_argument"
    return next((path for path, its in tool.roles.items() if its == role and path != tool.amount_argument), "")


def _amount(model: Any, space: Space, unit: str) -> Any:
    if not _true(model, space.amount_known):
        return "unreadable"
    value = model.eval(space.amount, model_completion=True)
    dollars = Decimal(value.numerator_as_long()) / Decimal(value.denominator_as_long())
    return f"{dollars * (100 if unit == 'cents' else 1):f}"


def _true(model: Any, formula: Any) -> bool:
    return bool(model.eval(formula, model_completion=True))
