"""Failures: documented codes, the front door's bound and error boundary, logs without secrets."""

import asyncio
import io
import json
import logging
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from airside.cli.exits import of_code
from airside.core.errors import MEANINGS, AirsideError, Code
from airside.server import logs, problems
from airside.server.asgi import FrontDoor

ERRORS_DOC = Path(__file__).parents[2] / "docs" / "errors.md"
SECRET = "sk-verysecret123"


async def ask(door: FrontDoor, path: str = "/x", kind: str = "http") -> list[MutableMapping[str, Any]]:
    """Send one request through the door and return what it sent back."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await door({"type": kind, "path": path, "method": "GET", "headers": []}, receive, send)
    return sent


def raising(error: BaseException, *, after_start: bool = False) -> Any:
    """An app that fails."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if after_start:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    return app


def body_of(sent: list[MutableMapping[str, Any]]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(sent[-1]["body"])
    return body


def test_every_code_is_documented_with_its_status_and_exit_code() -> None:
    text = ERRORS_DOC.read_text()
    missing = [
        code.value
        for code in Code
        if f"| `{code.value}` | {MEANINGS[code].status} | {int(of_code(code))} |" not in text
    ]
    assert missing == []


def test_a_problem_says_what_why_and_what_to_do() -> None:
    error = AirsideError(Code.RATE_LIMITED, "too fast", details={"limit": 3}, retry_after_s=0.2)
    found = problems.problem(error)
    assert (found["status"], found["code"], found["detail"], found["details"]) == (
        429,
        "rate_limited",
        "too fast",
        {"limit": 3},
    )
    assert found["advice"]
    assert problems.headers(error)["retry-after"] == "1"


async def test_an_unexpected_failure_becomes_an_error_id_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    sent = await ask(FrontDoor({}, raising(RuntimeError(SECRET)), in_flight_max=1))
    assert sent[0]["status"] == 500
    body = body_of(sent)
    assert body["code"] == "internal"
    assert body["error_id"].startswith("err_")
    assert SECRET not in json.dumps(body)
    logged = capsys.readouterr().err
    assert body["error_id"] in logged
    assert "test_errors.py" in logged
    assert SECRET not in logged


async def test_a_failure_after_the_start_ends_the_connection() -> None:
    door = FrontDoor({}, raising(RuntimeError(SECRET), after_start=True), in_flight_max=1)
    with pytest.raises(ConnectionAbortedError) as caught:
        await ask(door)
    assert SECRET not in str(caught.value)
    assert door.in_flight == 0


async def test_more_requests_than_the_bound_are_told_to_come_back() -> None:
    gate = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await gate.wait()

    async def probe(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def either(scope: Any, receive: Any, send: Any) -> None:
        await (probe if scope["path"] == "/healthz" else slow)(scope, receive, send)

    door = FrontDoor({}, either, in_flight_max=2)
    waiting = [asyncio.create_task(ask(door)) for _ in range(2)]
    await asyncio.sleep(0)
    refused = await ask(door)
    assert (refused[0]["status"], body_of(refused)["code"]) == (429, "rate_limited")
    assert (b"retry-after", b"1") in refused[0]["headers"]
    assert (await ask(door, "/healthz"))[0]["status"] == 200
    gate.set()
    await asyncio.gather(*waiting)
    assert door.in_flight == 0


async def test_paths_go_where_they_belong() -> None:
    def named(name: bytes) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.body", "body": name})

        return app

    door = FrontDoor({"/mcp": named(b"mcp")}, named(b"rest"), in_flight_max=9)
    for path, name in (("/mcp", b"mcp"), ("/mcp/", b"rest"), ("/", b"rest")):
        assert (await ask(door, path))[0]["body"] == name, path
    assert (await ask(door, kind="websocket"))[0]["type"] == "websocket.close"


def test_logs_hold_no_secrets_and_no_exception_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    logs.configure("info")
    log = structlog.get_logger("test")
    log.info("called", authorization="Bearer x", url="postgresql://me:hunter2@host/db", note=f"key ak_{'a' * 20}")
    try:
        raise ValueError(SECRET)
    except ValueError:
        log.exception("broke")
        logging.getLogger("library").exception("broke too: %s", SECRET)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["event"][:5] for line in lines] == ["calle", "broke", "broke"]
    for forbidden in ("hunter2", "Bearer x", "ak_aaaa", SECRET):
        assert forbidden not in written.getvalue(), forbidden
    assert lines[1]["exception"] == "ValueError"


@pytest.fixture(autouse=True)
def _restore_logging() -> Any:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()
