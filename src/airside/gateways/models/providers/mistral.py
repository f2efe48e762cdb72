"""Mistral's API as a service: Chat Completions with differences.

Tool-call ids must be nine letters or digits, a system message is never called developer, the seed has another name,
usage is always told in streams, and fields that Mistral does not know are refused instead of passed over.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from yarl import URL

from airside.config.settings import ProviderSettings
from airside.gateways.models.formats.openai_chat.format import OpenAIChat
from airside.gateways.models.formats.openai_embeddings.format import EMBEDDINGS
from airside.gateways.models.formats.port import Format
from airside.gateways.models.providers.services import Keyed, base_host

BASE_URL = "https://api.mistral.ai/v1"
_ID_CHARS = 9
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_WITHOUT_EFFECT = ("stream_options", "user", "safety_identifier", "store", "metadata", "service_tier")
"""What changes nothing in the answer: who asks, what is kept, and what is reported anyway."""


class MistralChat(OpenAIChat):
    """Chat Completions as Mistral speaks it; its errors are worded differently."""

    def provider_error(self, body: bytes) -> tuple[str, str]:
        """Return the kind and the message of an error, also of one that lists what is wrong with each field."""
        try:
            detail = msgspec.json.decode(body).get("detail")
        except (msgspec.MsgspecError, RecursionError, AttributeError):
            detail = None
        if isinstance(detail, str):
            return "", detail
        if not isinstance(detail, list):
            return super().provider_error(body)
        wrong = [item for item in detail if isinstance(item, dict)]
        kind = str(wrong[0].get("type") or "") if wrong else ""
        return kind, "; ".join(f"{_place(item)}: {item.get('msg')}" for item in wrong)


def _place(item: Mapping[str, Any]) -> str:
    where = item.get("loc")
    return ".".join(str(step) for step in where) if isinstance(where, list) else "body"


class Mistral(Keyed):
    """`Service` for `kind: mistral`."""

    def __init__(self, name: str, settings: ProviderSettings) -> None:
        super().__init__(name, settings, "Authorization", "Bearer ")
        self.languages: Sequence[Format] = (MistralChat("max_tokens"), EMBEDDINGS)
        self.prices = (settings.base_url or BASE_URL).rstrip("/")
        if settings.base_url:
            base_host(name, settings)
        self._url, self._embeddings = URL(self.prices + "/chat/completions"), URL(self.prices + "/embeddings")

    def url(self, language: Format, model: str, *, stream: bool) -> URL:  # noqa: ARG002 - the body says both
        """Return the address of the language."""
        return self._embeddings if language is EMBEDDINGS else self._url

    def dress(self, language: Format, body: bytes) -> bytes:
        """Return the request as Mistral wants it. What it cannot express is left in, for Mistral to refuse."""
        if language is EMBEDDINGS:
            return body
        value: dict[str, Any] = msgspec.json.decode(body)
        for name in _WITHOUT_EFFECT:
            value.pop(name, None)
        for theirs, ours in (("max_tokens", "max_completion_tokens"), ("random_seed", "seed")):
            if ours in value:
                value[theirs] = value.pop(ours)
        value["messages"] = [_message(message) for message in value["messages"]]
        return msgspec.json.encode({name: item for name, item in value.items() if item is not None})


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    changed = {name: item for name, item in message.items() if item is not None}
    if changed.get("role") == "developer":
        changed["role"] = "system"
    if isinstance(changed.get("tool_call_id"), str):
        changed["tool_call_id"] = call_id(changed["tool_call_id"])
    calls = changed.get("tool_calls")
    if calls:
        changed["tool_calls"] = [{**call, "id": call_id(str(call.get("id") or ""))} for call in calls]
    elif calls is not None:
        del changed["tool_calls"]
    return changed


def call_id(name: str) -> str:
    """Return a tool-call id that Mistral takes: the name itself where it does, else nine characters drawn from it."""
    if len(name) == _ID_CHARS and name.isascii() and name.isalnum():
        return name
    number = int.from_bytes(hashlib.sha256(name.encode(errors="replace")).digest()[:8])
    letters = []
    for _ in range(_ID_CHARS):
        number, letter = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return "".join(letters)
