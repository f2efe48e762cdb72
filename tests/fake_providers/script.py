"""What the fake model says, in one form for every provider: the assistant message of OpenAI's chat format.

Beside `content` and `tool_calls` a message may have `thinking` (text), `refusal` (text) and `stop`: "length",
"content_filter" or "refusal" instead of the natural end.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

KEY = "sk-fake-provider-key-0123456789"
Message = dict[str, Any]


def text(value: str, **more: Any) -> Message:
    """Return an answer of plain text."""
    return {"role": "assistant", "content": value, **more}


def tool_calls(*calls: tuple[str, dict[str, Any]], content: str | None = None, **more: Any) -> Message:
    """Return an answer that calls tools."""
    return {
        "role": "assistant",
        "content": content,
        "tool_calls": [
            {
                "id": f"call_{index}_{name}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for index, (name, arguments) in enumerate(calls)
        ],
        **more,
    }


@dataclass(frozen=True)
class Meter:
    """The tokens of one answer. `cached` and `written` are parts of the input, `thinking` is part of the output."""

    input: int
    output: int
    cached: int = 0
    written: int = 0
    thinking: int = 0


def metered(asked: Any, message: Message, allowed: int | None, *, cached: int = 0, written: int = 0) -> Meter:
    """Return what an answer is metered at: a token for every four characters, never more than the allowed output."""
    output = min(len(json.dumps(message)) // 4 + 1, allowed or 1_000_000)
    thinking = min(len(message.get("thinking") or "") // 4, output)
    whole = len(json.dumps(asked)) // 4 + 1
    return Meter(max(whole, cached + written), output, cached, written, thinking)


def pieces(value: str, size: int) -> list[str]:
    """Cut a text as streams do."""
    return [value[at : at + size] for at in range(0, len(value), size)]


def seal(content: str) -> str:
    """Return what proves that a provider made this content: a signature, or encrypted reasoning."""
    digest = hmac.new(KEY.encode(), content.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest + content.encode()).decode()


def sealed(value: Any, content: str | None = None) -> bool:
    """Whether `seal` made this value (of this content, if one is given)."""
    try:
        raw = base64.b64decode(value, validate=True)
        inner = raw[32:].decode()
    except (ValueError, TypeError):
        return False
    return seal(inner) == value and content in {None, inner}
