"""What the errors of all wire formats have in common: their words, and a provider's own error, read with mistrust."""

from typing import Any

import msgspec

from airside.core.errors import AirsideError


def words(error: AirsideError) -> str:
    """Return what happened and what to do, in one text."""
    return f"{error.message.rstrip('.')}. {error.advice}"


def upstream_error(body: bytes) -> dict[str, Any]:
    """Return the error object of a provider's error body, to be put beside ours; empty if there is none."""
    value = msgspec.json.decode(body) if body else None
    found = value.get("error") if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def kind_and_message(body: bytes, kind: str) -> tuple[str, str]:
    """Return the field `kind` and the message of a provider's error body; what is no JSON is all message.

    Google wraps the errors of streams into a list, of which the first is read.
    """
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return "", body.decode("utf-8", "replace").strip()
    if isinstance(value, list) and value:
        value = value[0]
    found = value.get("error", value) if isinstance(value, dict) else value
    if not isinstance(found, dict):
        return "", str(found)
    return str(found.get(kind) or ""), str(found.get("message") or "")
