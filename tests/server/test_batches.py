"""Batches over HTTP: who may, and what is said of models whose provider takes none."""

import pytest

from tests.server.conftest import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")
NEW = {"model": "scripted", "requests": [{"messages": [{"role": "user", "content": "hi"}]}]}


async def test_operators_hand_in_and_viewers_look(served: Served) -> None:
    for role in ("none", "agent", "viewer", "reviewer"):
        answer = await served.clients[role].post("/api/v1/batches", json=NEW)
        assert answer.status_code == (401 if role == "none" else 403), role
    for path in ("batch_x", "batch_x/results"):
        assert (await served.clients["agent"].get(f"/api/v1/batches/{path}")).status_code == 403
        assert (await served.clients["viewer"].get(f"/api/v1/batches/{path}")).status_code == 404
    assert (await served.clients["viewer"].post("/api/v1/batches/batch_x/cancel")).status_code == 403
    assert (await served.clients["operator"].post("/api/v1/batches/batch_x/cancel")).status_code == 404


async def test_a_provider_without_batches_is_named(served: Served) -> None:
    answer = await served.clients["operator"].post("/api/v1/batches", json=NEW)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert "takes no batches" in answer.json()["detail"]


@pytest.mark.parametrize("change", [{"window": "1h"}, {"label": "a b"}, {"requests": []}, {"requests": [1]}, {"x": 1}])
async def test_nonsense_is_refused(served: Served, change: dict[str, object]) -> None:
    answer = await served.clients["operator"].post("/api/v1/batches", json=NEW | change)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
