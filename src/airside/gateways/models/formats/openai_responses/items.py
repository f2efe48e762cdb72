"""Items of a Responses conversation: which ones exist here, their canonical pieces, and items out of pieces again.

A piece is an item without what does not change its meaning: its id and status, and the tool-call ids that clients make
up, which are numbered in the order of their appearance. The pieces of a request are kept in the journal, so they are
also what a conversation is restored from when a later request refers to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from airside.core import canonical
from airside.core.errors import AirsideError, Code

ITEMS_MAX = 10_000
REFERENCE = "item_reference"
CALLS = frozenset({"function_call", "custom_tool_call"})
RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})
_KINDS = frozenset({"message", "reasoning", "compaction", REFERENCE}) | CALLS | RESULTS
_ROLES = frozenset({"system", "developer", "user", "assistant"})
_MARK = "call#"
_RESTORED = "call_h"
_UNNAMED = frozenset({"id", "status"})

Item = Mapping[str, Any]


def checked(items: Any) -> list[dict[str, Any]]:
    """Return the items of a request's input, text being one message of the user.

    Raises AirsideError `invalid_request`, `limit_exceeded`, or `policy_denied` for the items of hosted tools.
    """
    if isinstance(items, str):
        return [{"role": "user", "content": items}]
    if not isinstance(items, list):
        raise AirsideError(Code.INVALID_REQUEST, "input must be text or a list of items")
    if len(items) > ITEMS_MAX:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"{len(items)} items; at most {ITEMS_MAX} are accepted")
    for index, item in enumerate(items):
        _check(item, f"input[{index}]")
    return items


def kind_of(item: Item) -> str:
    """Return the type of an item; messages may leave it out."""
    return str(item.get("type") or "message")


def _check(item: Any, where: str) -> None:
    if not isinstance(item, dict):
        raise AirsideError(Code.INVALID_REQUEST, f"{where} must be an object")
    kind = item.get("type", "message")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise AirsideError(
            Code.POLICY_DENIED,
            f"{where} is of the type {str(kind)[:64]!r}, which tells of a tool at the provider, past the tool gateway",
            advice="Provider-hosted tools are denied; offer the tool through the tool gateway.",
        )
    if kind == "message" and (not isinstance(item.get("role"), str) or item["role"] not in _ROLES):
        raise AirsideError(Code.INVALID_REQUEST, f"{where}.role must be one of {', '.join(sorted(_ROLES))}")
    if kind in CALLS | RESULTS and not isinstance(item.get("call_id"), str):
        raise AirsideError(Code.INVALID_REQUEST, f"{where}.call_id must be text")
    if kind == REFERENCE and not isinstance(item.get("id"), str):
        raise AirsideError(Code.INVALID_REQUEST, f"{where}.id must be text")
    for field in ("content", "output"):
        _check_content(item.get(field), f"{where}.{field}")


def _check_content(content: Any, where: str) -> None:
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise AirsideError(Code.INVALID_REQUEST, f"{where} must be text or a list of objects")
    for part in content:
        if part.get("type") == "input_audio":
            raise AirsideError(Code.INVALID_REQUEST, f"{where} holds audio, which cannot be metered here yet")
        if part.get("file_id") is not None:
            raise AirsideError(
                Code.INVALID_REQUEST,
                f"{where} names a file that is stored at the provider, which tenants would share",
                advice="Send the file itself, as file_data or as a data URL.",
            )


def pieces(items: Iterable[Item], ordinals: dict[str, str]) -> list[bytes]:
    """Return the canonical piece of each item. `ordinals` numbers tool calls, and grows."""
    return [canonical.encode(_plain(item, ordinals)) for item in items]


def _plain(item: Item, ordinals: dict[str, str]) -> Item:
    plain = {name: value for name, value in item.items() if name not in _UNNAMED and value is not None}
    if plain.get("type") == "message":
        del plain["type"]
    name = plain.get("call_id")
    if isinstance(name, str):
        plain["call_id"] = ordinals.setdefault(name, f"{_MARK}{len(ordinals)}")
    return plain


def restored(kept: Sequence[bytes]) -> list[dict[str, Any]]:
    """Return the items that pieces were made of, with tool-call ids of our own making."""
    items: list[dict[str, Any]] = [msgspec.json.decode(piece) for piece in kept]
    for item in items:
        item.setdefault("type", "message")
        name = item.get("call_id")
        if isinstance(name, str) and name.startswith(_MARK):
            item["call_id"] = f"{_RESTORED}{int(name.removeprefix(_MARK)):020d}"
    return items


def continued(output: Iterable[Item]) -> list[dict[str, Any]]:
    """Return the items of an answer as a later request gives them back: without names that the provider forgot, and
    without reasoning of which it gave nothing to bring back.
    """
    kept = [item for item in output if kind_of(item) != "reasoning" or _can_come_back(item)]
    return [{name: value for name, value in item.items() if name not in _UNNAMED} for item in kept]


def _can_come_back(item: Item) -> bool:
    return bool(item.get("encrypted_content") or item.get("content"))
