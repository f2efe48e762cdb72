"""Every management route needs a key whose role suffices, and a run token reaches none of them (invariant 6)."""

import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from airside.core.ids import new_secret
from airside.core.run import Role
from airside.server import management
from airside.server.api import health
from airside.server.auth import allows, bearer
from tests.server.conftest import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPEN = {"/healthz", "/readyz"}
API_DOC = Path(__file__).parents[2] / "docs" / "api.md"
ORDER = [Role.VIEWER, Role.REVIEWER, Role.OPERATOR, Role.ADMIN]


def routes() -> list[tuple[str, APIRoute]]:
    """Every route of the management API with its method."""
    found = [route for router in (*management.ROUTERS, health.router) for route in router.routes]
    return [(method, route) for route in found if isinstance(route, APIRoute) for method in sorted(route.methods)]


def needed_role(route: APIRoute) -> Role | None:
    """The role that a route's dependency asks for."""
    roles = [getattr(dependant.call, "role", None) for dependant in route.dependant.dependencies]
    found = [role for role in roles if role is not None]
    return found[0] if found else None


async def test_no_route_is_open_but_the_probes(served: Served) -> None:
    assert {route.path for _, route in routes() if needed_role(route) is None} == OPEN
    schema = (await served.clients["none"].get("/api/v1/openapi.json")).json()
    assert schema["openapi"].startswith("3.1")
    served_routes = {(method.upper(), path) for path, methods in schema["paths"].items() for method in methods}
    assert served_routes == {(method, route.path) for method, route in routes()}


async def test_every_route_refuses_whoever_may_not(served: Served) -> None:
    run_id = await served.submit("sleeper")
    run_token = new_secret("rt")
    for method, route in routes():
        needed = needed_role(route)
        if needed is None:
            continue
        path = re.sub(r"\{\w+\}", run_id, route.path)
        where = f"{method} {path}"
        answer = await served.clients["none"].request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), where
        assert answer.headers["www-authenticate"] == "Bearer"
        headers = {"authorization": f"Bearer {run_token}"}
        answer = await served.clients["none"].request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), where
        for role in [Role.AGENT, *ORDER[: ORDER.index(needed)]]:
            answer = await served.clients[role.value].request(method, path)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), f"{where} as {role}"
    await served.admin.post(f"/api/v1/runs/{run_id}/cancel")


async def test_every_role_that_suffices_gets_through(served: Served) -> None:
    for path, needed in (("/api/v1/runs", Role.VIEWER), ("/api/v1/keys", Role.ADMIN)):
        for role in ORDER:
            answer = await served.clients[role.value].get(path)
            assert answer.status_code == (200 if allows(role, needed) else 403), f"{path} as {role}"


async def test_a_run_token_of_a_live_run_reaches_nothing(served: Served) -> None:
    run_id = await served.submit("intruder", "hello")
    assert (await served.until(run_id, "succeeded", "failed"))["state"] == "succeeded"
    result = (await served.admin.get(f"/api/v1/runs/{run_id}/result")).json()["result"]
    assert result["model"], "the token is valid at the gateways"
    assert result["refused"] == ["forbidden"] * 2


async def test_management_keys_do_not_open_the_gateways(served: Served) -> None:
    answer = await served.admin.post(
        "/v1/chat/completions", json={"model": "any", "messages": [{"role": "user", "content": "x"}]}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


async def test_every_route_is_documented(served: Served) -> None:
    text = API_DOC.read_text()
    missing = [f"{method} {route.path}" for method, route in routes() if f"`{method} {route.path}`" not in text]
    missing += [path for path in served.plane.gateways if path not in text]
    assert missing == []


async def test_bearer_is_read_strictly() -> None:
    assert bearer("Bearer ak_x") == "ak_x"
    assert bearer("bearer  ak_x ") == "ak_x"
    assert bearer("Basic ak_x") == bearer("ak_x") == bearer("") == ""
