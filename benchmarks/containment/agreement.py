"""The real pipeline and journal, in memory, on a sample of tasks: does it decide as the replay did?

Replays feed the ledger by themselves, for speed; here calls pass identify, evidence, permit, approve and record, and
the witness reads the run's past back from the journal.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from airside.core import canonical
from airside.core.call import Call, CallState, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.ports import Query, Transaction
from airside.core.run import Identity
from airside.gateways.tools.answer import pack
from airside.gateways.tools.provenance.past import Past
from airside.gateways.tools.provenance.witness import ProvenanceWitness
from airside.policy.plans.plan import Plan
from airside.testing import InMemoryPlane
from airside.testing.calls import tool_call
from benchmarks.containment import rules
from benchmarks.containment.attacks import Act, acts_of
from benchmarks.containment.replay import Stage
from benchmarks.figures import figure, option

TASKS = option("agreement_tasks", 6)
_INPUT = Query("input", "UPDATE runs SET input = :input WHERE tenant_id = :tenant_id AND run_id = :run_id")


def tell(ready: Callable[[str], Any], names: tuple[str, ...]) -> None:
    """Print how many decisions were compared, and how many differed."""
    compared = differed = 0
    for name in names:
        suite = ready(name)
        attack = next(iter(suite.stage.world.suite.injection_tasks.values()))
        goal = acts_of(attack, suite.template)
        with_effects = [task_id for task_id, cleans in suite.cleans.items() if cleans[0].effects]
        for task_id in with_effects[:TASKS]:
            for plan in suite.plans[task_id]:
                task = suite.stage.world.suite.user_tasks[task_id]
                environment, acts = suite.stage.world.task(task, suite.template)
                found = asyncio.run(_through_the_gateway(suite.stage, environment, task.PROMPT, [*acts, *goal], plan))
                environment, _ = suite.stage.world.task(task, suite.template)
                expected = _in_process(suite.stage, environment, task.PROMPT, [*acts, *goal], plan)
                compared += len(expected)
                differed += sum(one != other for one, other in zip(found, expected, strict=True))
    figure("containment.gateway_disagreements", differed, "decisions", n=compared, how="in-memory plane, three plans")


def _in_process(stage: Stage, environment: Any, prompt: str, acts: list[Act], plan: Plan | None) -> list[str]:
    run = rules.Governed(stage.policy, stage.labels, prompt, plan)
    verdicts = []
    for act in acts:
        ((decision, said),) = run.decide(act)
        verdicts.append(decision.verdict.value)
        run.done(act, [said], *stage.world.run(environment, act))
    return verdicts


async def _through_the_gateway(
    stage: Stage, environment: Any, prompt: str, acts: list[Act], plan: Plan | None
) -> list[str]:
    tools = stage.labels.tools
    async with InMemoryPlane(policy=stage.policy, tools=tuple(tools.values())) as plane:
        database = plane.backend.database
        past = Past(database, plane.keyring, tools.get, stage.labels.declared, {}, runs_max=10)
        plans: Mapping[str, Plan] = {"agent": plan} if plan is not None else {}
        plane.witnesses = (ProvenanceWitness(past, database, plans),)
        run = await plane.start_run()
        await _say(plane, run, prompt)

        async def execute(call: Call) -> Outcome:
            result, error = stage.world.run(environment, Act(call.name, dict(call.arguments or {})))
            if error:
                raise AirsideError(Code.TOOL_FAILED, error)
            return Outcome(state=CallState.OK, body=pack(canonical.encode(result), None))

        forward = plane.pipeline(execute)
        verdicts = []
        for act in acts:
            asked = len(plane.reviewers.asked)
            plane.reviewers.verdicts[:] = ["approved"]
            try:
                await forward(tool_call(run, tools[act.tool], act.arguments))
                verdict = "ask" if len(plane.reviewers.asked) > asked else "allow"
            except AirsideError as error:
                verdict = "ask" if len(plane.reviewers.asked) > asked else "allow"
                if error.code is Code.POLICY_DENIED:
                    verdict = "deny"
            verdicts.append(verdict)
        return verdicts


async def _say(plane: InMemoryPlane, run: Identity, prompt: str) -> None:
    """Give a run its input."""
    sealed = (await plane.keyring.subject(run.tenant_id, run.subject)).seal(canonical.encode(prompt))

    async def body(tx: Transaction) -> None:
        await tx.store(sealed)
        await tx.execute(_INPUT, tenant_id=run.tenant_id, run_id=run.run_id, input=sealed.content_id)

    await plane.backend.database.transact(body)
