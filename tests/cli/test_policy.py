"""`airside policy`: what it says and its exit codes, as CI would use it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from airside.cli.exits import Exit
from airside.cli.main import main
from airside.core.call import Call, Effect, Outcome
from airside.core.policy import Decision
from airside.core.tool import Tool
from airside.journal.master_key import load_master_key
from airside.policy import parse
from airside.policy.analysis.past import Past, changed
from airside.policy.layers import LayeredPolicy, Layers
from airside.policy.witness import PolicyWitness
from airside.testing.calls import tool_call
from airside.testing.plane import TENANT, InMemoryPlane
from airside.testing.terminal import echo

SETTINGS = """
data_dir: data
policy: {file: policy.yaml}
agents:
  shop: {entry: "a:b", tools: [refund, mail, wipe]}
tools:
  local:
    refund: {effect: write, amount: usd, roles: {usd: amount}}
    mail: {effect: execute, roles: {to: recipient}}
    wipe: {effect: write}
"""
RULES = """
rules:
  - {name: small, then: allow, tools: refund, amount: {at_most: 50}, sum: {per: day, at_most: 500}}
  - {name: large, then: ask, tools: refund, amount: {above: 50}}
  - {name: mails, then: allow, tools: mail, count: {per: run, at_most: 3}}
never:
  - {name: no-large, tools: refund, amount: {above: 50}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "airside.yaml").write_text(SETTINGS)
    (tmp_path / "policy.yaml").write_text(RULES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code of a command and the JSON it printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["airside", "policy", *arguments, "--json"])
        with pytest.raises(SystemExit) as left:
            main()
    out = capsys.readouterr().out
    return int(left.value.code or 0), json.loads(out)


