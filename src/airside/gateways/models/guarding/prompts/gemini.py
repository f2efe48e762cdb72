"""Gemini: texts of users and every text of a function's response are marked; the system instruction is introduced."""

from collections.abc import Mapping
from typing import Any

from airside.gateways.models.formats.port import ModelRequest
from airside.gateways.models.guarding.prompts.blocks import Say
from airside.guards.finding import Place


def marked(request: ModelRequest, say: Say, introduction: str) -> Mapping[str, Any]:
    """Return the fields of a request that change."""
    changed: dict[str, Any] = {"contents": [_content(content, say) for content in request.value["contents"]]}
    if introduction:
        system = request.value.get("systemInstruction") or {}
        changed["systemInstruction"] = {**system, "parts": [{"text": introduction}, *(system.get("parts") or [])]}
    return changed


def _content(content: Mapping[str, Any], say: Say) -> Mapping[str, Any]:
    parts = content.get("parts")
    if content.get("role") == "model" or not parts:
        return content
    return {**content, "parts": [_part(part, say) for part in parts]}


def _part(part: Mapping[str, Any], say: Say) -> Mapping[str, Any]:
    if isinstance(part.get("text"), str):
        return {**part, "text": say(part["text"], Place.USER)}
    response = part.get("functionResponse")
    if isinstance(response, dict) and "response" in response:
        return {**part, "functionResponse": {**response, "response": _texts(response["response"], say)}}
    return part


def _texts(value: Any, say: Say) -> Any:
    if isinstance(value, str):
        return say(value, Place.RESULT)
    if isinstance(value, dict):
        return {name: _texts(item, say) for name, item in value.items()}
    return [_texts(item, say) for item in value] if isinstance(value, list) else value
