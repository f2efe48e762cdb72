"""A run on a journal in memory with both gateways over HTTP: the tool gateway is real, the model plays a script."""

import itertools
import json
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from airside.adapters.port import Context
from airside.core.run import Identity
from airside.gateways import http
from airside.gateways.tools.mcp import McpFace
from airside.policy import load
from airside.testing import InMemoryPlane
from tests.gateways.tools.test_journaled import token
from tests.gateways.tools.test_local import Office
from tests.gateways.tools.tooling import served

RULES = """
rules:
  - {name: reads, then: allow, tools: [find_order, add, echo, peek, interrupt]}
  - {name: notes, then: allow, tools: [note, research]}
  - {name: never, then: deny, tools: [refund, watched]}
"""

_numbers = itertools.count()
Answer = dict[str, Any] | tuple[int, dict[str, Any]]


class House(Office):
    """Both gateways on one address; `script` holds the model's messages, or (status, body) of refusals."""

    def __init__(self, plane: InMemoryPlane) -> None:
        super().__init__(plane)
        self.mcp = McpFace(self.gateway, self.catalogue, plane.identities, body_bytes_max=200_000)
        self.script: deque[Answer] = deque()
        self.asked: list[dict[str, Any]] = []
        self.actors: list[str] = []
        self.url = ""

    async def app(self, scope: http.Scope, receive: http.Receive, send: http.Send) -> None:
        if scope["path"] == "/mcp":
            await self.mcp(scope, receive, send)
        elif scope["path"] == "/v1/chat/completions":
            await self._chat(scope, receive, send)
        else:
            await super().app(scope, receive, send)

    async def _chat(self, scope: http.Scope, receive: http.Receive, send: http.Send) -> None:
        self.actors.append(http.header(scope, b"x-airside-actor"))
        self.asked.append(json.loads(await http.read_body(scope, receive, bytes_max=1_000_000)))
        answer = self.script.popleft()
        if isinstance(answer, tuple):
            await http.respond(send, answer[0], json.dumps(answer[1]).encode())
            return
        choice = {"index": 0, "message": answer, "finish_reason": "tool_calls" if "tool_calls" in answer else "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "scripted/x"}
        await http.respond(send, 200, json.dumps({**head, "choices": [choice], "usage": usage}).encode())

    def context(self, who: Identity, tools: tuple[str, ...] = (), model: str = "small") -> Context:
        return Context(run_id=who.run_id, gateway_url=self.url, token=token(who), model=model, tools=tools)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    async with InMemoryPlane(policy=load(rules)) as plane:
        made = House(plane)
        await made.hosted.start()
        try:
            async with made.mcp.running(), served(made.app) as made.url:
                yield made
        finally:
            await made.hosted.close()


def says(text: str) -> dict[str, Any]:
    """A model's message."""
    return {"role": "assistant", "content": text}


def calls(*tools: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """A model's message that calls tools."""
    made = [
        {
            "id": f"call_{next(_numbers)}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for name, arguments in tools
    ]
    return {"role": "assistant", "content": None, "tool_calls": made}


def refusal(code: str) -> dict[str, Any]:
    """The body of a refusal of the model gateway, in OpenAI's shape."""
    return {"error": {"message": "no dollars left", "type": "airside", "param": None, "code": code}}
