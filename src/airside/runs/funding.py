"""What people do to budgets while airside runs: set limits, take them back, and add dollars. All of it is journaled."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, structs

from airside.config.settings import Settings
from airside.core.budget import TOTAL_MAX
from airside.core.clock import Clock
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.money import NanoUsd, to_decimal
from airside.core.ports import Database, Row, Transaction
from airside.journal import events
from airside.journal.queries import load
from airside.runs import budgets
from airside.runs.allowances import Allowances, make_node, plan_of_row, put_limits
from airside.runs.budgets import Plan
from airside.runs.cursor import END, PAGE_MAX, cursor_of, place_of
from airside.runs.submission import LABEL_CHARACTERS_MAX

_SQL = load("airside.runs", "allowances.sql")

PLANS_MAX = 10_000
NOTE_CHARACTERS_MAX = 500
CREDIT_KEY_CHARACTERS_MAX = 190


class Credit(Struct, frozen=True):
    """Dollars added to a node, or carried over to or from it (then nobody gave them)."""

    credit_id: str
    node: str
    nanousd: NanoUsd
    note: str
    given_by: str
    given_us: int


class Funding:
    """Sets and shows limits and credits of one installation's budgets."""

    def __init__(self, database: Database, settings: Settings, clock: Clock, allowances: Allowances) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._allowances = allowances

    async def set_limits(self, tenant_id: str, name: str, plan: Plan, by: str) -> dict[str, Any]:
        """Let `name` (`customer:acme`) have a plan instead of what the settings say, from the next call on.

        A limit below what is spent stops further calls; what is reserved is settled. Raises `invalid_request` for what
        names no budget, `limit_exceeded` beyond PLANS_MAX names.
        """
        scope = scope_asked(tenant_id, name)

        async def body(tx: Transaction) -> dict[str, Any]:
            count = await tx.one(_SQL["count_plans"], tenant_id=tenant_id)
            if count and count["n"] >= PLANS_MAX:
                raise AirsideError(Code.LIMIT_EXCEEDED, f"limits are set for {PLANS_MAX} names already")
            columns = {
                "period": plan.period,
                "carry_over": int(plan.carry_over),
                "limit_nanousd": plan.limits.nanousd,
                "limit_tokens": plan.limits.tokens,
                "limit_calls": plan.limits.calls,
            }
            await tx.execute(_SQL["set_plan"], tenant_id=tenant_id, scope=scope, **columns, set_by=by, set_us=tx.now_us)
            node = budgets.node_of(self._settings, plan, scope, tx.now_us)
            await put_limits(tx, tenant_id, node)
            await tx.append(
                events.entry(events.BUDGET_LIMITED, {"scope": scope, **columns, "by": by}, tenant_id=tenant_id)
            )
            return shown(scope, plan, node.name, by, tx.now_us)

        answer = await self._database.transact(body)
        self._allowances.forget()
        return answer

    async def clear_limits(self, tenant_id: str, name: str, by: str) -> dict[str, Any]:
        """Go back to what the settings say; raises `not_found` if nothing else was set."""
        scope = scope_asked(tenant_id, name)

        async def body(tx: Transaction) -> dict[str, Any]:
            if not await tx.execute(_SQL["clear_plan"], tenant_id=tenant_id, scope=scope):
                raise AirsideError(Code.NOT_FOUND, f"no limits were set for {scope[:200]}")
            plan = budgets.configured(self._settings, scope)
            node = budgets.node_of(self._settings, plan, scope, tx.now_us)
            await put_limits(tx, tenant_id, node)
            entry = events.entry(events.BUDGET_UNLIMITED, {"scope": scope, "by": by}, tenant_id=tenant_id)
            await tx.append(entry)
            return shown(scope, plan, node.name, "", 0)

        answer = await self._database.transact(body)
        self._allowances.forget()
        return answer

    async def credit(
        self, tenant_id: str, name: str, amount: NanoUsd, by: str, *, note: str = "", key: str = ""
    ) -> Credit:
        """Add dollars to what `name` may spend in the present period, at once.

        The same `key` (of an Idempotency-Key header) gives once; with another amount or name it is an
        `idempotency_conflict`. Raises `conflict` for a budget without a limit of dollars, `invalid_request` for an
        amount that is not positive, `limit_exceeded` where the limit would pass what can be counted.
        """
        scope = scope_asked(tenant_id, name)
        if amount <= 0:
            raise AirsideError(Code.INVALID_REQUEST, "a credit is more than zero dollars")
        if len(note) > NOTE_CHARACTERS_MAX or len(key) > CREDIT_KEY_CHARACTERS_MAX:
            limits = f"a note has at most {NOTE_CHARACTERS_MAX} characters, a key {CREDIT_KEY_CHARACTERS_MAX}"
            raise AirsideError(Code.LIMIT_EXCEEDED, limits)
        credit_id = f"key:{key}" if key else new_id("credit")

        async def body(tx: Transaction) -> Credit:
            _, node = await self._allowances.node_now(tx, tenant_id, scope)
            await make_node(tx, tenant_id, node)
            given = Credit(credit_id, node.name, amount, note, by, tx.now_us)
            if not await tx.execute(_SQL["add_credit"], tenant_id=tenant_id, **structs.asdict(given)):
                return _repeated(await tx.one(_SQL["credit"], tenant_id=tenant_id, credit_id=credit_id), scope, amount)
            added = await tx.execute(
                _SQL["add_dollars"], tenant_id=tenant_id, node=node.name, nanousd=amount, limit_max=TOTAL_MAX
            )
            if not added:
                raise await _not_added(tx, tenant_id, node.name)
            body = {"node": node.name, "nanousd": amount, "credit": credit_id, "by": by}
            await tx.append(events.entry(events.BUDGET_CREDITED, body, tenant_id=tenant_id))
            return given

        return await self._database.transact(body)

    async def limits(self, tenant_id: str) -> list[dict[str, Any]]:
        """Return what people have set, by name."""

        async def body(tx: Transaction) -> list[dict[str, Any]]:
            found = []
            for row in await tx.fetch(_SQL["plans"]):
                if row["tenant_id"] == tenant_id:
                    plan = plan_of_row(row)
                    node = budgets.node_of(self._settings, plan, row["scope"], tx.now_us)
                    found.append(shown(row["scope"], plan, node.name, row["set_by"], row["set_us"]))
            return found

        return await self._database.read(body)

    async def credits(
        self, tenant_id: str, name: str, *, cursor: str = "", limit: int = 50
    ) -> tuple[Sequence[Credit], str]:
        """Return a page of what was added to the budgets of a name, the latest first, and the next page's cursor."""
        scope, size = scope_asked(tenant_id, name), max(1, min(limit, PAGE_MAX))
        before_us, before_id = place_of(cursor, END)

        async def body(tx: Transaction) -> list[Credit]:
            rows = await tx.fetch(
                _SQL["credits"],
                tenant_id=tenant_id,
                scope=scope,
                before_us=before_us,
                before_id=before_id,
                n=size + 1,
            )
            return [_credit(row) for row in rows]

        found = await self._database.read(body)
        last = found[size - 1] if len(found) > size else None
        return found[:size], cursor_of(last.given_us, last.credit_id) if last else ""


