"""One conversation in every wire format, with something said in every place, and how it is sent."""

import json
from collections.abc import Iterator
from typing import Any

from airside.gateways.models.formats.anthropic.format import MESSAGES
from airside.gateways.models.formats.gemini.format import GEMINI
from airside.gateways.models.formats.openai_chat.format import CHAT
from airside.gateways.models.formats.openai_embeddings.format import EMBEDDINGS
from airside.gateways.models.formats.openai_responses.format import RESPONSES
from airside.gateways.models.formats.port import Addressed, Format, ModelRequest
from tests.gateways.models.places import MODELS

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "string", "description": "of the order"}, "how": {"enum": ["fast", "slow"]}},
    "required": ["id"],
}

CHAT_TALK: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "where is my order"},
        {
            "role": "assistant",
            "content": "let me see",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "get_order", "arguments": '{"id": "4711"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": '{"order": {"state": "shipped"}}'},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "and this one"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            ],
        },
    ],
    "tools": [
        {"type": "function", "function": {"name": "get_order", "description": "finds an order", "parameters": SCHEMA}}
    ],
    "user": "user-1",
    "metadata": {"from": "the shop"},
    "stop": ["halt"],
    "max_completion_tokens": 50,
}
RESPONSES_TALK: dict[str, Any] = {
    "model": "m",
    "instructions": "be brief",
    "input": [
        {"role": "developer", "content": "be kind"},
        {"role": "user", "content": [{"type": "input_text", "text": "where is my order"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "look it up"}]},
        {"type": "function_call", "call_id": "call_1", "name": "get_order", "arguments": '{"id": "4711"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "it is shipped"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "it is on its way"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "thanks"}]},
    ],
    "tools": [{"type": "function", "name": "get_order", "description": "finds an order", "parameters": SCHEMA}],
    "metadata": {"from": "the shop"},
    "user": "user-1",
    "max_output_tokens": 50,
}
MESSAGES_TALK: dict[str, Any] = {
    "model": MODELS["anthropic"],
    "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": "where is my order"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "let me see"},
                {"type": "tool_use", "id": "toolu_1", "name": "get_order", "input": {"id": "4711"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "shipped"}]},
                {"type": "text", "text": "and this one"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            ],
        },
    ],
    "tools": [{"name": "get_order", "description": "finds an order", "input_schema": SCHEMA}],
    "metadata": {"user_id": "user-1"},
    "stop_sequences": ["halt"],
    "max_tokens": 50,
}
GEMINI_TALK: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "be brief"}]},
    "contents": [
        {"role": "user", "parts": [{"text": "where is my order"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "get_order", "args": {"id": "4711"}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "get_order", "response": {"output": "shipped"}}}]},
        {"role": "model", "parts": [{"text": "it is on its way"}]},
        {"role": "user", "parts": [{"text": "thanks"}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]},
    ],
    "tools": [{"functionDeclarations": [{"name": "get_order", "description": "finds", "parameters": SCHEMA}]}],
    "generationConfig": {"stopSequences": ["halt"], "maxOutputTokens": 50},
}
EMBEDDINGS_TALK: dict[str, Any] = {"model": "m", "input": ["where is my order", "and this one"], "user": "user-1"}

TALKS: dict[str, tuple[Format, dict[str, Any]]] = {
    "chat": (CHAT, CHAT_TALK),
    "responses": (RESPONSES, RESPONSES_TALK),
    "messages": (MESSAGES, MESSAGES_TALK),
    "gemini": (GEMINI, GEMINI_TALK),
    "embeddings": (EMBEDDINGS, EMBEDDINGS_TALK),
}
PATHS = {
    "chat": ("openai", "/v1/chat/completions"),
    "responses": ("openai", "/v1/responses"),
    "messages": ("anthropic", "/v1/messages"),
    "gemini": ("gemini", "/v1beta/models/fake-large:generateContent"),
    "embeddings": ("openai", "/v1/embeddings"),
}
"""The kind of the provider, and where the gateway takes it."""


def parsed(name: str, talk: Any) -> ModelRequest:
    """Return a conversation as the gateway reads it."""
    addressed = Addressed(model="fake-large") if name == "gemini" else Addressed()
    return TALKS[name][0].parse(json.dumps(talk).encode(), addressed, bytes_max=10_000_000)


def strings(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every text of a JSON value."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from strings(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from strings(item, (*path, index))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """Return what stands at a path."""
    for step in path:
        value = value[step]
    return value


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a copy of a value with something else at a path."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy
