"""A whole airside on loopback, with SQLite and supervised processes, in front of the fake providers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from airside.config.loading import load
from airside.core.run import Role as KeyRole
from airside.plane import Plane, Role
from airside.server.serve import serving
from tests.compat.rows import Row
from tests.compat.script import reply
from tests.fake_providers import KEY, FakeProvider, Places, serving_all

PRICE = {"input": "1", "output": "4"}
MODELS = {
    "chat": "gpt-5.2",
    "responses": "gpt-5.2-pro",
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-3-pro-preview",
}
OLDER_GEMINI = "gemini-2.5-pro"  # SDKs that are older than Gemini 3 lose the signatures that it insists on
NATIVE = {"chat": "openai", "responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}
FOREIGN = {"chat": "anthropic", "responses": "chat-only", "anthropic": "chat-only", "gemini": "chat-only"}
"""The provider of another format through which a row is translated."""
TINY_USD = "0.000001"
MEMORY_BYTES = 16_000_000_000  # some frameworks reserve much that they never touch


@dataclass
class House:
    """The running airside, its provider, and how to run a client under it."""

    plane: Plane
    provider: FakeProvider
    admin: httpx2.AsyncClient

    async def run(self, row: Row, aspect: str, *, variant: str = "", **more: Any) -> dict[str, Any]:
        """Run a row's client as a supervised run and return the ended run, its `result` and its `calls`.

        The variants are `-poor`, with next to no budget, and `-translated`, with an upstream of another format.
        """
        agent = f"{row}{variant}"
        self.provider.calls = 0  # its answers are numbered, so that equal runs get equal answers
        task = {"aspect": aspect, "format": row.format, "stream": row.stream, **more}
        answer = await self.admin.post("/api/v1/runs", json={"agent": agent, "input": task})
        assert answer.status_code == 202, answer.text
        return await self.ended(answer.json()["id"])

    async def ended(self, run_id: str) -> dict[str, Any]:
        """Return a run when it has ended."""
        async with asyncio.timeout(90):
            while True:
                run: dict[str, Any] = (await self.admin.get(f"/api/v1/runs/{run_id}")).json()
                if run["state"] not in {"queued", "running"}:
                    break
                await asyncio.sleep(0.02)
        answer = await self.admin.get(f"/api/v1/runs/{run_id}/result")
        run["result"] = _observed(answer.json().get("result") if answer.status_code == 200 else None)
        run["calls"] = (await self.admin.get(f"/api/v1/runs/{run_id}/calls")).json()["items"]
        return run


def _observed(result: Any) -> Any:
    """Return what a client printed; a partial result has it apart."""
    printed = result.get("returned") if isinstance(result, dict) else result
    return json.loads(printed) if printed else None


@asynccontextmanager
async def house(folder: Path, rows: list[Row]) -> AsyncIterator[House]:
    """Serve while the context lasts; each row is an agent."""
    provider = FakeProvider()
    provider.reply = reply
    async with AsyncExitStack() as stack:
        places = await stack.enter_async_context(serving_all(provider))
        settings = load(None, {}, **_settings(folder, rows, places))
        plane, address = await stack.enter_async_context(serving(settings, frozenset(Role)))
        _, secret = await plane.services.keys.create(settings.tenant, "admin", KeyRole.ADMIN, "test")
        headers = {"authorization": f"Bearer {secret}"}
        client = httpx2.AsyncClient(base_url=address.url, headers=headers, timeout=20, trust_env=False)
        yield House(plane, provider, await stack.enter_async_context(client))


def _settings(folder: Path, rows: list[Row], places: Places) -> dict[str, Any]:
    agents: dict[str, Any] = {}
    for row in rows:
        agent = {"adapter": "command", "command": [row.interpreter, str(row.framework.client)]}
        model = OLDER_GEMINI if (row.version, row.format) == ("oldest", "gemini") else MODELS[row.format]
        agents[str(row)] = agent | {"model": model}
        agents[f"{row}-poor"] = agents[str(row)] | {"budget": {"usd": TINY_USD}}
        agents[f"{row}-translated"] = agent | {"model": f"{MODELS[row.format]}-translated"}
    native = {OLDER_GEMINI: {"provider": "gemini", "price": PRICE}} | {
        name: {"provider": NATIVE[format_], "price": PRICE} for format_, name in MODELS.items()
    }
    foreign = {
        f"{name}-translated": {"provider": FOREIGN[format_], "model": "other-model", "price": PRICE}
        for format_, name in MODELS.items()
    }
    return {
        "data_dir": folder / "data",
        "server": {"port": 0},
        "runs": {"isolation": "process", "memory_bytes_max": MEMORY_BYTES, "suspend_grace_s": 0.05},
        "providers": {
            "openai": {"kind": "openai", "base_url": places.openai, "api_key": KEY},
            "chat-only": {"kind": "openai_compatible", "base_url": places.openai, "api_key": KEY},
            "anthropic": {"kind": "anthropic", "base_url": places.anthropic, "api_key": KEY},
            "gemini": {"kind": "gemini", "base_url": places.gemini, "api_key": KEY},
        },
        "models": native | foreign,
        "agents": agents,
    }