def scope_asked(tenant_id: str, name: str) -> str:
    """Return the scope that a person names: `tenant`, or `unit:`, `workflow:` or `customer:` and a name.

    Raises `invalid_request` for anything else, and for another tenant.
    """
    kind, _, rest = name.partition(":")
    if name in {"tenant", tenant_id}:
        kind, rest = "tenant", tenant_id
    if kind not in budgets.KINDS or not 0 < len(rest) <= LABEL_CHARACTERS_MAX or not rest.isprintable():
        known = "tenant, unit:NAME, workflow:NAME and customer:NAME"
        raise AirsideError(Code.INVALID_REQUEST, f"{name[:100]!r} is no budget; budgets are {known}")
    if kind == "tenant" and rest != tenant_id:
        raise AirsideError(Code.INVALID_REQUEST, f"the budget of another tenant than {tenant_id} cannot be named")
    return budgets.scope_named(kind, rest)


def shown(scope: str, plan: Plan, node: str, by: str, set_us: int) -> dict[str, Any]:
    """Return a plan as plain JSON; dollars are text, so that they stay exact."""
    dollars = plan.limits.nanousd
    return {
        "scope": scope,
        "node": node,
        "usd": None if dollars is None else f"{to_decimal(dollars):f}",
        "tokens": plan.limits.tokens,
        "calls": plan.limits.calls,
        "period": plan.period,
        "carry_over": plan.carry_over,
        "set_by": by,
        "set_us": set_us,
    }


def _repeated(row: Row | None, scope: str, amount: NanoUsd) -> Credit:
    if row is None or budgets.scope_of(row["node"]) != scope or row["nanousd"] != amount:
        raise AirsideError(Code.IDEMPOTENCY_CONFLICT)
    return _credit(row)


async def _not_added(tx: Transaction, tenant_id: str, node: str) -> AirsideError:
    row = await tx.one(_SQL["lock_node"], tenant_id=tenant_id, node=node)
    if row is None or row["limit_nanousd"] is None:
        advice = "Set one first: airside budget limit NAME --usd AMOUNT."
        return AirsideError(Code.CONFLICT, f"the budget {node[:200]} has no limit of dollars to add to", advice=advice)
    return AirsideError(Code.LIMIT_EXCEEDED, f"the limit of {node[:200]} would be more than can be counted")


def _credit(row: Row) -> Credit:
    names = ("credit_id", "node", "nanousd", "note", "given_by", "given_us")
    return Credit(*[row[name] for name in names])
