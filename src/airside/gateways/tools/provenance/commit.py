"""The `commit_plan` tool: an agent says what it is going to do, before anything untrusted could talk it into more."""

from airside.core import canonical
from airside.core.call import Call, Effect
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Keyring, Transaction
from airside.core.run import Identity
from airside.core.tool import WHOLE, FieldLabel, Tool
from airside.gateways.tools.provenance.past import Past
from airside.journal.planned import commit_plan
from airside.policy.plans.plan import Plan, read, written

COMMIT_PLAN = Tool(
    name="commit_plan",
    description=(
        "Say, once and before you read anything that others wrote, which tools with effects you will call, how often,"
        " and with which fixed arguments. What is not in the plan will wait for a person."
    ),
    schema={
        "type": "object",
        "properties": {
            "steps": {
                "type": "array",
                "maxItems": 500,
                "items": {
                    "type": "object",
                    "properties": {
                        "tool": {"type": "string"},
                        "times": {"type": "integer", "minimum": 1},
                        "arguments": {"type": "object"},
                    },
                    "required": ["tool"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["steps"],
        "additionalProperties": False,
    },
    effect=Effect.READ,  # it changes nothing but what the run itself may do
    reversible=True,
    idempotent=True,
    results={WHOLE: FieldLabel(trusted=True)},
    declared=True,
    source="airside",
)


class CommitPlan:
    """Executes the tool."""

    def __init__(self, past: Past, database: Database, keyring: Keyring) -> None:
        self._past = past
        self._database = database
        self._keyring = keyring

    async def __call__(self, call: Call) -> bytes:
        """Commit the plan; raises `tool_failed` after an untrusted read, or if the run has another plan already."""
        plan = read({"closed": True, **dict(call.arguments or {})})
        known = await self._past.of(call.who)
        if "untrusted" in known.ledger.taints:
            raise AirsideError(
                Code.TOOL_FAILED, "the run has read what others wrote; its plan had to be committed before that"
            )
        await commit(self._database, self._keyring, call.who, plan)
        return canonical.encode({"steps": len(plan.steps)})


async def commit(database: Database, keyring: Keyring, who: Identity, plan: Plan) -> None:
    """Commit a run to its agent's plan; raises `tool_failed` if it has another one already."""
    sealed = (await keyring.subject(who.tenant_id, who.subject)).seal(canonical.encode(written(plan)))

    async def body(tx: Transaction) -> bool:
        return await commit_plan(tx, who.run_id, sealed, said_by="agent", steps=len(plan.steps))

    if not await database.transact(body):
        raise AirsideError(Code.TOOL_FAILED, "the run has committed itself to another plan already")
