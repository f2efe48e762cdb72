"""Secrets enter a tool call at its very end and leave no trace: not in what is recorded, answered or raised."""

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from airside.config.secrets import GrantSettings
from airside.config.tools import ToolSettings
from airside.core import canonical
from airside.core.call import Call, Outcome
from airside.core.clock import SystemClock
from airside.core.errors import AirsideError, Code, CredentialRefused, TransientError
from airside.core.ports import Forward
from airside.gateways.http import Caller
from airside.gateways.tools.catalogue import ToolCatalogue
from airside.gateways.tools.egress import Egress, Hidden, refuse_ungranted
from airside.gateways.tools.fit import Fit
from airside.gateways.tools.gateway import ToolGateway
from airside.gateways.tools.hosted import HostedTools
from airside.journal import events
from airside.pipeline.compose import compose
from airside.secrets.grants import Grants
from airside.secrets.lease import Document
from airside.secrets.store import down, missing
from tests.gateways.tools.tooling import TOKEN, Known, until
from tests.secrets.parts import PlayedStore, service

MODULES = Path(__file__).parent / "modules"
VALUE, NEWER = "value-4Gk1zP0tQ9xW", "value-Zw7qN2rT5yLm"
TRACKER, API = "secret://house/tracker", "secret://house/api#key"
GRANTS = [
    GrantSettings(secret=TRACKER, tools=["open_issue", "fail_loudly", "look_around", "print_it"], name="tracker"),
    GrantSettings(secret=API, tools=["fetch"], arguments=["headers.Authorization"], hosts=["api.example.com"]),
]


