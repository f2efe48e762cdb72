"""Is an answer good enough to be given: what can be seen without asking a model. Pure."""

import re
from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import msgspec

from airside.gateways.models.message import Answer, Prompt, Refused, Text, ToolCall

_REFUSAL = re.compile(
    r"^\W*(?:i(?:'m| am)(?: very| so)? (?:sorry|afraid|unable|not able|not sure)|sorry"
    r"|i (?:can(?:no|')t|do(?: no|n')t know)|as an ai|unfortunately,? i|es tut mir leid"
    r"|ich (?:kann|weiß) (?:das )?(?:nicht|leider)|je suis désolé|lo siento)",
    re.IGNORECASE,
)
_ANSWERED = frozenset({"end", "stop_sequence", "tool_calls"})
ALIKE_MIN = 0.6
_word = re.compile(r"\w+")
_number = re.compile(r"\d+(?:[.,]\d+)*")


def objection(answer: Answer, prompt: Prompt, *, chars_min: int) -> str:
    """Return why an answer is not good enough, or nothing."""
    text = text_of(answer)
    calls = [block for block in answer.blocks if isinstance(block, ToolCall)]
    if answer.stop not in _ANSWERED:
        return f"it ended by {answer.stop}"
    if any(isinstance(block, Refused) for block in answer.blocks):
        return "it refuses"
    if calls:
        return next((why for call in calls if (why := _wrong_call(call, prompt))), "")
    if prompt.tool_choice is not None and prompt.tool_choice.mode in {"required", "tool"}:
        return "it calls no tool, though one is required"
    if len(text.strip()) < max(chars_min, 1):
        return "it is too short"
    if prompt.output.kind != "text":
        return _wrong_structure(text, prompt)
    return "it refuses" if _REFUSAL.match(text) else ""


def text_of(answer: Answer) -> str:
    """Return what an answer says."""
    return "".join(block.text for block in answer.blocks if isinstance(block, Text))


def agreement(one: Answer, two: Answer) -> float:
    """Return how alike two answers are, 0 to 1: the same calls, or the same numbers and how many words they share."""
    if (calls := _calls(one)) or _calls(two):
        return 1.0 if calls == _calls(two) else 0.0
    texts = text_of(one).lower(), text_of(two).lower()
    values = _value(texts[0]), _value(texts[1])
    if isinstance(values[0], dict | list) or isinstance(values[1], dict | list):
        return 1.0 if values[0] == values[1] else 0.0
    if set(_number.findall(texts[0])) != set(_number.findall(texts[1])):
        return 0.0
    words = set(_word.findall(texts[0])), set(_word.findall(texts[1]))
    either = words[0] | words[1]
    return len(words[0] & words[1]) / len(either) if either else 1.0


def _calls(answer: Answer) -> list[tuple[str, Any]]:
    return [(block.name, _value(block.arguments)) for block in answer.blocks if isinstance(block, ToolCall)]


def _wrong_call(call: ToolCall, prompt: Prompt) -> str:
    tool = next((tool for tool in prompt.tools if tool.name == call.name), None)
    if tool is None:
        return f"it calls a tool that is not offered: {call.name[:100]}"
    arguments = _value(call.arguments)
    if not isinstance(arguments, dict):
        return f"its arguments for {call.name[:100]} are no JSON object"
    return "" if _fits(arguments, tool.schema) else f"its arguments for {call.name[:100]} do not fit the schema"


def _wrong_structure(text: str, prompt: Prompt) -> str:
    value = _value(text)
    if value is None:
        return "it is no JSON"
    if prompt.output.kind == "json_object" and not isinstance(value, dict):
        return "it is no JSON object"
    return "" if _fits(value, prompt.output.schema) else "it does not fit the schema"


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value fits a schema; one that is no schema proves nothing, so nothing fits it."""
    if not schema:
        return True
    try:
        return bool(jsonschema_rs.is_valid(dict(schema), value))
    except ValueError:
        return False


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
