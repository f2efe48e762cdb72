"""The starter policies: what is dangerous waits for a person (F1-F4, F10), and they prove it of themselves."""

from pathlib import Path
from typing import Any

import pytest

from airside.core.policy import Verdict
from airside.policy import load
from airside.policy.analysis.examples import WrittenCall
from airside.policy.analysis.findings import Kind, Names, check
from airside.policy.analysis.proofs import alone

EXAMPLES = Path(__file__).parents[2] / "examples"
STARTER = load(EXAMPLES / "policy-starter.yaml")
RECORDS = load(EXAMPLES / "policy-records.yaml")
PAYMENT = {"effect": "write", "declared": True, "amount_argument": "usd", "roles": {"to": "recipient", "usd": "amount"}}


@pytest.mark.parametrize(
    ("requirement", "call", "expected"),
    [
        ("F1", PAYMENT | {"tool": "refund_order", "arguments": {"usd": 50, "to": "x"}}, Verdict.ALLOW),
        ("F1", PAYMENT | {"tool": "refund_order", "arguments": {"usd": "50.01", "to": "x"}}, Verdict.ASK),
        ("F1", PAYMENT | {"tool": "pay", "arguments": {"usd": 5, "to": "x"}, "moved_usd": 196}, Verdict.DENY),
        ("F1", PAYMENT | {"tool": "pay", "arguments": {"usd": "all", "to": "x"}}, Verdict.ASK),
        ("F1", PAYMENT | {"tool": "pay", "arguments": {"to": "x"}, "origins": {"to": "untrusted"}}, Verdict.ASK),
        ("F2", {"tool": "delete_user", "effect": "write", "reversible": True, "declared": True}, Verdict.ASK),
        ("F2", {"tool": "shutdown", "effect": "execute", "reversible": True, "declared": True}, Verdict.ASK),
        ("F2", {"tool": "whatever", "effect": "write", "reversible": False, "declared": True}, Verdict.ASK),
        ("F3", {"tool": "send_email", "effect": "write", "reversible": True, "declared": True}, Verdict.ASK),
        ("F3", {"tool": "post_tweet", "effect": "write", "reversible": True, "declared": True}, Verdict.ASK),
        ("F4", {"tool": "deploy_app", "effect": "execute", "reversible": True, "declared": True}, Verdict.ASK),
        ("F4", {"tool": "update_customer", "effect": "write", "reversible": True, "declared": True}, Verdict.ASK),
        ("B6", {"tool": "find", "effect": "read", "declared": True}, Verdict.ALLOW),
        ("B5", {"tool": "find", "effect": "read"}, Verdict.ASK),
        ("B5", {"tool": "tidy", "effect": "write", "reversible": True, "declared": True}, Verdict.DENY),
        ("B8", {"tool": "send_email", "leaves": ["body: secret stripe"]}, Verdict.DENY),
    ],
)  # fmt: skip
def test_the_starter_policy_asks_where_it_must(requirement: str, call: dict[str, Any], expected: Verdict) -> None:
    decision = WrittenCall.model_validate(call).decided(alone(STARTER), {})
    assert decision.verdict is expected, (requirement, decision.reasons)


def test_two_people_agree_to_large_sums() -> None:
    call = WrittenCall.model_validate(PAYMENT | {"tool": "refund", "arguments": {"usd": 5_000}})
    assert max(reason.approvals for reason in call.decided(alone(STARTER), {}).reasons) == 2


@pytest.mark.parametrize("effect", ["write", "execute"])
@pytest.mark.parametrize("declared", [True, False])
def test_every_modification_of_a_record_waits_for_a_person(effect: str, declared: bool) -> None:
    said = {"tool": "chart", "effect": effect, "declared": declared, "reversible": True, "plan": "inside"}
    assert WrittenCall.model_validate(said).decided(alone(RECORDS), {}).verdict is Verdict.ASK
    read = {"tool": "chart", "effect": "read", "declared": True}
    assert WrittenCall.model_validate(read).decided(alone(RECORDS), {}).verdict is Verdict.ALLOW


@pytest.mark.parametrize("policy", [STARTER, RECORDS], ids=["starter", "records"])
def test_they_prove_what_they_promise(policy: Any) -> None:
    pytest.importorskip("z3")
    kinds = [finding.kind for finding in check(policy, Names())]
    assert kinds == [Kind.PROVED] * len(policy.rules.never)
