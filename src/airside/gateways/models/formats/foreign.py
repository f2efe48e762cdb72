"""What of other formats' models a conversation must carry and bring back: their reasoning and signatures.

Clients of Messages and Gemini return thinking as they got it. So the reasoning of another provider's model travels as
thinking whose signature is our own, which says where it came from and what that provider signed or sealed.
"""

import base64
from binascii import Error as NotBase64

import msgspec
from msgspec import Struct

from airside.gateways.models.message import Thinking, ToolCall

_MARK = b"airside."
_BEGINS = base64.b64encode(_MARK + b"{").decode()
_EITHER = str.maketrans("-_", "+/")  # clients that read it as bytes may write it in the other alphabet


class _Kept(Struct):
    """What is kept: of a Thinking all but its text, or the signature of a tool call."""

    origin: str = ""
    signature: str = ""
    sealed: str = ""
    item_id: str = ""
    call_id: str = ""


def closed(thinking: Thinking) -> str:
    """Return a signature that carries what is to come back with a thinking block."""
    return _closed(_Kept(thinking.origin, thinking.signature, thinking.sealed, thinking.item_id))


def closed_call(call: ToolCall) -> str:
    """Return the data of a block that carries a tool call's signature."""
    return _closed(_Kept(signature=call.signature, call_id=call.call_id))


def opened(signature: str, text: str) -> Thinking | None:
    """Return the thinking of another format's model that a block carries, or None if it is the provider's own."""
    kept = _opened(signature)
    return None if kept is None else Thinking(text, kept.origin, kept.signature, kept.sealed, kept.item_id)


def signed_call(data: str) -> tuple[str, str] | None:
    """Return the id and the signature of the tool call that a redacted block carries, or None if it carries none."""
    kept = _opened(data)
    return (kept.call_id, kept.signature) if kept is not None and kept.call_id else None


def is_foreign(signature: object) -> bool:
    """Whether a signature is ours, so that no provider would take it."""
    return isinstance(signature, str) and signature.startswith(_BEGINS)


def base64_of(text: str) -> str:
    """Return a text's UTF-8 bytes in base64."""
    return base64.b64encode(text.encode()).decode()


def _closed(kept: _Kept) -> str:
    return base64.b64encode(_MARK + msgspec.json.encode(kept)).decode()


def _opened(text: str) -> _Kept | None:
    if not is_foreign(text):
        return None
    try:
        raw = base64.b64decode(text.translate(_EITHER), validate=True)
        return msgspec.json.decode(raw[len(_MARK) :], type=_Kept)
    except (NotBase64, msgspec.MsgspecError, ValueError):
        return None
