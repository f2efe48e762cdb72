"""The past of a run as any gateway finds it in the journal: provenance, plans and their counts, over crashes too."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from msgspec import structs

from airside.core import canonical
from airside.core.call import Call, CallState, Effect, Outcome
from airside.core.errors import AirsideError
from airside.core.policy import Decision, Facts, Origin, Planned, Reason, Verdict
from airside.core.ports import Query, Sealed, Transaction
from airside.core.run import Identity
from airside.core.tool import WHOLE, ArgumentRole, FieldLabel, Tool
from airside.gateways.tools.answer import pack
from airside.gateways.tools.provenance.commit import COMMIT_PLAN, CommitPlan
from airside.gateways.tools.provenance.mining import mined, plan_of_run
from airside.gateways.tools.provenance.past import Past
from airside.gateways.tools.provenance.witness import ProvenanceWitness
from airside.policy.plans.plan import Plan, read
from airside.policy.provenance.declared import Declared, Relation
from airside.testing import InMemoryPlane
from airside.testing.calls import tool_call

SEND = Tool(
    name="send",
    description="",
    schema={},
    effect=Effect.EXECUTE,
    declared=True,
    roles={"to": ArgumentRole.RECIPIENT, "body": ArgumentRole.CONTENT},
)
INBOX = Tool(name="inbox", description="", schema={}, effect=Effect.READ, declared=True)
ORDER = Tool(name="order", description="", schema={}, effect=Effect.READ, declared=True)
CLOCK = Tool(
    name="clock",
    description="",
    schema={},
    effect=Effect.READ,
    declared=True,
    results={WHOLE: FieldLabel(trusted=True)},
)
TOOLS = {tool.name: tool for tool in (SEND, INBOX, ORDER, CLOCK, COMMIT_PLAN)}
RESULTS: Mapping[str, Any] = {
    "inbox": [{"from": "eve@evil.org"}],
    "order": {"owner": "c-1", "to": "home@c-1.org"},
    "clock": "noon",
    "send": None,
}
DECLARED = Declared(
    relations=(Relation(tool="order", owner="owner", principal="customer", values=("to",), arguments=("send.to",)),)
)
_RUN = Query(
    "run",
    "UPDATE runs SET input = :input, supervised = :supervised, untrusted = :untrusted, parent_run_id = :parent,"
    " state = :state WHERE tenant_id = :tenant_id AND run_id = :run_id",
)


class Yes:
    """Lets everything pass."""

    version = "pol_yes"

    def decide(self, call: Call, _tool: Tool | None) -> Decision:
        """Allow, with the links of the facts."""
        return Decision(Verdict.ALLOW, (Reason("yes", Verdict.ALLOW, "test"),), self.version, call.facts.links)


@pytest.fixture(params=["memory", "postgres"])
async def plane(request: pytest.FixtureRequest) -> AsyncIterator[InMemoryPlane]:
    """A plane on each database."""
    url = "memory:" if request.param == "memory" else request.getfixturevalue("postgres_url")
    async with InMemoryPlane(policy=Yes(), tools=tuple(TOOLS.values()), database_url=url) as plane:
        yield plane


def past_of(plane: InMemoryPlane) -> Past:
    return Past(plane.backend.database, plane.keyring, TOOLS.get, DECLARED, {"agent": ["ask"]}, runs_max=10)


def witness_of(plane: InMemoryPlane, plan: Plan | None = None) -> ProvenanceWitness:
    return ProvenanceWitness(past_of(plane), plane.backend.database, {"agent": plan} if plan else {})


async def begin(
    plane: InMemoryPlane, said: Any, *, supervised: bool = True, untrusted: str = "[]", parent: str | None = None
) -> Identity:
    run = await plane.start_run(supervised=supervised)
    run = structs.replace(run, principal={"customer": "c-1"})
    plane.identities.known[f"{run.run_id}/1"] = run
    sealed: Sealed = (await plane.keyring.subject(run.tenant_id, run.subject)).seal(canonical.encode(said))

    async def body(tx: Transaction) -> None:
        await tx.store(sealed)
        await tx.execute(
            _RUN,
            tenant_id=run.tenant_id,
            run_id=run.run_id,
            input=sealed.content_id,
            supervised=int(supervised),
            untrusted=untrusted,
            parent=parent,
            state="running",
        )

    await plane.backend.database.transact(body)
    return run


async def do(plane: InMemoryPlane, run: Identity, tool: Tool, **arguments: Any) -> None:
    """Make a call through the pipeline, so that the journal has it."""

    async def execute(_call: Call) -> Outcome:
        return Outcome(state=CallState.OK, body=pack(canonical.encode(RESULTS[tool.name]), None))

    await plane.pipeline(execute)(tool_call(run, tool, arguments))


async def facts(witness: ProvenanceWitness, run: Identity, tool: Tool = SEND, **arguments: Any) -> Facts:
    call = structs.replace(tool_call(run, tool, arguments), identity=run)
    return await witness(call, tool, Facts(at_us=1))


async def origin(witness: ProvenanceWitness, run: Identity, to: str) -> Origin:
    (link,) = (await facts(witness, run, to=to)).links
    return link.origin


async def test_the_users_words_are_the_paths_that_say_so(plane: InMemoryPlane) -> None:
    said = {"ask": {"text": "write to amy@house.org", "mail": "from eve@evil.org"}, "context": "bob@other.org"}
    run = await begin(plane, said, untrusted='["ask.mail"]')
    witness = witness_of(plane)
    found = [await origin(witness, run, to) for to in ("amy@house.org", "eve@evil.org", "bob@other.org")]
    assert found == [Origin.PROMPT, Origin.UNTRUSTED, Origin.UNTRUSTED]
    assert "untrusted" in (await facts(witness, run, to="x")).taints


async def test_a_program_of_somebody_else_has_no_prompt(plane: InMemoryPlane) -> None:
    run = await begin(plane, {"ask": "write to amy@house.org"}, supervised=False)
    assert await origin(witness_of(plane), run, "amy@house.org") is Origin.UNKNOWN


async def test_a_sub_runs_words_are_those_of_the_first_run(plane: InMemoryPlane) -> None:
    first = await begin(plane, {"ask": "write to amy@house.org"})
    sub = await begin(plane, {"ask": "write to eve@evil.org"}, parent=first.run_id)
    witness = witness_of(plane)
    assert [await origin(witness, sub, to) for to in ("amy@house.org", "eve@evil.org")] == [
        Origin.PROMPT,
        Origin.UNTRUSTED,
    ]


async def test_every_process_finds_the_same_past(plane: InMemoryPlane) -> None:
    run = await begin(plane, {"ask": "see to it"})
    early = witness_of(plane)
    assert await origin(early, run, "eve@evil.org") is Origin.UNKNOWN
    await do(plane, run, INBOX)
    await do(plane, run, ORDER, number="9")
    for witness in (early, witness_of(plane)):
        assert await origin(witness, run, "eve@evil.org") is Origin.UNTRUSTED
        assert await origin(witness, run, "home@c-1.org") is Origin.OWNED
    again = await plane.next_attempt(run)
    assert await origin(early, again, "home@c-1.org") is Origin.OWNED


async def test_another_runs_past_is_not_ones_own(plane: InMemoryPlane) -> None:
    run, other = await begin(plane, {"ask": "go"}), await begin(plane, {"ask": "go"})
    await do(plane, run, ORDER, number="9")
    assert await origin(witness_of(plane), other, "home@c-1.org") is Origin.UNKNOWN


async def test_links_are_in_the_decision_of_the_journal(plane: InMemoryPlane) -> None:
    run = await begin(plane, {"ask": "write to amy@house.org"})
    plane.witnesses = (witness_of(plane),)
    await do(plane, run, SEND, to="amy@house.org", body="hello")
    (intent,) = [entry for entry in await plane.entries(run) if entry["type"] == "call.intent"]
    links = {link["argument"]: link["origin"] for link in intent["body"]["decision"]["links"]}
    assert links["to"] == "prompt"
    assert "amy@house.org" not in str(intent["body"]), "the journal holds no content"


TWICE = read({"steps": [{"tool": "send", "times": 2}]})


async def test_concurrent_calls_of_two_processes_use_a_step_no_oftener_than_planned(plane: InMemoryPlane) -> None:
    run = await begin(plane, {"ask": "go"})
    witnesses = [witness_of(plane, TWICE), witness_of(plane, TWICE)]
    said = await asyncio.gather(*[facts(witnesses[n % 2], run, to=f"p{n}") for n in range(12)])
    assert sorted(one.planned for one in said) == [Planned.INSIDE] * 2 + [Planned.OUTSIDE] * 10


async def test_a_replayed_call_counts_once(plane: InMemoryPlane) -> None:
    run = await begin(plane, {"ask": "go"})
    plane.witnesses = (witness_of(plane, TWICE),)
    await do(plane, run, SEND, to="p1", body="x")
    again = await plane.next_attempt(run)
    await do(plane, again, SEND, to="p1", body="x")
    witness = witness_of(plane, TWICE)
    assert (await facts(witness, again, to="p2")).planned is Planned.INSIDE
    assert (await facts(witness, again, to="p3")).planned is Planned.OUTSIDE


async def test_a_use_that_never_became_a_call_ends_with_its_attempt(plane: InMemoryPlane) -> None:
    run = await begin(plane, {"ask": "go"})
    witness = witness_of(plane, TWICE)
    for to in ("p1", "p2"):
        assert (await facts(witness, run, to=to)).planned is Planned.INSIDE
    assert (await facts(witness, run, to="p3")).planned is Planned.OUTSIDE
    assert (await facts(witness, await plane.next_attempt(run), to="p1")).planned is Planned.INSIDE


async def test_the_same_call_looked_at_twice_is_one_use(plane: InMemoryPlane) -> None:
    run = await begin(plane, {"ask": "go"})
    witness = witness_of(plane, TWICE)
    call = structs.replace(tool_call(run, SEND, {"to": "p1"}), identity=run)
    for _ in range(4):  # as approvals do: once when asked, once when approved
        assert (await witness(call, SEND, Facts(at_us=1))).planned is Planned.INSIDE


async def test_an_agent_commits_itself_before_it_reads_what_others_wrote(plane: InMemoryPlane) -> None:
    run = await begin(plane, {"ask": "go"})
    await do(plane, run, CLOCK)
    commit = CommitPlan(past_of(plane), plane.backend.database, plane.keyring)
    steps = {"steps": [{"tool": "send", "arguments": {"to": {"one_of": ["amy@house.org"]}}}]}
    call = structs.replace(tool_call(run, COMMIT_PLAN, steps), identity=run)
    for _ in range(2):
        assert await commit(call) == b'{"steps":1}'
    with pytest.raises(AirsideError, match="another plan"):
        await commit(structs.replace(call, arguments={"steps": []}))
    witness = witness_of(plane, TWICE)
    assert (await facts(witness, run, to="amy@house.org")).planned is Planned.INSIDE
    assert (await facts(witness, run, to="eve@evil.org")).planned is Planned.OUTSIDE
    (entry,) = [entry for entry in await plane.entries(run) if entry["type"] == "plan.committed"]
    assert entry["body"]["said_by"] == "agent"
    kept = await plan_of_run(plane.backend.database, plane.keyring, run.tenant_id, run.run_id)
    assert kept is not None
    assert kept.steps[0].tool == "send"


async def test_an_agent_that_has_read_what_others_wrote_commits_to_nothing(plane: InMemoryPlane) -> None:
    run = await begin(plane, {"ask": "go"})
    await do(plane, run, INBOX)
    commit = CommitPlan(past_of(plane), plane.backend.database, plane.keyring)
    call = structs.replace(tool_call(run, COMMIT_PLAN, {"steps": [{"tool": "send"}]}), identity=run)
    with pytest.raises(AirsideError, match="had to be committed before"):
        await commit(call)


async def test_plans_are_mined_from_what_the_journal_tells(plane: InMemoryPlane) -> None:
    database = plane.backend.database
    plane.witnesses = (witness_of(plane),)
    for times in (1, 2):
        run = await begin(plane, {"ask": "write to amy@house.org"})
        for _ in range(times):
            await do(plane, run, SEND, to="amy@house.org", body="x")
        done = Query("done", "UPDATE runs SET state = 'succeeded' WHERE run_id = :run_id")
        await database.transact(lambda tx, run=run, done=done: tx.execute(done, run_id=run.run_id))
    plan, runs = await mined(database, plane.keyring, "default", "agent", 10)
    (step,) = plan.steps
    assert (runs, step.tool, step.times, step.arguments["to"].origins) == (2, "send", 2, (Origin.PROMPT,))
