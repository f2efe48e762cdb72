"""A plan says what a run may do: which tools, how often, which constants; mining learns no more than was vouched."""

from typing import Any

import pytest

from airside.core.call import Effect
from airside.core.errors import AirsideError
from airside.core.policy import Link, Origin, Planned
from airside.core.tool import ArgumentRole, Tool
from airside.policy.plans.mining import Observed, mine
from airside.policy.plans.plan import Plan, read, written
from airside.policy.plans.standing import standing
from airside.policy.provenance.ledger import Ledger

SEND = Tool(
    name="send",
    description="",
    schema={},
    effect=Effect.EXECUTE,
    declared=True,
    roles={"to": ArgumentRole.RECIPIENT, "body": ArgumentRole.CONTENT},
)
LOOK = Tool(name="look", description="", schema={}, effect=Effect.READ, declared=True)


def plan(*steps: dict[str, Any], closed: bool = True) -> Plan:
    return read({"closed": closed, "steps": list(steps)})


def stands(
    of: Plan | None, arguments: dict[str, Any], uses: dict[int, int] | None = None, tool: Tool = SEND
) -> Planned:
    return standing(of, uses or {}, tool, arguments, Ledger().links(tool, arguments)).planned


def test_without_a_plan_nothing_is_planned() -> None:
    assert stands(None, {"to": "a"}) is Planned.NO_PLAN


def test_what_a_closed_plan_does_not_name_is_outside() -> None:
    assert stands(plan({"tool": "other"}), {"to": "a"}) is Planned.OUTSIDE
    assert stands(plan({"tool": "other"}, closed=False), {"to": "a"}) is Planned.NO_PLAN


def test_reads_that_tell_nobody_anything_are_no_matter_of_plans() -> None:
    assert stands(plan(), {"query": "a"}, tool=LOOK) is Planned.NO_PLAN


def test_a_step_is_used_up() -> None:
    twice = plan({"tool": "send", "times": 2})
    assert [stands(twice, {"to": "a"}, {0: used}) for used in (0, 1, 2, 3)] == [
        Planned.INSIDE,
        Planned.INSIDE,
        Planned.OUTSIDE,
        Planned.OUTSIDE,
    ]


@pytest.mark.parametrize("to", ["amy@house.org", "AMY@house.org", "amy@house.org "])
def test_constants_are_the_same_however_written(to: str) -> None:
    fixed = plan({"tool": "send", "arguments": {"to": {"one_of": ["Amy@House.org"]}}})
    found = standing(fixed, {}, SEND, {"to": to}, Ledger().links(SEND, {"to": to}))
    assert (found.planned, [link.origin for link in found.links]) == (Planned.INSIDE, [Origin.PLAN])


def test_other_values_do_not_fit_constants() -> None:
    fixed = plan({"tool": "send", "arguments": {"to": {"one_of": ["amy@house.org"]}}})
    assert stands(fixed, {"to": "eve@evil.org"}) is Planned.OUTSIDE
    assert stands(fixed, {"to": ["amy@house.org", "eve@evil.org"]}) is Planned.OUTSIDE


def test_origins_must_be_met() -> None:
    asked = plan({"tool": "send", "arguments": {"to": {"from": ["prompt"]}}})
    ledger = Ledger()
    ledger.add_prompt("write to amy@house.org")
    inside = standing(asked, {}, SEND, {"to": "amy@house.org"}, ledger.links(SEND, {"to": "amy@house.org"}))
    assert (inside.planned, stands(asked, {"to": "eve@evil.org"})) == (Planned.INSIDE, Planned.OUTSIDE)


def test_the_most_exact_step_is_used_first() -> None:
    both = plan({"tool": "send"}, {"tool": "send", "arguments": {"to": {"one_of": ["amy@house.org"]}}})
    found = standing(both, {}, SEND, {"to": "amy@house.org"}, [])
    assert found.step == 1
    assert standing(both, {1: 1}, SEND, {"to": "amy@house.org"}, []).step == 0


@pytest.mark.parametrize(
    "value",
    [
        {"steps": [{"tool": "x", "arguments": {"a": {}}}]},
        {"steps": [{"tool": "x", "arguments": {"a": {"from": ["untrusted"]}}}]},
        {"steps": [{"tool": "x", "arguments": {"a": {"from": ["prompt"], "one_of": [1]}}}]},
        {"steps": [{"tool": "x", "times": 0}]},
        {"step": []},
        [],
        "plan",
    ],
)
def test_what_is_no_plan_is_refused(value: Any) -> None:
    with pytest.raises(AirsideError, match=r"plan: "):
        read(value)


def test_a_plan_is_read_as_it_was_written() -> None:
    said = plan({"tool": "send", "times": 3, "arguments": {"to": {"from": ["prompt", "owned"]}}}, closed=False)
    assert read(written(said)) == said


def observed(to: str, origin: Origin, field: str = "") -> Observed:
    return Observed(SEND, {"to": to, "body": "x"}, (Link("to", "recipient", origin, "call", field),))


def test_mining_learns_counts_origins_and_constants() -> None:
    runs = [[observed(f"p{number}", Origin.PROMPT)] * (number + 1) for number in range(3)]
    (step,) = mine(runs).steps
    assert (step.times, step.arguments["to"].origins, mine(runs).closed) == (3, (Origin.PROMPT,), False)
    (fixed,) = mine([[observed("amy@house.org", Origin.PROMPT)]] * 3).steps
    assert fixed.arguments["to"].one_of == ("amy@house.org",)


def test_mining_never_learns_what_nobody_vouched_for() -> None:
    runs = [[observed("a", Origin.UNTRUSTED)], [observed("b", Origin.UNKNOWN)]]
    assert mine(runs).steps == ()
    (step,) = mine([*runs, [observed("c", Origin.TRUSTED, "people.0.email")]]).steps
    assert (step.arguments["to"].origins, step.arguments["to"].fields) == ((Origin.TRUSTED,), ("people.*.email",))


def test_mined_fields_are_those_fields_only() -> None:
    of = mine([[observed("c", Origin.TRUSTED, "people.0.email")]])

    def found(field: str) -> Planned:
        link = Link("to", "recipient", Origin.TRUSTED, "call", field)
        return standing(of, {}, SEND, {"to": "d"}, [link]).planned

    assert (found("people.7.email"), found("mails.7.email")) == (Planned.INSIDE, Planned.NO_PLAN)
