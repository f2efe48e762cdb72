"""Budgets: nodes in a tree, each with limits, what is spent and what is reserved. Pure arithmetic, no I/O.

A call is charged to every node on its path (tenant ▸ business unit ▸ workflow ▸ run ▸ sub-run). Admission is decided
here for all journals, so that SQLite, Postgres and the tests share one arithmetic.
"""

from msgspec import Struct

from airside.core.call import CallKind, Need
from airside.core.money import ZERO, NanoUsd

TOTAL_MAX = 2**62
"""Sums of nano-dollars and of tokens end here (4.6 thousand million dollars), so that two of them fit in 64 bits."""


class Limits(Struct, frozen=True):
    """What a node allows; None is no limit. `turn_tool_calls` counts tool calls since the last model answer."""

    nanousd: NanoUsd | None = None
    tokens: int | None = None
    calls: int | None = None
    turn_tool_calls: int | None = None


class Balance(Struct):
    """A node's running totals, changed only inside the transaction that admits or settles."""

    limits: Limits
    spent_nanousd: int = 0
    spent_tokens: int = 0
    spent_calls: int = 0
    turn_tool_calls: int = 0
    reserved_nanousd: int = 0
    reserved_tokens: int = 0
    reserved_calls: int = 0


class Fill(Struct, frozen=True):
    """How much of one limit of a node is spent. Told once half of it is, for whoever warns and slows calls down."""

    node: str
    dimension: str
    limit: int
    spent: int


class Granted(Struct, frozen=True):
    """The reservation that was made. `fills` are the limits on the path of which half or more is spent already."""

    nanousd: NanoUsd
    tokens: int
    output_tokens: int
    fills: tuple[Fill, ...] = ()


class Exhausted(Struct, frozen=True):
    """A node has too little left, even if every other reservation were given back."""

    node: str
    dimension: str
    limit: int
    spent: int


class Blocked(Struct, frozen=True):
    """A node has enough left, but other calls hold it now: wait and ask again."""

    node: str
    dimension: str


def admit(path: list[tuple[str, Balance]], need: Need, kind: CallKind) -> Granted | Exhausted | Blocked:
    """Decide one reservation along a path of (node id, balance), and on success write it into the balances.

    Output tokens are lowered to what spending alone leaves affordable on every node; what other calls have reserved
    does not lower them, it blocks, so that concurrency never shortens an answer. Never changes a balance otherwise.
    """
    output_tokens = need.output_tokens
    for node, balance in path:
        verdict = _affordable_output(node, balance, need, kind)
        if isinstance(verdict, Exhausted):
            return verdict
        output_tokens = min(output_tokens, verdict)
    nanousd, tokens = need.nanousd(output_tokens), need.tokens(output_tokens)
    for node, balance in path:
        blocked = _blocking_dimension(balance, nanousd, tokens)
        if blocked:
            return Blocked(node, blocked)
    for _, balance in path:
        balance.reserved_nanousd += nanousd
        balance.reserved_tokens += tokens
        balance.reserved_calls += 1
        if kind is CallKind.TOOL:
            balance.turn_tool_calls += 1
    return Granted(nanousd, tokens, output_tokens, fills(path))


def settle(
    path: list[tuple[str, Balance]],
    reserved: Granted,
    cost: NanoUsd,
    tokens: int,
    *,
    model_answered: bool,
) -> None:
    """Give a reservation back and charge what was really consumed, excess over the reservation included.

    Totals stop at TOTAL_MAX, which no real spending reaches: nonsensical reports must not break the books.
    """
    for _, balance in path:
        balance.reserved_nanousd -= reserved.nanousd
        balance.reserved_tokens -= reserved.tokens
        balance.reserved_calls -= 1
        balance.spent_nanousd = min(balance.spent_nanousd + cost, TOTAL_MAX)
        balance.spent_tokens = min(balance.spent_tokens + tokens, TOTAL_MAX)
        balance.spent_calls += 1
        if model_answered:
            balance.turn_tool_calls = 0


def fills(path: list[tuple[str, Balance]]) -> tuple[Fill, ...]:
    """Return the limits along a path of which half or more is spent."""
    found: list[Fill] = []
    for node, balance in path:
        limits = balance.limits
        if limits.nanousd is not None and 2 * balance.spent_nanousd >= limits.nanousd:
            found.append(Fill(node, "usd", limits.nanousd, balance.spent_nanousd))
        if limits.tokens is not None and 2 * balance.spent_tokens >= limits.tokens:
            found.append(Fill(node, "tokens", limits.tokens, balance.spent_tokens))
        if limits.calls is not None and 2 * balance.spent_calls >= limits.calls:
            found.append(Fill(node, "calls", limits.calls, balance.spent_calls))
    return tuple(found)


def _affordable_output(node: str, balance: Balance, need: Need, kind: CallKind) -> int | Exhausted:
    limits, affordable = balance.limits, need.output_tokens
    if limits.calls is not None and balance.spent_calls + 1 > limits.calls:
        return Exhausted(node, "calls", limits.calls, balance.spent_calls)
    if (
        kind is CallKind.TOOL
        and limits.turn_tool_calls is not None
        and balance.turn_tool_calls >= limits.turn_tool_calls
    ):
        return Exhausted(node, "turn_tool_calls", limits.turn_tool_calls, balance.turn_tool_calls)
    if limits.tokens is not None:
        affordable = min(affordable, limits.tokens - balance.spent_tokens - need.fixed_tokens)
        if affordable < need.output_tokens_min:
            return Exhausted(node, "tokens", limits.tokens, balance.spent_tokens)
    if limits.nanousd is not None:
        left = limits.nanousd - balance.spent_nanousd - need.fixed_nanousd
        if need.nanousd_per_output_token > ZERO:
            affordable = min(affordable, left // need.nanousd_per_output_token)
        if left < 0 or affordable < need.output_tokens_min:
            return Exhausted(node, "usd", limits.nanousd, balance.spent_nanousd)
    return affordable


def _blocking_dimension(balance: Balance, nanousd: int, tokens: int) -> str:
    limits = balance.limits
    if limits.nanousd is not None and balance.spent_nanousd + balance.reserved_nanousd + nanousd > limits.nanousd:
        return "usd"
    if limits.tokens is not None and balance.spent_tokens + balance.reserved_tokens + tokens > limits.tokens:
        return "tokens"
    if balance.reserved_nanousd + nanousd > TOTAL_MAX:
        return "usd"
    if balance.reserved_tokens + tokens > TOTAL_MAX:
        return "tokens"
    if limits.calls is not None and balance.spent_calls + balance.reserved_calls + 1 > limits.calls:
        return "calls"
    return ""
