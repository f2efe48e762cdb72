"""What the model says to the clients' questions, in whatever format they ask."""

import json
from typing import Any

from tests.compat.clients.scenario import DECISION, QUESTION, SILENTLY, TOOLS
from tests.fake_providers import Message, text, tool_calls

ANSWER = "Order 4711 has been shipped — Zoë is a gold customer 🙂."
HELLO = "Hello there, what can I do for you today? " + "I can look up orders, customers and parcels for you. " * 3
VERDICT = {"approve": True, "why": "it was paid — naïvely"}
CALLS = [["get_order", 4711], ["get_customer", "Zoë"]]
SCHEMAS = ("responseSchema", "responseJsonSchema")
THINKING = "The order and the customer must both be looked up."


def reply(body: dict[str, Any]) -> Message:
    """Return the answer to a request: two tools at once, then their result; a verdict; or a greeting."""
    asked = json.dumps(body, ensure_ascii=False)
    if DECISION in asked:
        tool = _output_tool(body)
        return tool_calls((tool, VERDICT)) if tool else text(json.dumps(VERDICT))
    if QUESTION not in asked:
        return text(HELLO)
    if "Action Input:" in asked:
        return _spoken(asked)
    if "SHIPPED-4711" in asked and "ZOE-GOLD" in asked:
        return text(ANSWER)
    calls = [("get_order", {"id": 4711}), ("get_customer", {"name": "Zoë"})]
    return tool_calls(*calls, content=None if SILENTLY in asked else "I look both up.", thinking=THINKING)


def _spoken(asked: str) -> Message:
    """Return the next step for a framework that has tools called in words, one after the other."""
    if "ZOE-GOLD" in asked:
        return text(f"Thought: I now know the final answer\nFinal Answer: {ANSWER}")
    name, arguments = ("get_customer", {"name": "Zoë"}) if "SHIPPED-4711" in asked else ("get_order", {"id": 4711})
    return text(f"Thought: I look it up.\nAction: {name}\nAction Input: {json.dumps(arguments, ensure_ascii=False)}")


def _output_tool(body: dict[str, Any]) -> str:
    """Return the tool by which a framework wants a typed result, unless it asks for that in the answer itself."""
    asked = [body, *[body.get(name) or {} for name in ("text", "output_config", "generationConfig")]]
    if any(part.get(name) for part in asked for name in ("response_format", "format", "output_format", *SCHEMAS)):
        return ""
    declared: list[dict[str, Any]] = []
    for tool in body.get("tools") or ():
        declared += tool.get("functionDeclarations") or tool.get("function_declarations") or [tool]
    names = [tool.get("name") or (tool.get("function") or {}).get("name") for tool in declared]
    return next((str(name) for name in names if name and name not in TOOLS), "")
