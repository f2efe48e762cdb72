"""A run whose tools are guarded: the real pipeline and journal, and tools that bring and take what the test says."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from airside.config.guards import GuardSettings
from airside.core import canonical
from airside.core.call import Call, Effect
from airside.core.errors import AirsideError
from airside.core.ports import Forward, Query, Step, Transaction
from airside.core.run import Identity
from airside.core.tool import WHOLE, ArgumentRole, FieldLabel, Tool
from airside.gateways.http import Caller
from airside.gateways.tools.catalogue import ToolCatalogue
from airside.gateways.tools.fit import Fit
from airside.gateways.tools.gateway import ToolGateway, rebuild, tool_of
from airside.gateways.tools.guarding.arguments import Arguments, again
from airside.gateways.tools.guarding.restore import Restore
from airside.gateways.tools.guarding.results import Results
from airside.gateways.tools.guarding.risk import RiskWitness
from airside.gateways.tools.provenance.past import Past
from airside.gateways.tools.provenance.witness import ProvenanceWitness
from airside.gateways.tools.remembering.shelf import Shelf
from airside.gateways.tools.remembering.step import Remembering
from airside.pipeline.approve import Approve
from airside.pipeline.compose import compose
from airside.pipeline.evidence import Evidence
from airside.pipeline.permit import Permit
from airside.policy.provenance.declared import Declared
from airside.testing import InMemoryPlane
from tests.guards.world import PLANTED, Operators, Planted, guards_of

_ANY: Mapping[str, Any] = {"type": "object"}
_MAIL: Mapping[str, Any] = {
    "type": "object",
    "properties": {"to": {"type": "string", "pattern": "@"}, "cc": {"type": "string"}, "body": {}},
    "required": ["to"],
}
LOOK = Tool(name="look", description="", schema=_ANY, effect=Effect.READ, declared=True)
TRUSTED = Tool(
    name="book",
    description="",
    schema=_ANY,
    effect=Effect.READ,
    declared=True,
    results={WHOLE: FieldLabel(trusted=True)},
)
SHARED = Tool(
    name="shared", description="", schema=_ANY, effect=Effect.READ, declared=True, cache_ttl_s=60.0, cache_shared=True
)
SEND = Tool(
    name="send",
    description="",
    schema=_MAIL,
    effect=Effect.EXECUTE,
    declared=True,
    roles={"to": ArgumentRole.RECIPIENT, "cc": ArgumentRole.RECIPIENT, "body": ArgumentRole.CONTENT},
)
NOTE = Tool(name="note", description="", schema=_ANY, effect=Effect.WRITE, declared=True)
TOOLS = (LOOK, TRUSTED, SHARED, SEND, NOTE)

RESTORE = [{"tools": ["send"], "kinds": ["EMAIL"]}]


class Desk:
    """The tool gateway with guards. `brings` says what a tool answers, or raises; `got` is what reached tools."""

    def __init__(self, plane: InMemoryPlane, **settings: Any) -> None:
        self.plane = plane
        self.brings: dict[str, Any] = {}
        self.got: list[tuple[str, Any]] = []
        self.operators = Operators()
        self.detectors: list[Any] = [Planted(guard) for guard in PLANTED]
        self.settings = {"modes": {"personal": "tokenise", "secrets": "redact"}, "restore": RESTORE, **settings}
        self.start()

    def start(self, **changes: Any) -> None:
        """Begin anew, as a process does that knows nothing of what was before but what the database has."""
        plane = self.plane
        self.settings |= changes
        self.known = GuardSettings(**self.settings)
        self.guards = guards_of(
            plane.backend.database,
            plane.keyring,
            detectors=self.detectors,
            notices=self.operators,
            **self.settings,
        )
        self.results = Results(self.guards)
        catalogue = ToolCatalogue({}, [(tool, self._execute) for tool in TOOLS])
        self.catalogue = catalogue
        past = Past(
            plane.backend.database,
            plane.keyring,
            catalogue.lookup,
            Declared(),
            {},
            runs_max=10,
            placeholders=self.guards.placeholders,
        )
        plane.witnesses = (ProvenanceWitness(past, plane.backend.database, {}), RiskWitness(self.guards.risks))
        self.gateway = ToolGateway(self.pipeline, catalogue, None)

    def pipeline(self, terminal: Forward) -> Forward:
        plane, guards = self.plane, self.guards
        identify, replay, _, _, _, retry, record = plane.steps()
        evidence = Evidence(plane.witnesses, tool_of, plane.clock)
        restore = Restore(guards.placeholders, self.known.restore, plane.keyring)
        arguments = Arguments(guards)
        asked_again = again(restore, arguments, evidence.gathered)
        approve = Approve(plane.reviewers, plane.policy, tool_of, asked_again, rebuild, plane.keyring)
        steps: list[Step] = [
            identify,
            restore,
            replay,
            Fit(),
            arguments,
            evidence,
            Permit(plane.policy, tool_of),
            approve,
            Remembering(Shelf(plane.backend.database, plane.keyring), plane.keyring),
            retry,
            record,
            self.results,
        ]
        return compose(steps, terminal)

    async def _execute(self, call: Call) -> bytes:
        self.got.append((call.name, call.arguments))
        brought = self.brings.get(call.name)
        if isinstance(brought, AirsideError):
            raise brought
        return canonical.encode(brought)

    async def begin(self, said: Any = None, agent: str = "agent") -> Identity:
        """Start a run that was asked for in some words."""
        run = await self.plane.start_run(agent=agent)
        run = replace(run, tools=("*",))
        self.plane.identities.known[f"{run.run_id}/1"] = run
        sealed = (await self.plane.keyring.subject(run.tenant_id, run.subject)).seal(canonical.encode(said))

        async def body(tx: Transaction) -> None:
            await tx.store(sealed)
            await tx.execute(
                Query("test", "UPDATE runs SET input = :input WHERE tenant_id = :tenant_id AND run_id = :run_id"),
                tenant_id=run.tenant_id,
                run_id=run.run_id,
                input=sealed.content_id,
            )

        await self.plane.backend.database.transact(body)
        return run

    async def again(self, run: Identity) -> Identity:
        """Start the run's next attempt."""
        run = replace(await self.plane.next_attempt(run), tools=("*",))
        self.plane.identities.known[f"{run.run_id}/{run.attempt}"] = run
        return run

    async def call(self, run: Identity, name: str, **arguments: Any) -> Any:
        """Call a tool and return what the agent is told."""
        outcome = await self.gateway.call(Caller(f"{run.run_id}/{run.attempt}"), name, arguments)
        return msgspec.json.decode(outcome.body)

    async def bodies(self, run: Identity, *kinds: str) -> list[dict[str, Any]]:
        """Return the bodies of a run's journal entries of some types, in their order."""

        async def body(tx: Transaction) -> list[Any]:
            rows = await tx.fetch(
                Query("test", "SELECT type, body FROM entries WHERE run_id = :run_id ORDER BY entry_id"),
                run_id=run.run_id,
            )
            return [msgspec.json.decode(row["body"]) for row in rows if row["type"] in kinds]

        return await self.plane.backend.database.read(body)


def spellings(value: str) -> list[bytes]:
    """Return the ways in which a value might be found in a file."""
    raw = value.encode()
    padded = [base64.b64encode(b"x" * shift + raw).rstrip(b"=")[4:-2] for shift in range(3)]
    return [raw, raw[::-1], raw.hex().encode(), raw.hex().upper().encode(), *padded, value.encode("utf-16-le")]


def holds(folder: Path, value: str) -> list[str]:
    """Return the files of a folder in which a value stands in any such way."""
    files = [(file, file.read_bytes()) for file in folder.rglob("*") if file.is_file()]
    return [file.name for file, data in files if any(spelled in data for spelled in spellings(value))]
