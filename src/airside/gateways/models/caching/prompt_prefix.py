"""Marks the stable beginnings of requests for Anthropic's own prompt cache, where the client has marked nothing.

A mark (`cache_control`) says: keep everything up to here. Reading it again costs a tenth of plain input, writing it a
quarter more. Marked are the tools, the system prompt, and in a conversation that goes on its end, together with the end
that the request before it had; at most four marks, and none on a beginning that is too short to be kept. A client that
places marks itself is left alone. Marks are no part of what is cached, so that they may move from request to request.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw
from yarl import URL

from airside.gateways.models.formats.anthropic.format import MESSAGES
from airside.gateways.models.formats.port import Format
from airside.gateways.models.providers.http import Service

PREFIX_TOKENS_MIN = 1_024
"""The shortest beginning that any model keeps."""

LONG_PREFIX_TOKENS_MIN = 4_096
"""What the models with the highest minimum keep: some Haiku and Opus models."""

CHARS_PER_TOKEN = 4
_MARK: Mapping[str, str] = {"type": "ephemeral"}
_MARKED = b'"cache_control"'
_MARKABLE = frozenset({"text", "image", "document", "tool_use", "tool_result"})
_SHORT_MIN = ("sonnet", "opus-4-0", "opus-4-1", "opus-4-2025")


def with_breakpoints(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a Messages request with marks on its stable beginnings; the very same object if it stays as it is."""
    if _MARKED in msgspec.json.encode(value):
        return value
    least = _least_chars(str(value.get("model", "")))
    tools, system, messages = value.get("tools") or [], value.get("system") or "", value.get("messages") or []
    tools_chars = _chars(tools)
    head_chars = tools_chars + _chars(system)
    changed: dict[str, Any] = {}
    if tools and tools_chars >= least:
        changed["tools"] = [*tools[:-1], {**tools[-1], "cache_control": _MARK}]
    if system and head_chars >= least:
        marked = _marked_content(system)
        if marked is not None:
            changed["system"] = marked
    spoken = _marked_messages(messages, head_chars, least)
    if spoken is not None:
        changed["messages"] = spoken
    return {**value, **changed} if changed else value


def _least_chars(model: str) -> int:
    short = any(name in model for name in _SHORT_MIN)
    return (PREFIX_TOKENS_MIN if short else LONG_PREFIX_TOKENS_MIN) * CHARS_PER_TOKEN


def _chars(value: Any) -> int:
    return len(msgspec.json.encode(value)) if value else 0


def _marked_messages(messages: Sequence[Any], head_chars: int, least: int) -> list[Any] | None:
    """Mark the end of a conversation that goes on, and where the request before it ended (its last user message)."""
    turns = [at for at, message in enumerate(messages) if message.get("role") == "user"]
    if len(turns) < 2 or turns[-1] != len(messages) - 1:
        return None
    marked = list(messages)
    found = False
    for at in turns[-2:]:
        if head_chars + _chars(messages[: at + 1]) < least:
            continue
        content = _marked_content(messages[at].get("content"))
        if content is not None:
            marked[at] = {**messages[at], "content": content}
            found = True
    return marked if found else None


def _marked_content(content: Any) -> list[Any] | None:
    """Return content with a mark on its last block, or None if that cannot carry one."""
    if isinstance(content, str):
        return [{"type": "text", "text": content, "cache_control": _MARK}] if content.strip() else None
    if not isinstance(content, list) or not content or not isinstance(content[-1], dict):
        return None
    last = content[-1]
    if last.get("type") not in _MARKABLE or (last["type"] == "text" and not str(last.get("text", "")).strip()):
        return None
    return [*content[:-1], {**last, "cache_control": _MARK}]


def _with_marks(body: bytes) -> bytes:
    """Return a request's bytes with marks; what carries none keeps its bytes."""
    value = msgspec.json.decode(body)
    marked = with_breakpoints(value)
    if marked is value:
        return body
    fields = msgspec.json.decode(body, type=dict[str, Raw])
    for name in ("tools", "system"):
        if marked.get(name) is not value.get(name):
            fields[name] = Raw(msgspec.json.encode(marked[name]))
    if marked["messages"] is not value["messages"]:
        kept = msgspec.json.decode(fields["messages"], type=list[Raw])
        pairs = zip(marked["messages"], value["messages"], kept, strict=True)
        fields["messages"] = Raw(
            msgspec.json.encode([raw if new is old else Raw(msgspec.json.encode(new)) for new, old, raw in pairs])
        )
    return msgspec.json.encode(fields)


class Prefixed:
    """A `Service` that marks the Messages requests of another."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.languages: Sequence[Format] = service.languages
        self.prices = service.prices

    def url(self, language: Format, model: str, *, stream: bool) -> URL:
        """Return where a model is asked."""
        return self._service.url(language, model, stream=stream)

    def dress(self, language: Format, body: bytes) -> bytes:
        """Return the request with marks, as this provider wants it."""
        if language.name == MESSAGES.name and _MARKED not in body and len(body) >= PREFIX_TOKENS_MIN * CHARS_PER_TOKEN:
            body = _with_marks(body)
        return self._service.dress(language, body)

    async def headers(self, url: URL, body: bytes) -> Mapping[str, str]:
        """Return the headers, with the credential."""
        return await self._service.headers(url, body)

    def unframed(self) -> Callable[[bytes], bytes] | None:
        """Return what turns pieces of a stream into events."""
        return self._service.unframed()

    def hidden(self) -> Sequence[str]:
        """Return the secrets that must not be told."""
        return self._service.hidden()
