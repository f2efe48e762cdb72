"""A whole airside with its own detectors: two agents hand a task on, and neither sees the address."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from airside.config.loading import load
from airside.plane import Role
from airside.runs.submission import Submission
from airside.server.serve import serving
from tests.gateways.tools.guarding.desk import holds

HERE = Path(__file__).parent
MAIL = "anna.berg@bergbau-hamm.de"


@pytest.fixture(params=["file", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return f"sqlite:///{tmp_path}/journal.db" if request.param == "file" else request.getfixturevalue("postgres_url")


async def test_neither_agent_sees_the_address_and_it_is_delivered(tmp_path: Path, url: str) -> None:
    (tmp_path / "policy.yaml").write_text('rules: [{name: all, then: allow, tools: ["*"]}]')
    offered = {"lead": ["customer", "ask_clerk", "keep"], "clerk": ["deliver"]}
    settings = load(
        None,
        {},
        data_dir=tmp_path / "data",
        database={"url": url},
        server={"port": 0},
        runs={"isolation": "inline", "suspend_grace_s": 0.05},
        policy={"file": tmp_path / "policy.yaml"},
        tools={"modules": ["guarded_tools"], "path": [str(HERE)]},
        agents={
            name: {"entry": f"guarded_agents:{name}", "path": [str(HERE)], "tools": tools}
            for name, tools in offered.items()
        },
        handoffs={"ask_clerk": {"agent": "clerk"}},
        guards={"modes": {"personal": "tokenise", "secrets": "redact"}, "restore": [{"tools": ["deliver"]}]},
    )
    async with serving(settings, frozenset(Role)) as (plane, _):
        runs = plane.services.runs
        run = await runs.submit(Submission(tenant_id=settings.tenant, agent="lead", input=b"null"))
        async with asyncio.timeout(30):
            while not (run := await runs.get(run.tenant_id, run.run_id)).terminal:
                await _tick()
        result = await runs.result(run.tenant_id, run.run_id)
        answer = await runs.answer(run.tenant_id, run.run_id)
    assert result is not None, (run.state, run.code, run.message)
    told = result.decode()
    assert MAIL not in told
    assert answer is not None
    assert f'"found":{{"mail":"{MAIL}"}}' in answer.decode()  # for the owner
    assert '"leaked":"guard_blocked"' in answer.decode()
    assert '"link":"[more](https://elsewhere.example/?to=<EMAIL_1>)"' in answer.decode()  # no link carries it away
    delivered = hashlib.sha256(MAIL.encode()).hexdigest()[:8]
    assert f'"done":{{"sent":"{delivered}","task":"write to <EMAIL_1>"}}' in told
    assert '"found":{"mail":"<EMAIL_1>"}' in told
    assert '"kept":"< E M A I L _ 1 >"' in told
    assert '"leaked":"guard_blocked"' in told
    if url.startswith("sqlite"):
        assert not holds(tmp_path, MAIL)


async def _tick() -> None:
    await asyncio.sleep(0.02)