def test_check_proves_and_fails_on_what_can_break(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("z3")
    code, said = run(capsys, "check")
    assert code == Exit.OK
    assert [(f["kind"], f["rule"]) for f in said["findings"]] == [("proved", "no-large")]
    (folder / "policy.yaml").write_text(RULES + "  - {name: no-mail, tools: mail}\n")
    code, said = run(capsys, "check")
    assert code == Exit.FAILED
    assert said["findings"][1]["example"]["tool"] == "mail"
    (folder / "policy.yaml").write_text(RULES.replace("tools: mail", "tools: maill"))
    assert run(capsys, "check")[0] == Exit.OK
    assert run(capsys, "check", "--strict")[0] == Exit.FAILED
    (folder / "policy.yaml").write_text("rules: [\n")
    assert run(capsys, "check")[0] == Exit.MISCONFIGURED


def test_diff_tells_what_is_newly_allowed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("z3")
    looser = RULES.replace("at_most: 50}", "at_most: 80}").replace(
        "above: 50}}\n  - {name: mails", "above: 80}}\n  - {name: mails"
    )
    (folder / "new.yaml").write_text(looser)
    code, said = run(capsys, "diff", "policy.yaml", "new.yaml")
    assert code == Exit.FAILED
    (difference,) = said["differences"]
    assert (difference["rule"], difference["before"], difference["now"]) == ("small", "ask", "allow")
    assert 50 < float(difference["example"]["arguments"]["usd"]) <= 80
    code, said = run(capsys, "diff", "new.yaml", "policy.yaml")  # a sum that was denied above is asked now
    assert [(d["rule"], d["before"], d["now"]) for d in said["differences"]] == [("large", "deny", "ask")]
    assert run(capsys, "diff", "policy.yaml", "policy.yaml") == (Exit.OK, {"differences": []})


def test_cases_pass_and_fail(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "cases.yaml").write_text("""
cases:
  - {name: a, call: {tool: refund, arguments: {usd: 20}}, expect: {verdict: allow, rule: small}}
  - {name: b, call: {tool: refund, arguments: {usd: 20}, moved_usd: 490}, expect: {verdict: deny}}
""")
    assert run(capsys, "test", "cases.yaml") == (Exit.OK, {"passed": 2, "failed": []})
    (folder / "cases.yaml").write_text("cases: [{name: c, call: {tool: wipe}, expect: {verdict: ask}}]")
    code, said = run(capsys, "test", "cases.yaml")
    assert code == Exit.FAILED
    assert "expected ask, but it is deny" in said["failed"][0]["text"]
    (folder / "cases.yaml").write_text("cases: [{name: c, call: {tol: wipe}, expect: {verdict: ask}}]")
    code, said = run(capsys, "test", "cases.yaml")
    assert code == Exit.MISCONFIGURED
    assert "cases.yaml:1" in said["error"]["message"]


def test_the_blast_radius_says_what_is_bounded_and_what_is_not(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("z3")
    code, said = run(capsys, "blast-radius")
    assert code == Exit.FAILED
    (agent,) = said["agents"]
    harms = {harm["harm"]: (harm["run"], harm["day"]) for harm in agent["harms"]}
    assert {name: tuple(None if b is None else float(b) for b in bounds) for name, bounds in harms.items()} == {
        "dollars": (1000.0, 500.0),  # a run may stand across midnight
        "messages": (3.0, None),
        "model dollars": (0.5, None),
    }
    assert {tool["tool"]: tool["automatic"] for tool in agent["tools"]} == {"refund": True, "mail": True, "wipe": False}
    assert agent["ungated"]
    assert run(capsys, "blast-radius", "--agent", "nobody")[0] == Exit.NOT_FOUND


def test_written_calls_are_explained(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "call.yaml").write_text("tool: refund\narguments: {usd: 60}\n")
    code, said = run(capsys, "explain", "@call.yaml")
    assert code == Exit.OK
    assert [reason["rule"] for reason in said["decision"]["reasons"]] == ["large"]
    assert said["decision"]["links"][0]["argument"] == "usd"


REFUND = Tool(name="refund", description="", schema={}, effect=Effect.WRITE, amount_argument="usd")


async def _made(url: str) -> tuple[list[Any], Any, Decision]:
    """Make three calls, and put them to a stricter policy; also how the latest is explained."""
    policy = LayeredPolicy(Layers(parse(RULES)))
    stricter = LayeredPolicy(Layers(parse(RULES.replace("at_most: 50}", "at_most: 20}"))))

    async def world(call: Call) -> Outcome:
        return echo(call)

    async with InMemoryPlane(policy=policy, tools=[REFUND], database_url=url) as plane:
        plane.witnesses = [PolicyWitness(policy, plane.backend.database, lambda _: "general")]
        identity = await plane.start_run()
        through = plane.pipeline(world)
        for usd in (10, 30, 45):
            await through(tool_call(identity, REFUND, {"usd": usd}))
        past = Past(plane.backend.database, plane.keyring, TENANT)
        calls = [call async for call in past.latest(100)]
        changes = [change for call in calls if (change := changed(call, stricter, {"refund": REFUND}))]
        one = await past.one(calls[0].call.call_id)
        return changes, [call.call.arguments for call in calls], one.decision


def test_the_past_is_put_to_the_rules_of_today(tmp_path: Path) -> None:
    changes, arguments, decision = asyncio.run(_made(f"sqlite:///{tmp_path}/a.db"))
    assert arguments == [{"usd": 45}, {"usd": 30}, {"usd": 10}]
    assert [(change.before, change.now, change.readable) for change in changes] == [("allow", "deny", True)] * 2
    assert [reason.rule for reason in decision.reasons] == ["small"]
    assert decision.counters[0].amount == 45 * 10**9


def test_replay_and_explain_need_an_installation(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "replay")[0] == Exit.MISCONFIGURED
    (folder / "data").mkdir(mode=0o700)
    load_master_key(folder / "data" / "master.key")
    assert run(capsys, "replay") == (Exit.OK, {"calls": 0, "changed": []})
    assert run(capsys, "explain", "call_x")[0] == Exit.NOT_FOUND
