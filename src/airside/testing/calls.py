"""Calls as an attempt makes them."""

from collections.abc import Mapping
from typing import Any

from airside.core import canonical
from airside.core.call import Call, CallKind, Effect, Need
from airside.core.ids import new_id
from airside.core.money import NanoUsd
from airside.core.run import Identity
from airside.core.tool import Tool


def model_call(identity: Identity, text: str = "hello", **changes: Any) -> Call:
    """Return a model call of an attempt that may cost up to $0.01."""
    known: dict[str, Any] = {
        "call_id": new_id("call"),
        "kind": CallKind.MODEL,
        "name": "scripted/test",
        "token": token_of(identity),
        "parts": (canonical.encode(text),),
        "effect": Effect.READ,
        "idempotent": True,
        "timeout_s": 60.0,
        "need": Need(fixed_nanousd=NanoUsd(10_000_000), fixed_tokens=20),
    }
    return Call(**(known | changes))


def tool_call(identity: Identity, tool: Tool, arguments: Mapping[str, Any], **changes: Any) -> Call:
    """Return a call of a tool by an attempt."""
    known: dict[str, Any] = {
        "call_id": new_id("call"),
        "kind": CallKind.TOOL,
        "name": tool.name,
        "token": token_of(identity),
        "parts": (canonical.encode(dict(arguments)),),
        "arguments": dict(arguments),
        "effect": tool.effect,
        "idempotent": tool.idempotent,
        "timeout_s": tool.timeout_s,
        "local": tool.local,
    }
    return Call(**(known | changes))


def token_of(identity: Identity) -> str:
    """Return the token that the in-memory plane gives an attempt."""
    return f"{identity.run_id}/{identity.attempt}"
