"""A real server on loopback: uvicorn, the plane in memory, inline agents, a real tool host."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
import pytest_asyncio

from airside.config.loading import load
from airside.core.run import Role as KeyRole
from airside.plane import Plane, Role
from airside.server.serve import serving

HERE = Path(__file__).parent
POLICY = """
rules:
  - {name: small, then: allow, tools: [pay], amount: {at_most: 10}}
  - {name: large, then: ask, tools: [pay], amount: {above: 10}, because: a person looks at payments above $10}
"""


class Served(NamedTuple):
    """A running server: its plane, its address, and a client of each role (by name; `none` has no key)."""

    plane: Plane
    url: str
    socket_path: str
    clients: dict[str, httpx2.AsyncClient]

    @property
    def admin(self) -> httpx2.AsyncClient:
        """The client with all rights."""
        return self.clients["admin"]

    async def submit(self, agent: str, task: Any = None, **more: Any) -> str:
        """Submit a run and return its id."""
        answer = await self.admin.post("/api/v1/runs", json={"agent": agent, "input": task, **more})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def until(self, run_id: str, *states: str) -> dict[str, Any]:
        """Return a run as soon as it is in one of the states."""
        async with asyncio.timeout(20):
            while True:
                run: dict[str, Any] = (await self.admin.get(f"/api/v1/runs/{run_id}")).json()
                if run["state"] in states:
                    return run
                await asyncio.sleep(0.02)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """One server for a module of tests."""
    folder = tmp_path_factory.mktemp("airside")
    (folder / "policy.yaml").write_text(POLICY)
    agents = {
        name: {"entry": f"served_agents:{name}", "path": [str(HERE)], "model": "any"}
        for name in ("hello", "sleeper", "intruder")
    }
    agents["payer"] = {"entry": "served_agents:payer", "path": [str(HERE)], "tools": ["pay"]}
    settings = load(
        None,
        {},
        data_dir=folder / "data",
        database={"url": "memory:"},
        server={"port": 0, "body_bytes_max": 100_000},
        runs={"isolation": "inline", "suspend_grace_s": 0.05},
        policy={"file": folder / "policy.yaml"},
        tools={"modules": ["tools"], "path": [str(HERE)]},
        agents=agents,
    )
    async with AsyncExitStack() as stack:
        plane, address = await stack.enter_async_context(serving(settings, frozenset(Role)))
        client = _client_maker(stack, address.url)
        clients = {"none": await client("")}
        for role in KeyRole:
            _, secret = await plane.services.keys.create(settings.tenant, role.value, role, "test")
            clients[role.value] = await client(secret)
        yield Served(plane, address.url, address.socket_path, clients)


def _client_maker(stack: AsyncExitStack, url: str) -> Callable[[str], Any]:
    async def make(secret: str) -> httpx2.AsyncClient:
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        client = httpx2.AsyncClient(base_url=url, headers=headers, timeout=20, trust_env=False)
        return await stack.enter_async_context(client)

    return make
