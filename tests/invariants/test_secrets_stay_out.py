"""Invariant 7 over the whole life of calls: no value of a secret in the journal, in sealed content, or in a replay."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from airside.config.secrets import GrantSettings
from airside.config.tools import ToolSettings
from airside.core.clock import SystemClock
from airside.core.errors import AirsideError
from airside.core.ports import Forward, Query, Transaction
from airside.core.run import Identity
from airside.gateways.http import Caller
from airside.gateways.tools.catalogue import ToolCatalogue
from airside.gateways.tools.egress import Egress, refuse_ungranted
from airside.gateways.tools.fit import Fit
from airside.gateways.tools.gateway import ToolGateway, tool_of
from airside.gateways.tools.hosted import HostedTools
from airside.pipeline.compose import compose
from airside.pipeline.permit import Permit
from airside.policy import load
from airside.secrets.grants import Grants
from airside.secrets.lease import Document
from airside.testing import InMemoryPlane
from tests.secrets.parts import PlayedStore, service
from tests.secrets.test_egress import Noted

MODULES = Path(__file__).parents[1] / "secrets" / "modules"
VALUE = "value-Kd83hQz61LmX"
TRACKER, API = "secret://house/tracker", "secret://house/api"
GRANTS = [
    GrantSettings(secret=TRACKER, tools=["open_issue", "fail_loudly"], name="tracker"),
    GrantSettings(secret=API, tools=["fetch"], arguments=["headers.Authorization"]),
]
RULES = "rules: [{name: all, then: allow, tools: ['*']}]"


class Desk:
    """Runs with tools that use secrets, on a journal in memory."""

    def __init__(self, plane: InMemoryPlane) -> None:
        self.plane = plane
        self.grants = Grants(GRANTS, "default")
        self.secrets = service(PlayedStore(lambda _: Document(VALUE, "v1")), SystemClock())
        self.catalogue = ToolCatalogue({})
        settings = ToolSettings(modules=["keyed"], path=[MODULES], env_pass=["VALID"])
        self.hosted = HostedTools(settings, self.catalogue.set_hosted)
        self.gateway = ToolGateway(self.pipeline, self.catalogue, self.hosted)

    def pipeline(self, terminal: Forward) -> Forward:
        identify, replay, _, _, _, retry, record = self.plane.steps()
        fit = Fit(lambda call: refuse_ungranted(self.grants, call))
        egress = Egress(self.secrets, self.grants, Noted(), SystemClock())
        return compose([identify, replay, fit, Permit(self.plane.policy, tool_of), retry, record, egress], terminal)

    def offered(self, identity: Identity) -> str:
        token = f"{identity.run_id}/{identity.attempt}"
        tools = tuple(tool.name for tool in self.catalogue.manifests())
        self.plane.identities.known[token] = replace(identity, tenant_id="default", tools=tools)
        return token

    async def say(self, token: str, name: str, **arguments: Any) -> str:
        """Call a tool and return what the agent is told, whatever it is."""
        try:
            return (await self.gateway.call(Caller(token), name, arguments)).body.decode()
        except AirsideError as error:
            return f"{error} {error.advice} {msgspec.json.encode(dict(error.details)).decode()}"

    async def everything(self) -> bytes:
        """Return all that the database holds, sealed contents opened too."""
        plane = self.plane

        async def dump(tx: Transaction) -> tuple[list[Any], list[Any]]:
            tables = await tx.fetch(Query("tables", "SELECT name FROM sqlite_master WHERE type = 'table'"))
            found = [
                row for table in tables for row in await tx.fetch(Query("all", f'SELECT * FROM "{table["name"]}"'))
            ]
            return found, list(await tx.fetch(Query("contents", "SELECT * FROM contents")))

        rows, contents = await plane.backend.database.read(dump)
        opened = []
        for row in contents:
            key = await plane.keyring.subject(row["tenant_id"], row["subject"])
            opened.append(key.open(bytes(row["content_id"]), bytes(row["sealed"])))
        plain = [
            value if isinstance(value, bytes) else str(value).encode() for row in rows for value in dict(row).values()
        ]
        return b"\n".join([*plain, *opened])


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    rules, valid = tmp_path / "rules.yaml", tmp_path / "valid"
    rules.write_text(RULES)
    valid.write_text(VALUE)
    monkeypatch.setenv("VALID", str(valid))
    async with InMemoryPlane(policy=load(rules)) as plane:
        made = Desk(plane)
        await made.hosted.start()
        try:
            yield made
        finally:
            await made.hosted.close()


async def test_no_value_is_recorded_answered_or_replayed(desk: Desk) -> None:
    who = await desk.plane.start_run()

    async def asked(token: str) -> list[str]:
        return [
            await desk.say(token, "open_issue", title="broken"),
            await desk.say(token, "fetch", url="x", headers={"Authorization": f"Bearer {API}"}),
            await desk.say(token, "fail_loudly"),
            await desk.say(token, "fetch", url="x", headers={"Cookie": API}),
            await desk.say(token, "ungranted"),
        ]

    said = await asked(desk.offered(who))
    assert '"was_value":true' in said[1], "the tool was given the value"
    assert "secret_denied" in said[3]
    again = await asked(desk.offered(await desk.plane.next_attempt(who)))
    assert again == said
    held = await desk.everything()
    assert TRACKER.encode() in held, "the notes and answers name the handle"
    for form in (VALUE, VALUE[::-1], base64.b64encode(VALUE.encode()).decode(), VALUE.removeprefix("value-")):
        assert form.encode() not in held
        assert not [text for text in said + again if form in text]
    assert desk.secrets.watch.found_in("default", held.decode(errors="replace")) == ()