class Noted:
    """Notices, kept."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, Mapping[str, Any]]] = []

    def tell(self, tenant_id: str, kind: str, body: Mapping[str, Any]) -> None:
        self.told.append((tenant_id, kind, body))


class Bench:
    """A tool gateway on a real host with egress, and a step where the journal would be."""

    def __init__(self, valid: Path) -> None:
        self.valid = valid
        self.current = {"tracker": VALUE, "api": '{"key": "value-9Xb3vU1aS8dF"}'}
        self.store = PlayedStore(self.answer)
        self.secrets = service(self.store, SystemClock(), timeout_s=2)
        self.notices = Noted()
        self.recorded: list[Call] = []
        self.edit: dict[str, Any] | None = None
        self.catalogue = ToolCatalogue({})
        self.known = Known(self.catalogue)
        settings = ToolSettings(modules=["keyed"], path=[MODULES], env_pass=["VALID"])
        self.hosted = HostedTools(settings, self.catalogue.set_hosted)
        self.grants = Grants(GRANTS, "acme")
        self.gateway = ToolGateway(self.pipeline, self.catalogue, self.hosted)

    def answer(self, name: str) -> Document:
        if name not in self.current:
            raise missing("house", name)
        return Document(self.current[name], f"v-{self.current[name]}")

    def pipeline(self, terminal: Forward) -> Forward:
        egress = Egress(self.secrets, self.grants, self.notices, SystemClock())
        fit = Fit(lambda call: refuse_ungranted(self.grants, call))
        return compose([self.identify, fit, self.record, egress], terminal)

    async def identify(self, call: Call, forward: Forward) -> Outcome:
        return await forward(replace(call, identity=await self.known.resolve(call.token, call.run_header)))

    async def record(self, call: Call, forward: Forward) -> Outcome:
        if self.edit is not None:
            call = replace(call, arguments=self.edit, parts=(canonical.encode(self.edit),), edited=True)
        self.recorded.append(call)
        return await forward(call)

    async def call(self, name: str, **arguments: Any) -> Outcome:
        return await self.gateway.call(Caller(TOKEN), name, arguments)

    async def result(self, name: str, **arguments: Any) -> Any:
        return msgspec.json.decode((await self.call(name, **arguments)).body)["result"]

    async def failure(self, name: str, **arguments: Any) -> AirsideError:
        with pytest.raises(AirsideError) as caught:
            await self.call(name, **arguments)
        return caught.value


@asynccontextmanager
async def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    valid = tmp_path / "valid"
    valid.write_text(VALUE)
    monkeypatch.setenv("VALID", str(valid))
    made = Bench(valid)
    await made.hosted.start()
    try:
        yield made
    finally:
        await made.hosted.close()


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    async with opened(tmp_path, monkeypatch) as made:
        yield made


async def test_a_function_gets_its_secret_and_the_echo_is_cut_out(bench: Bench) -> None:
    outcome = await bench.call("open_issue", title="broken")
    result = msgspec.json.decode(outcome.body)["result"]
    assert result == {"title": "broken", "echo": TRACKER, "encoded": result["encoded"]}
    assert TRACKER in result["encoded"]
    assert outcome.notes == {"redacted": [TRACKER]}
    entry = events.outcome(replace(bench.recorded[0], request_hash=b"x"), outcome, b"")
    assert msgspec.json.decode(entry.body)["notes"] == {"redacted": [TRACKER]}
    assert bench.notices.told == [
        (
            "acme",
            "secret.echoed",
            {"key": "open_issue", "tool": "open_issue", "secrets": [TRACKER], "times": 2, "run": "run_1"},
        )
    ]


async def test_a_handle_in_arguments_becomes_its_value_at_the_last_moment(bench: Bench) -> None:
    arguments = {"url": "https://api.example.com/", "headers": {"Authorization": f"Bearer {API}"}}
    result = await bench.result("fetch", **arguments)
    assert result == {"url": "https://api.example.com/", "was_value": True, "sent": f"Bearer {API}"}
    assert bench.recorded[0].arguments == arguments
    assert b"value-" not in bench.recorded[0].parts[0]
    assert bench.recorded[0].secrets == {}


async def test_handles_that_nobody_granted_are_denied_before_anything_is_recorded(bench: Bench) -> None:
    for name in ("house/tracker", "house/nothing", "nowhere/nothing", "house/api"):
        headers = {"Authorization": f"Bearer secret://{name}"}
        error = await bench.failure("fetch", url="https://api.example.com/", headers=headers)
        assert error.code is Code.SECRET_DENIED
    evil = await bench.failure("fetch", url="https://evil.example/", headers={"Authorization": API})
    assert evil.code is Code.SECRET_DENIED
    assert bench.recorded == []
    assert bench.store.asked == 0


async def test_an_edit_is_held_to_the_grants_too_and_told_without_values(bench: Bench) -> None:
    bench.edit = {"url": "https://evil.example/", "headers": {"Authorization": API}}
    assert (await bench.failure("fetch", url="https://api.example.com/", headers={})).code is Code.SECRET_DENIED
    bench.edit = {"url": "https://api.example.com/", "headers": {"Authorization": f"Bearer {API}"}}
    outcome = await bench.call("fetch", url="https://api.example.com/", headers={})
    assert msgspec.json.decode(outcome.body)["edited_arguments"] == bench.edit
    assert b"value-" not in outcome.body


async def test_values_reach_the_host_by_pipe_only(bench: Bench) -> None:
    await bench.call("open_issue", title="x")
    assert await bench.result("look_around") == {"seen": False, "dumpable": False}


async def test_errors_are_cleaned(bench: Bench) -> None:
    error = await bench.failure("fail_loudly")
    assert error.code is Code.TOOL_FAILED
    assert error.message == f"RuntimeError: cannot log in with {TRACKER}"
    assert VALUE[::-1] not in str(error)
    assert bench.notices.told[0][1] == "secret.echoed"


async def test_what_was_not_granted_is_not_there(bench: Bench) -> None:
    error = await bench.failure("ungranted")
    assert error.code is Code.SECRET_DENIED


async def test_a_rotation_in_mid_call_is_not_seen_by_the_caller(bench: Bench) -> None:
    await bench.call("open_issue", title="before")
    bench.valid.write_text(NEWER)
    bench.current["tracker"] = NEWER
    assert (await bench.result("open_issue", title="after"))["title"] == "after"
    assert bench.store.asked == 2


async def test_a_credential_that_stays_wrong_fails_without_being_told(bench: Bench) -> None:
    bench.valid.write_text("value-something-else")
    error = await bench.failure("open_issue", title="x")
    assert isinstance(error, CredentialRefused)
    assert error.message == f"the tracker refused {TRACKER}"
    assert error.details["not_sent"] is True


async def test_without_its_secret_a_call_does_not_leave(bench: Bench) -> None:
    def fails(_: str) -> Document:
        raise down("house", "is away")

    bench.store.answer = fails
    error = await bench.failure("open_issue", title="x")
    assert isinstance(error, TransientError)
    assert error.code is Code.SECRET_UNAVAILABLE
    assert error.details["not_sent"] is True
    bench.store.answer = bench.answer
    del bench.current["tracker"]
    assert (await bench.failure("look_around")).code is Code.SECRET_UNAVAILABLE


async def test_what_a_tool_prints_is_cleaned(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    assert await bench.result("print_it") == "printed"
    said = ""

    def printed() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return "in base64" in said and said.endswith("\n")

    await until(printed, "both lines come out")
    assert f"the token is {TRACKER}" in said
    assert VALUE not in said
    assert base64.b64encode(VALUE.encode()).decode() not in said


def test_values_put_into_a_call_show_nowhere() -> None:
    assert repr(Hidden({"tracker": VALUE})) == "(withheld)"
