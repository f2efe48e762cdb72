"""The management API, assembled: every router, strict input, problems as answers. Not a hot path, hence FastAPI."""

from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from airside.core.errors import AirsideError
from airside.plane import Plane
from airside.server import review_links
from airside.server.api import (
    agents,
    approvals,
    batches,
    breakers,
    budgets,
    cache,
    guards,
    health,
    held,
    keys,
    kills,
    routing,
    run_events,
    runs,
    tools,
)
from airside.server.api.strict import on_airside_error, on_http_error, on_validation_error
from airside.server.readings import Readings

ROUTERS = tuple(
    module.router
    for module in (
        runs,
        run_events,
        held,
        batches,
        approvals,
        kills,
        breakers,
        budgets,
        cache,
        guards,
        routing,
        agents,
        tools,
        keys,
    )
)
"""All that needs a key; the probes stand apart."""
_PROBLEM = {"description": "A problem (RFC 9457) with a stable `code`; docs/errors.md lists all", "content": {}}


def build(plane: Plane, *, serve_api: bool) -> FastAPI:
    """Return the management API of a plane; without `serve_api` only the probes, for a process that has no such role.

    Routes and their roles are public knowledge; the schema is served at /api/v1/openapi.json without a key.
    """
    app = FastAPI(
        title="airside",
        summary="Management API: runs, approvals, kills, budgets and keys.",
        version=version("airside"),
        openapi_url="/api/v1/openapi.json" if serve_api else None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={"default": _PROBLEM},
    )
    app.state.plane = plane
    app.state.readings = Readings(plane.database, plane.services.allowances)
    app.state.body_bytes_max = plane.settings.server.body_bytes_max
    app.add_exception_handler(AirsideError, on_airside_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.include_router(health.router)
    if serve_api:
        for router in (*ROUTERS, review_links.router):
            app.include_router(router)
    return app
