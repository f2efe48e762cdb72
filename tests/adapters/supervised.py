"""A whole airside with supervised processes in front of a strict fake provider; the desk's agents run in it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx2

from airside.config.loading import load
from airside.core.run import Role as KeyRole
from airside.plane import Plane, Role
from airside.server.serve import serving
from tests.fake_providers import KEY, FakeProvider, Message, serving_all, text, tool_calls
from tests.resilience.conftest import sql

HERE = Path(__file__).parent
FRAMEWORKS = {"openai_agents": "agents", "langgraph": "langchain_openai", "pydantic_ai": "pydantic_ai"}
MODULES = {"openai_agents": "desk_openai", "langgraph": "desk_langgraph", "pydantic_ai": "desk_pydantic"}
ANSWER = "All done — Grüße 🙂."
RULES = """
rules:
  - {name: desk, then: allow, tools: [note, pin, look]}
"""


def here() -> list[str]:
    """Return the frameworks that are installed."""
    return [name for name, module in FRAMEWORKS.items() if find_spec(module) is not None]


def reply(body: dict[str, Any]) -> Message:
    """Two effects at once, then a look, then the answer."""
    asked = json.dumps(body, ensure_ascii=False)
    if "Hand over." in asked:
        return tool_calls(("transfer_to_desk", {}))
    if "LOOKED" in asked:
        return text(ANSWER)
    if "PINNED" in asked or "denied" in asked:
        return tool_calls(("look", {"place": "wall"}))
    return tool_calls(("note", {"text": "one"}), ("pin", {"text": "two"}), content="I do both.")


@dataclass
class Desk:
    """The running airside, its provider, and the file of effects."""

    plane: Plane
    provider: FakeProvider
    admin: httpx2.AsyncClient
    effects_file: Path

    @property
    def effects(self) -> list[str]:
        return self.effects_file.read_text().splitlines() if self.effects_file.exists() else []

    def clear(self) -> None:
        """Forget what was asked and done."""
        for file in (self.effects_file, self.crash_file):
            file.unlink(missing_ok=True)
        self.provider.seen.clear()
        self.provider.refusals.clear()
        self.provider.calls = 0  # its answers are numbered, so that equal runs get equal answers

    @property
    def crash_file(self) -> Path:
        """Names the tool in which the first attempt is to be killed."""
        return self.effects_file.with_name(self.effects_file.name + ".crash")

    async def start(self, agent: str, task: Any = "Tidy up.") -> str:
        answer = await self.admin.post("/api/v1/runs", json={"agent": agent, "input": task})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def until(self, run_id: str, *states: str) -> dict[str, Any]:
        """Return a run once it is in one of the states, or has ended."""
        async with asyncio.timeout(60):
            while True:
                run: dict[str, Any] = (await self.admin.get(f"/api/v1/runs/{run_id}")).json()
                if run["state"] in states or run["state"] not in {"queued", "running", "waiting_approval"}:
                    break
                await asyncio.sleep(0.02)
        answer = await self.admin.get(f"/api/v1/runs/{run_id}/result")
        run["result"] = answer.json().get("result") if answer.status_code == 200 else None
        run["calls"] = (await self.admin.get(f"/api/v1/runs/{run_id}/calls")).json()["items"]
        return run

    async def actors(self, run_id: str) -> list[str]:
        """Return who made the run's calls, as the journal has it."""
        rows = await sql(self.plane.database, f"SELECT body FROM entries WHERE run_id = '{run_id}' ORDER BY entry_id")
        notes = [json.loads(row["body"]).get("notes", {}) for row in rows]
        return [note["actor"] for note in notes if "actor" in note]

    async def pending(self, run_id: str) -> list[dict[str, Any]]:
        answer = await self.admin.get("/api/v1/approvals", params={"run": run_id, "state": "pending"})
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def decide(self, approval_id: str, decision: str, **more: Any) -> None:
        body = {"decision": decision, **more}
        answer = await self.admin.post(f"/api/v1/approvals/{approval_id}/decision", json=body)
        assert answer.status_code == 200, answer.text


@asynccontextmanager
async def serving_desk(folder: Path, more: dict[str, Any] | None = None, rules: str = RULES) -> AsyncIterator[Desk]:
    """Serve while the context lasts."""
    provider = FakeProvider()
    provider.reply = reply
    (folder / "rules.yaml").write_text(rules)
    async with AsyncExitStack() as stack:
        places = await stack.enter_async_context(serving_all(provider))
        settings = load(None, {}, **{**_settings(folder, places.openai), **(more or {})})
        plane, address = await stack.enter_async_context(serving(settings, frozenset(Role)))
        _, secret = await plane.services.keys.create(settings.tenant, "admin", KeyRole.ADMIN, "test")
        headers = {"authorization": f"Bearer {secret}"}
        client = httpx2.AsyncClient(base_url=address.url, headers=headers, timeout=20, trust_env=False)
        yield Desk(plane, provider, await stack.enter_async_context(client), folder / "effects")


def _settings(folder: Path, url: str) -> dict[str, Any]:
    price = {"input": "1", "output": "4"}
    agents: dict[str, Any] = {}
    for framework in here():  # one agent each: its modules are imported once
        agents[framework] = {
            "adapter": framework,
            "entry": f"{MODULES[framework]}:entry",
            "path": [HERE / "agents"],
            "model": "" if framework == "langgraph" else "gpt-5.2",
            "env_pass": ["DESK_EFFECTS"],
        }
    return {
        "data_dir": folder / "data",
        "server": {"port": 0},
        "runs": {"isolation": "process", "memory_bytes_max": 16_000_000_000, "suspend_grace_s": 0.05},
        "providers": {"openai": {"kind": "openai", "base_url": url, "api_key": KEY}},
        "models": {"gpt-5.2": {"provider": "openai", "price": price}},
        "agents": agents,
        "tools": {"local": {"note": {"effect": "write"}, "pin": {"effect": "write"}, "look": {"effect": "read"}}},
        "policy": {"file": folder / "rules.yaml"},
    }
