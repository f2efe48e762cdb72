"""Admission and settlement: never over a limit, never negative, nothing reserved once everything is settled."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from airside.core import budget
from airside.core.budget import Balance, Blocked, Exhausted, Granted, Limits
from airside.core.call import CallKind, Need
from airside.core.money import NanoUsd

NODES = ("tenant:t", "workflow:a", "workflow:b", "run:1", "run:2", "run:3")
PATHS = (("tenant:t", "workflow:a", "run:1"), ("tenant:t", "workflow:a", "run:2"), ("tenant:t", "workflow:b", "run:3"))

LIMITS = st.builds(
    Limits,
    nanousd=st.none() | st.integers(0, 3_000),
    tokens=st.none() | st.integers(0, 300),
    calls=st.none() | st.integers(0, 12),
    turn_tool_calls=st.none() | st.integers(0, 4),
)
NEEDS = st.builds(
    lambda fixed, tokens, output, least, price: Need(
        NanoUsd(fixed), tokens, output, min(least, output), NanoUsd(price)
    ),
    st.integers(0, 500),
    st.integers(0, 60),
    st.integers(0, 80),
    st.integers(0, 20),
    st.integers(0, 30),
)


class Books(RuleBasedStateMachine):
    """Any order of admissions and settlements over a tree of budgets."""

    def __init__(self) -> None:
        super().__init__()
        self.balances: dict[str, Balance] = {node: Balance(Limits()) for node in NODES}
        self.open: list[tuple[list[tuple[str, Balance]], Granted, CallKind]] = []
        self.allowed: dict[str, dict[str, int]] = {node: {} for node in NODES}

    @rule(node=st.sampled_from(NODES), limits=LIMITS)
    def limit(self, node: str, limits: Limits) -> None:
        """Limits change at any time, below what is spent too: what is there then stays, and no more comes."""
        balance = self.balances[node]
        balance.limits = limits
        held = {
            "nanousd": balance.spent_nanousd + balance.reserved_nanousd,
            "tokens": balance.spent_tokens + balance.reserved_tokens,
            "calls": balance.spent_calls + balance.reserved_calls,
            "turn_tool_calls": balance.turn_tool_calls,
        }
        allowed = msgspec.structs.asdict(limits)
        self.allowed[node] = {name: max(allowed[name], held[name]) for name in held if allowed[name] is not None}

    @rule(path=st.sampled_from(PATHS), need=NEEDS, kind=st.sampled_from(CallKind))
    def admit(self, path: tuple[str, ...], need: Need, kind: CallKind) -> None:
        """A call asks; what it is told must be true."""
        nodes = [(node, self.balances[node]) for node in path]
        before = [msgspec.structs.astuple(balance) for _, balance in nodes]
        verdict = budget.admit(nodes, need, kind)
        if isinstance(verdict, Granted):
            assert need.output_tokens_min <= verdict.output_tokens <= need.output_tokens
            assert verdict.nanousd == need.nanousd(verdict.output_tokens)
            assert verdict.tokens == need.tokens(verdict.output_tokens)
            self.open.append((nodes, verdict, kind))
            return
        assert [msgspec.structs.astuple(balance) for _, balance in nodes] == before
        if isinstance(verdict, Blocked):
            assert any(balance.reserved_calls for _, balance in nodes), "only other reservations block"
        else:
            assert verdict.node in path

    @rule(data=st.data(), answered=st.booleans())
    @precondition(lambda self: self.open)
    def settle(self, data: st.DataObject, answered: bool) -> None:
        """A call comes back with at most what it had reserved."""
        nodes, granted, kind = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        cost = NanoUsd(data.draw(st.integers(0, granted.nanousd)))
        tokens = data.draw(st.integers(0, granted.tokens))
        budget.settle(nodes, granted, cost, tokens, model_answered=answered and kind is CallKind.MODEL)

    @invariant()
    def no_node_is_over_its_limit(self) -> None:
        """What is spent and reserved together never passes a limit."""
        for node, balance in self.balances.items():
            for name, allowed in self.allowed[node].items():
                if name == "turn_tool_calls":
                    assert balance.turn_tool_calls <= allowed
                else:
                    held = getattr(balance, f"spent_{name}") + getattr(balance, f"reserved_{name}")
                    assert held <= allowed, (node, name)

    @invariant()
    def nothing_is_negative_and_reservations_are_those_of_open_calls(self) -> None:
        """Reserved sums are exactly what open calls hold."""
        for node, balance in self.balances.items():
            held = [granted for nodes, granted, _ in self.open if node in dict(nodes)]
            assert balance.reserved_nanousd == sum(granted.nanousd for granted in held)
            assert balance.reserved_tokens == sum(granted.tokens for granted in held)
            assert balance.reserved_calls == len(held)
            assert min(balance.spent_nanousd, balance.spent_tokens, balance.spent_calls, balance.turn_tool_calls) >= 0


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@given(NEEDS, LIMITS)
def test_exhausted_means_that_an_idle_node_could_not_afford_it(need: Need, limits: Limits) -> None:
    verdict = budget.admit([("run:1", Balance(limits))], need, CallKind.MODEL)
    affordable = (
        (limits.calls is None or limits.calls >= 1)
        and (limits.tokens is None or limits.tokens >= need.tokens(need.output_tokens_min))
        and (limits.nanousd is None or limits.nanousd >= need.nanousd(need.output_tokens_min))
    )
    assert isinstance(verdict, Granted if affordable else Exhausted)


@given(NEEDS, LIMITS)
def test_the_grant_is_as_long_as_it_can_be(need: Need, limits: Limits) -> None:
    verdict = budget.admit([("run:1", Balance(limits))], need, CallKind.MODEL)
    if isinstance(verdict, Granted) and verdict.output_tokens < need.output_tokens:
        longer = verdict.output_tokens + 1
        assert (limits.tokens is not None and need.tokens(longer) > limits.tokens) or (
            limits.nanousd is not None and need.nanousd(longer) > limits.nanousd
        )


def test_other_reservations_block_instead_of_shortening_the_answer() -> None:
    need = Need(output_tokens=60, output_tokens_min=1, nanousd_per_output_token=NanoUsd(1))
    path = [("run:1", Balance(Limits(nanousd=NanoUsd(100))))]
    first = budget.admit(path, need, CallKind.MODEL)
    assert isinstance(first, Granted)
    assert budget.admit(path, need, CallKind.MODEL) == Blocked("run:1", "usd")
    budget.settle(path, first, NanoUsd(10), 10, model_answered=True)
    second = budget.admit(path, need, CallKind.MODEL)
    assert isinstance(second, Granted)
    assert second.output_tokens == 60


def test_nonsensical_sums_stop_where_64_bits_still_hold_them() -> None:
    path = [("run:1", Balance(Limits(), spent_nanousd=budget.TOTAL_MAX - 5))]
    need = Need(NanoUsd(2**52), output_tokens=0)
    granted = budget.admit(path, need, CallKind.MODEL)
    assert isinstance(granted, Granted)
    budget.settle(path, granted, NanoUsd(2**53), 2**53, model_answered=True)
    assert (path[0][1].spent_nanousd, path[0][1].reserved_nanousd) == (budget.TOTAL_MAX, 0)
    path = [("run:1", Balance(Limits(), reserved_nanousd=budget.TOTAL_MAX - 5))]
    assert budget.admit(path, need, CallKind.MODEL) == Blocked("run:1", "usd")


@given(NEEDS, LIMITS, st.integers(0, 3_000))
def test_fills_are_the_limits_of_which_half_is_spent(need: Need, limits: Limits, spent: int) -> None:
    balance = Balance(limits, spent_nanousd=spent)
    told = {fill.dimension for fill in budget.fills([("run:1", balance)])}
    assert ("usd" in told) == (limits.nanousd is not None and 2 * spent >= limits.nanousd)
