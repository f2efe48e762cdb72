"""Kept responses through the front door: with a bare key, which has no run of its own, and for nobody else."""

import httpx2
import pytest

from airside.core.run import Role as KeyRole
from tests.server.conftest import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_bare_key_goes_on_with_its_conversation(served: Served) -> None:
    agent = served.clients["agent"]
    first = await agent.post("/v1/responses", json={"model": "any", "input": "Hello"})
    assert first.status_code == 200, first.text
    name = first.json()["id"]
    second = await agent.post("/v1/responses", json={"model": "any", "input": "And?", "previous_response_id": name})
    assert second.status_code == 200, second.text
    assert second.json()["previous_response_id"] == name
    assert second.headers["x-airside-run"] != first.headers["x-airside-run"]
    listed = await agent.get(f"/v1/responses/{second.json()['id']}/input_items")
    assert len(listed.json()["data"]) == 3
    assert (await agent.get(f"/v1/responses/{name}")).json() == first.json()


async def test_another_key_and_other_roles_do_not(served: Served) -> None:
    first = await served.clients["agent"].post("/v1/responses", json={"model": "any", "input": "Hello"})
    path = f"/v1/responses/{first.json()['id']}"
    _, secret = await served.plane.services.keys.create("default", "stranger", KeyRole.AGENT, "test")
    headers = {"authorization": f"Bearer {secret}"}
    async with httpx2.AsyncClient(base_url=served.url, headers=headers, timeout=20, trust_env=False) as stranger:
        assert (await stranger.get(path)).status_code == 404
        assert (await stranger.delete(path)).status_code == 404
    assert (await served.admin.get(path)).status_code == 403
    assert (await served.clients["none"].get(path)).status_code == 401
    for method, where, status in (("PUT", path, 404), ("GET", "/v1/responses/", 404), ("GET", "/v1/responses", 405)):
        assert (await served.clients["agent"].request(method, where)).status_code == status
    assert (await served.clients["agent"].delete(path)).json()["deleted"] is True
    assert (await served.clients["agent"].get(path)).status_code == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "order=up"])
async def test_pages_have_limits(served: Served, query: str) -> None:
    first = await served.clients["agent"].post("/v1/responses", json={"model": "any", "input": "Hello"})
    answer = await served.clients["agent"].get(f"/v1/responses/{first.json()['id']}/input_items?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
