"""What every client script shares: the task it is given, the two tools, and what it reports. Standard library only.

A client is a program like any agent's: it is started by airside, finds the gateways in its environment through its SDK
alone, and prints what it observed as JSON. It runs under any interpreter, so that one script serves every version.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

QUESTION = "Where is order 4711 of Zoë? Grüße 🙂"
SILENTLY = "Say nothing before you know it."
DECISION = "Decide whether order 4711 is refunded."
GREETING = "Say hello."
SYSTEM = "You are the shop's assistant."
VERDICT = {
    "type": "object",
    "properties": {"approve": {"type": "boolean"}, "why": {"type": "string"}},
    "required": ["approve", "why"],
    "additionalProperties": False,
}
TOOLS = {
    "get_order": ("Look up an order", {"id": {"type": "integer"}}),
    "get_customer": ("Look up a customer", {"name": {"type": "string"}}),
}


class Scenario:
    """One task, and what is observed while it is done."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.aspect: str = task["aspect"]
        self.format: str = task.get("format", "")
        self.stream: bool = task.get("stream", False)
        self.crash: bool = task.get("crash", False)
        self.thinks: bool = task.get("thinks", True)
        self.retries: int = task.get("retries", 0)
        self.model = os.environ["AIRSIDE_MODEL"]
        self.calls: list[list[Any]] = []
        self.told = asyncio.Event()

    def get_order(self, id: int) -> str:  # noqa: A002 - the tool's own word
        """Look up an order."""
        self.calls.append(["get_order", id])
        if self.crash and os.environ["AIRSIDE_ATTEMPT"] == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        return "SHIPPED-4711"

    def get_customer(self, name: str) -> str:
        """Look up a customer."""
        self.calls.append(["get_customer", name])
        return "ZOE-GOLD"

    def use(self, name: str, arguments: dict[str, Any] | str) -> str:
        """Call a tool by its name, with arguments as JSON text or as an object."""
        given = json.loads(arguments) if isinstance(arguments, str) else arguments
        return {"get_order": self.get_order, "get_customer": self.get_customer}[name](**given)

    def hear(self, text: str | None) -> None:
        """Note that some text of a stream has arrived."""
        if text:
            self.told.set()

    def schema(self, name: str) -> dict[str, Any]:
        """Return the JSON Schema of a tool's arguments."""
        properties = TOOLS[name][1]
        return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


Aspect = Callable[[Scenario], Awaitable[Any]]


def main(**aspects: Aspect) -> None:
    """Do what the task says with the functions given for it: `ask`, `tools`, `structured`, `state`."""
    file = os.environ.get("AIRSIDE_TASK_FILE")
    task = json.loads(Path(file).read_text() if file else sys.stdin.read())
    out = os.dup(1)
    os.dup2(2, 1)  # what frameworks print is no observation
    observed = asyncio.run(_observe(Scenario(task), aspects))
    os.write(out, json.dumps(observed).encode())
    os._exit(0)  # threads that a framework left behind have no say


async def _observe(scenario: Scenario, aspects: dict[str, Aspect]) -> dict[str, Any]:
    try:
        if scenario.aspect == "cancel":
            said = await _cancelled(scenario, aspects["ask"])
        else:
            said = await aspects[scenario.aspect](scenario)
    except Exception as error:
        return {"error": _described(error), "calls": scenario.calls}
    return {"said": said, "calls": scenario.calls}


async def _cancelled(scenario: Scenario, ask: Aspect) -> Any:
    """Leave an answer while it is under way, then ask again in the same process; the first one imports what is slow."""
    await ask(scenario)
    scenario.told.clear()
    task = asyncio.create_task(ask(scenario))
    told = asyncio.create_task(scenario.told.wait())
    await asyncio.wait({task, told}, timeout=10 if scenario.stream else 2, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        raise RuntimeError(f"the answer was not under way: {task.result()}")
    task.cancel()
    await asyncio.wait({task}, timeout=10)
    return await ask(scenario)


def _described(error: BaseException) -> dict[str, Any]:
    """Return an error's kind and the HTTP status that it, or what it came from, carries."""
    kind, text = type(error).__name__, str(error)
    at: BaseException | None = error
    while at is not None:
        status = getattr(at, "status_code", None) or getattr(at, "code", None)
        if isinstance(status, int):
            return {"kind": kind, "status": status, "text": text[:2_000]}
        at = at.__cause__ or at.__context__
    return {"kind": kind, "status": 0, "text": text[:2_000]}
