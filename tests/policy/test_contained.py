"""The shipped policies say what docs/provenance.md says of them, whatever tools they meet."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from airside.core.call import Effect
from airside.core.policy import Facts, Link, Origin, Planned, Verdict
from airside.core.run import Identity
from airside.core.tool import ArgumentRole, Tool
from airside.policy import load
from airside.testing.calls import tool_call

EXAMPLES = Path(__file__).parents[2] / "examples"
WHO = Identity(
    tenant_id="default",
    run_id="run_x",
    attempt=1,
    agent="agent",
    release="rel",
    subject="run_x",
    budget_path=(),
    supervised=True,
    deadline_us=2**62,
)
ROLES = {
    "to": ArgumentRole.RECIPIENT,
    "usd": ArgumentRole.AMOUNT,
    "id": ArgumentRole.ID,
    "where": ArgumentRole.TARGET,
    "body": ArgumentRole.CONTENT,
}


def verdict(
    policy: str,
    origins: dict[str, Origin],
    *,
    effect: Effect = Effect.EXECUTE,
    reversible: bool = False,
    declared: bool = True,
    **facts: Any,
) -> Verdict:
    """Return what a policy says of a call whose arguments, named as ROLES are, come from these origins."""
    tool = Tool(
        name="anything",
        description="",
        schema={},
        effect=effect,
        reversible=reversible,
        roles=ROLES if declared else {},
        amount_argument="usd" if "usd" in origins else "",
        declared=declared,
    )
    amount = facts.pop("usd", 20)
    arguments = {name: amount if name == "usd" else f"{name} value" for name in origins}
    links = tuple(
        Link(name, tool.roles[name].value if name in tool.roles else "", origin) for name, origin in origins.items()
    )
    call = structs.replace(tool_call(WHO, tool, arguments), identity=WHO, facts=Facts(at_us=1, links=links, **facts))
    return load(EXAMPLES / policy).decide(call, tool).verdict


CONTAINED = "policy-contained.yaml"
SAID, GENUINE, FOREIGN, NOWHERE = Origin.PROMPT, Origin.TRUSTED, Origin.UNTRUSTED, Origin.UNKNOWN


@pytest.mark.parametrize(
    ("origins", "facts", "expected"),
    [
        ({"to": SAID, "body": NOWHERE}, {}, Verdict.ALLOW),
        ({"to": FOREIGN, "body": SAID}, {}, Verdict.ASK),
        ({"to": NOWHERE}, {}, Verdict.ASK),
        ({"to": GENUINE, "body": NOWHERE}, {}, Verdict.ASK),
        ({"to": GENUINE, "body": SAID}, {}, Verdict.ALLOW),
        ({"to": SAID, "id": FOREIGN}, {}, Verdict.ASK),
        ({"to": SAID, "where": NOWHERE}, {}, Verdict.ASK),
        ({"to": SAID, "body": NOWHERE}, {"leaves": ("body: secret card",)}, Verdict.ASK),
        ({"to": SAID, "body": NOWHERE}, {"leaves": ("body: unknown link",)}, Verdict.ASK),
        ({"to": SAID, "usd": NOWHERE}, {"usd": 500}, Verdict.ALLOW),
        ({"to": SAID, "usd": NOWHERE}, {"usd": 501}, Verdict.ASK),
        ({"to": SAID, "usd": SAID}, {"usd": 9_000}, Verdict.ALLOW),
        ({"to": SAID, "usd": SAID}, {"usd": 10_001}, Verdict.ASK),
        ({"to": SAID}, {"planned": Planned.OUTSIDE}, Verdict.ASK),
        ({"to": GENUINE}, {"planned": Planned.INSIDE}, Verdict.ALLOW),
        ({"id": GENUINE}, {"planned": Planned.INSIDE}, Verdict.ASK),
        ({"id": FOREIGN}, {"planned": Planned.INSIDE, "reversible": True}, Verdict.ALLOW),
        ({"id": FOREIGN}, {"planned": Planned.INSIDE}, Verdict.ASK),
        ({"to": FOREIGN}, {"planned": Planned.INSIDE, "reversible": True}, Verdict.ASK),
        ({"to": SAID}, {"declared": False}, Verdict.ALLOW),
        ({"to": FOREIGN}, {"declared": False}, Verdict.ASK),
    ],
)
def test_effects(origins: dict[str, Origin], facts: dict[str, Any], expected: Verdict) -> None:
    assert verdict(CONTAINED, origins, **facts) is expected


@pytest.mark.parametrize(
    ("origins", "facts", "expected"),
    [
        ({"where": NOWHERE}, {}, Verdict.ALLOW),
        ({"where": FOREIGN}, {"leaves": ("where: unknown link",)}, Verdict.ASK),
        ({"where": FOREIGN}, {"leaves": ("where: unknown link",), "planned": Planned.INSIDE}, Verdict.ALLOW),
        ({"where": NOWHERE}, {"leaves": ("where: unknown link",), "planned": Planned.INSIDE}, Verdict.DENY),
        ({"where": SAID}, {"leaves": ("where: secret card",)}, Verdict.ASK),
    ],
)
def test_reads(origins: dict[str, Origin], facts: dict[str, Any], expected: Verdict) -> None:
    assert verdict(CONTAINED, origins, effect=Effect.READ, **facts) is expected


@pytest.mark.parametrize("policy", ["policy-contained.yaml", "policy-shop.yaml"])
def test_without_facts_no_effect_is_allowed(policy: str) -> None:
    tool = Tool(name="x", description="", schema={}, effect=Effect.EXECUTE, roles=ROLES, declared=True)
    call = structs.replace(tool_call(WHO, tool, {"to": "x", "id": "y"}), identity=WHO)
    assert load(EXAMPLES / policy).decide(call, tool).verdict is not Verdict.ALLOW


def test_the_shop_serves_what_is_the_customers_own() -> None:
    assert verdict("policy-shop.yaml", {"id": Origin.OWNED, "usd": NOWHERE}, usd=100) is Verdict.ALLOW
    assert verdict("policy-shop.yaml", {"id": FOREIGN, "usd": NOWHERE}, usd=100) is Verdict.ASK
    assert verdict("policy-shop.yaml", {"id": Origin.OWNED, "usd": SAID}, usd=501) is Verdict.ASK
