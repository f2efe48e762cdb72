"""The clinic of examples/records.py: no record is changed before a person has seen the change, through LangGraph."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.adapters.supervised import Desk, serving_desk
from tests.fake_providers import Message, text, tool_calls

pytest.importorskip("langgraph")
pytest.importorskip("langchain_openai")

EXAMPLES = Path(__file__).parents[2] / "examples"


def reply(body: dict[str, Any]) -> Message:
    """Read, then change and delete at once, then say what came of it."""
    results = [message["content"] for message in body["messages"] if message["role"] == "tool"]
    if len(results) == 3:
        return text(" / ".join(results[1:]))
    if results:
        change = {"patient": "p-17", "field": "allergies", "value": "nuts"}
        return tool_calls(("amend_record", change), ("delete_record", {"patient": "p-17"}))
    return tool_calls(("read_record", {"patient": "p-17"}))


async def decided(desk: Desk, run_id: str) -> dict[str, tuple[Any, list[str]]]:
    """Approve the change, deny the deletion; return what was asked about and which rules asked."""
    seen: dict[str, tuple[Any, list[str]]] = {}
    while (await desk.until(run_id, "waiting_approval"))["state"] == "waiting_approval":
        for listed in await desk.pending(run_id):
            approval = (await desk.admin.get(f"/api/v1/approvals/{listed['id']}")).json()
            tool = approval["tool"]
            seen[tool] = (approval["arguments"], [reason["rule"] for reason in approval["decision"]["reasons"]])
            await desk.decide(approval["id"], "approve" if tool == "amend_record" else "deny", reason="keep it")
    return seen


async def test_every_change_waits_for_a_person(tmp_path: Path) -> None:
    configured = yaml.safe_load((EXAMPLES / "records.yaml").read_text())
    agent = configured["agents"]["records"] | {"path": [EXAMPLES]}
    more = {
        "agents": {"records": agent},
        "tools": configured["tools"],
        "models": {"gpt-4.1-mini": {"provider": "openai", "price": {"input": "1", "output": "4"}}},
    }
    async with serving_desk(tmp_path, more, (EXAMPLES / "policy-records.yaml").read_text()) as desk:
        desk.provider.reply = reply
        run_id = await desk.start("records", "Patient p-17 is allergic to nuts.")
        seen = await decided(desk, run_id)
        run = await desk.until(run_id)
    assert seen.keys() == {"amend_record", "delete_record"}
    assert seen["amend_record"][0] == {"patient": "p-17", "field": "allergies", "value": "nuts"}
    assert {rules[0] for _, rules in seen.values()} == {"any-modification"}
    assert run["state"] == "succeeded", run
    assert '"allergies": "nuts"' in run["result"]
    assert "keep it" in run["result"]
    assert [call["name"] for call in run["calls"] if call["kind"] == "tool"].count("read_record") == 1
    assert len(desk.provider.seen) == 3
