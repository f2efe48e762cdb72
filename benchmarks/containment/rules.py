"""The product's own decision on a call: ledger, plan and the shipped policy, without a network in between."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airside.core.call import Call, CallKind
from airside.core.policy import Decision, Facts, Verdict
from airside.core.run import Identity
from airside.core.tool import Tool
from airside.policy.decision import RulePolicy
from airside.policy.loading import load
from airside.policy.plans.facts import Told, told
from airside.policy.plans.plan import Plan
from airside.policy.provenance.ledger import Ledger, Made
from benchmarks.containment.attacks import Act
from benchmarks.containment.labels import Labels

POLICY = Path(__file__).parents[2] / "examples" / "policy-contained.yaml"
WHO = Identity(
    tenant_id="default",
    run_id="run_bench",
    attempt=1,
    agent="agent",
    release="rel",
    subject="run_bench",
    budget_path=(),
    supervised=True,
    deadline_us=2**62,
)


class Governed:
    """One run under the rules: what it has seen, and what became of its calls under each of some plans."""

    def __init__(self, policy: RulePolicy, labels: Labels, prompt: Any, *plans: Plan | None) -> None:
        self._policy = policy
        self._labels = labels
        self._plans = plans
        self._uses: list[dict[int, int]] = [{} for _ in plans]
        self._calls = 0
        self.ledger = Ledger(labels.declared)
        self.ledger.add_prompt(prompt)

    def decide(self, act: Act) -> list[tuple[Decision, Told]]:
        """Return the verdicts on a call under each plan, and the facts they were decided on."""
        tool = self._labels.tools[act.tool]
        return [self._decide(act, tool, plan, uses) for plan, uses in zip(self._plans, self._uses, strict=True)]

    def _decide(self, act: Act, tool: Tool, plan: Plan | None, uses: dict[int, int]) -> tuple[Decision, Told]:
        said = told(Facts(at_us=1), self.ledger, tool, act.arguments, plan=plan, uses=uses)
        return self._policy.decide(call_of(act, tool, said.facts), tool), said

    def done(self, act: Act, steps: Sequence[Told], result: Any, error: str) -> None:
        """Record a call that was made; `steps` are what was told of it under each plan, if it was decided on."""
        for uses, said in zip(self._uses, steps, strict=False):
            if said.step >= 0:
                uses[said.step] = uses.get(said.step, 0) + 1
        self._calls += 1
        self.ledger.add(
            Made(
                call_id=f"call_{self._calls}",
                name=act.tool,
                tool=self._labels.tools[act.tool],
                arguments=act.arguments,
                result=result,
                error=error,
            )
        )


def call_of(act: Act, tool: Tool, facts: Facts) -> Call:
    """Return a call as policy is shown it."""
    return Call(
        call_id="call",
        kind=CallKind.TOOL,
        name=act.tool,
        token="",
        parts=(),
        effect=tool.effect,
        idempotent=False,
        timeout_s=30.0,
        identity=WHO,
        arguments=act.arguments,
        facts=facts,
    )


def allowed(decision: Decision) -> bool:
    """Whether a call goes on without anybody."""
    return decision.verdict is Verdict.ALLOW


def policy() -> RulePolicy:
    """Return the policy that is shipped as an example."""
    return load(POLICY)
