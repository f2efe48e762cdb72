"""The caches of a running server: an answer given again, seen and cleared by operators over the API and the CLI."""

import asyncio

import pytest

from tests.server.conftest import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKED = {"model": "any", "messages": [{"role": "user", "content": "What is an index fund?"}], "temperature": 0}
HEADERS = {"x-airside-run": "cached-1", "x-airside-cache": "exact"}


async def test_an_answer_is_given_again_seen_and_cleared(served: Served) -> None:
    agent, viewer, operator = (served.clients[role] for role in ("agent", "viewer", "operator"))
    first = await agent.post("/v1/chat/completions", json=ASKED, headers=HEADERS)
    assert first.status_code == 200, first.text
    assert "x-airside-cache" not in first.headers
    async with asyncio.timeout(20):
        while (await viewer.get("/api/v1/cache")).json()["entries"] == 0:  # noqa: ASYNC110 - written behind the answer
            await asyncio.sleep(0.02)
    again = await agent.post("/v1/chat/completions", json=ASKED, headers=HEADERS)
    assert again.headers["x-airside-cache"].startswith("exact; age=")
    assert again.content == first.content
    assert (await viewer.delete("/api/v1/cache")).status_code == 403
    assert (await agent.get("/api/v1/cache")).status_code == 403
    assert (await operator.delete("/api/v1/cache", params={"agent": "nobody"})).json() == {"entries": 0}
    assert (await operator.delete("/api/v1/cache", params={"learned": "true"})).json() == {"entries": 1}
    assert (await viewer.get("/api/v1/cache")).json()["entries"] == 0
    assert (await viewer.get("/api/v1/cache", params={"days": 0})).status_code in {400, 422}


async def test_a_strange_wish_is_refused(served: Served) -> None:
    headers = {"x-airside-run": "cached-2", "x-airside-cache": "sometimes"}
    refused = await served.clients["agent"].post("/v1/chat/completions", json=ASKED, headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request")


async def test_operators_see_and_end_results_of_tools(served: Served) -> None:
    viewer, operator = served.clients["viewer"], served.clients["operator"]
    assert (await viewer.get("/api/v1/cache/tools")).json() == {"items": []}
    price = {"tool": "price"}
    assert (await viewer.delete("/api/v1/cache/tools", params=price)).status_code == 403
    assert (await operator.delete("/api/v1/cache/tools", params=price)).json() == price | {"entries": 0}
