"""What the model says to the clients' questions, in whatever format they ask."""

import json
from typing import Any

from tests.compat.clients.scenario import DECISION, QUESTION
from tests.fake_providers import Message, text, tool_calls

ANSWER = "Order 4711 has been shipped — Zoë is a gold customer 🙂."
HELLO = "Hello there, what can I do for you today? " + "I can look up orders, customers and parcels for you. " * 3
VERDICT = {"approve": True, "why": "it was paid — naïvely"}
CALLS = [["get_order", 4711], ["get_customer", "Zoë"]]
THINKING = "The order and the customer must both be looked up."


def reply(body: dict[str, Any]) -> Message:
    """Return the answer to a request: two tools at once, then their result; a verdict; or a greeting."""
    asked = json.dumps(body, ensure_ascii=False)
    if DECISION in asked:
        tool = _output_tool(body)
        return tool_calls((tool, VERDICT)) if tool else text(json.dumps(VERDICT))
    if QUESTION not in asked:
        return text(HELLO)
    if "SHIPPED-4711" in asked and "ZOE-GOLD" in asked:
        return text(ANSWER)
    calls = [("get_order", {"id": 4711}), ("get_customer", {"name": "Zoë"})]
    return tool_calls(*calls, content="I look both up.", thinking=THINKING)


def _output_tool(body: dict[str, Any]) -> str:
    """Return the tool by which a framework wants a typed result, unless it asks for that in the answer itself."""
    declared: list[dict[str, Any]] = []
    for tool in body.get("tools") or ():
        declared += tool.get("functionDeclarations") or tool.get("function_declarations") or [tool]
    names = [tool.get("name") or (tool.get("function") or {}).get("name") for tool in declared]
    return next((str(name) for name in names if name), "")
