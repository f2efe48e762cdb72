"""Every text below a JSON value, read and replaced: content, names of fields, long numbers, documents in base64.

What is a picture, a sound, or sealed by a provider says nothing that could be read, and is left as it is, if it is
made of base64 alone. Everything else is a text, in whatever field it stands.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from airside.core import canonical
from airside.core.errors import AirsideError
from airside.gateways.models.formats.openai_responses.reading import CARRIED
from airside.gateways.models.guarding.words import FIELDS, VALUES
from airside.guards.finding import Place

Leaf = Callable[[str, Place], str]
"""Takes a text and returns what stands in its place; the same text if nothing does."""

NUMBER_FROM: Final = 10_000_000
"""Shorter whole numbers are no number of a card, an account, or a phone."""

_SEALED: Final = frozenset({"signature", "encrypted_content", "thoughtSignature", "thought_signature"})
_SEALED_CHARS_MIN: Final = 40
_NAMED_CHARS_MAX: Final = 2_000
_KEY_CHARS_MAX: Final = 600
_MEDIA_CHARS_MIN: Final = 64  # what is shorter is no picture
_ADDRESSES: Final = frozenset({"url", "image_url", "file_data", "file_url", "fileUri", "data", "source", "image"})
_BASE64: Final = bytes(range(48, 58)) + bytes(range(65, 91)) + bytes(range(97, 123)) + b"+/=_-.\r\n"
_UNREADABLE: Final = ("image/", "audio/", "video/")
_HEAD_BYTES: Final = 4_096
_HEADER_CHARS_MAX: Final = 200


def walked(value: Any, place: Place, leaf: Leaf) -> Any:
    """Return a value with its texts replaced; the very same value if none was. `place` is whose words they are."""
    if isinstance(value, str):
        return value if value in VALUES else _text(value, place, leaf)
    if isinstance(value, dict):
        return _object(value, place, leaf)
    if isinstance(value, list):
        return _list(value, place, leaf)
    if (type(value) is int or (type(value) is float and value.is_integer())) and abs(value) >= NUMBER_FROM:
        spelled = str(int(value))
        said = leaf(spelled, place)
        return value if said == spelled else said
    return value


def _list(value: list[Any], place: Place, leaf: Leaf) -> list[Any]:
    changed: list[Any] | None = None
    for index, item in enumerate(value):
        said = walked(item, place, leaf)
        if said is not item:
            changed = list(value) if changed is None else changed
            changed[index] = said
    return value if changed is None else changed


def _object(value: dict[str, Any], place: Place, leaf: Leaf) -> dict[str, Any]:
    if place is Place.USER and (value.get("type") == "tool_result" or "functionResponse" in value):
        place = Place.RESULT
    changed = False
    said: dict[str, Any] = {}
    for name, item in value.items():
        spelled = name if name in FIELDS else leaf(name, place)
        new = _field(value, name, item, place, leaf)
        changed = changed or new is not item or spelled != name
        while spelled in said:
            spelled += "_"  # two names that became one label
        said[spelled] = new
    if not changed:
        return value
    if value.get("type") == "thinking" and "signature" in value and said.get("thinking") != value.get("thinking"):
        return {"type": "text", "text": said.get("thinking")}  # nobody takes signed thoughts that were changed
    return said


def _field(value: Mapping[str, Any], name: str, item: Any, place: Place, leaf: Leaf) -> Any:
    if not isinstance(item, str):
        return walked(item, place, leaf)
    if name in _SEALED or (name == "data" and value.get("type") == "redacted_thinking"):
        return _sealed(item, place, leaf)
    if name in _ADDRESSES and (media_type := _media_type(value, name, item)) is not None:
        return _document(item, media_type, place, leaf)
    if name not in FIELDS and item and len(item) <= _NAMED_CHARS_MAX and item[:1] not in ("{", "["):
        return _named(name, item, place, leaf)
    return walked(item, place, leaf)


def _named(name: str, item: str, place: Place, leaf: Leaf) -> str:
    """Replace a text behind its name, which may say what it is: `password: ...`."""
    before = f"{name}: "
    said = leaf(before + item, place)
    return item if said == before + item else said.removeprefix(before)


def _text(text: str, place: Place, leaf: Leaf) -> str:
    """Replace a text. JSON in it is read without escapes, and stays JSON."""
    if text[:1] not in ("{", "["):
        return leaf(text, place)
    plain = _unescaped(text) if "\\u" in text else text
    said = leaf(plain, place)
    if said == plain:
        return text
    return said if _is_json(said) or not _is_json(plain) else canonical.encode({"redacted": said}).decode()


def _unescaped(text: str) -> str:
    try:
        return canonical.encode(canonical.parse(text.encode(), bytes_max=len(text) * 4)).decode()
    except (AirsideError, UnicodeEncodeError):
        return text


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return False
    return True


def _sealed(text: str, place: Place, leaf: Leaf) -> str:
    """Leave what only its provider can read; what airside has packed itself is looked into."""
    if text.startswith(CARRIED):
        try:
            held = msgspec.json.decode(base64.urlsafe_b64decode(text.removeprefix(CARRIED)))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return leaf(text, place)
        said = walked(held, place, leaf)
        return text if said is held else CARRIED + base64.urlsafe_b64encode(msgspec.json.encode(said)).decode()
    if len(text) < _SEALED_CHARS_MIN or not _is_base64(text):
        return leaf(text, place)
    return _key_in(text, place, leaf)


def _key_in(text: str, place: Place, leaf: Leaf) -> str:
    """Replace a key that is said to be something encoded: keys have characters that little of base64 has."""
    head = text[:_KEY_CHARS_MAX]
    if not any(mark in head for mark in "-_."):
        return text
    said = leaf(head, place)
    return text if said == head else said + text[_KEY_CHARS_MAX:]


def _media_type(value: Mapping[str, Any], name: str, item: str) -> str | None:
    """Return the media type of a text that is bytes in base64, or None if it is a plain text."""
    if item[:5].lower() == "data:":
        header, comma, _ = item[:_HEADER_CHARS_MAX].partition(",")
        return header[5:].lower() if comma and "base64" in header.lower() else None
    if name == "file_data":
        return "application/octet-stream"
    if name == "data" and value.get("type") != "text":
        return str(value.get("media_type") or value.get("mimeType") or value.get("mime_type") or "") or None
    return None


def _document(text: str, media_type: str, place: Place, leaf: Leaf) -> str:
    """Replace what stands in a document, if it is one of text."""
    header, comma, payload = text.partition(",") if text[:5].lower() == "data:" else ("", "", text)
    if not _is_base64(payload):
        return leaf(text, place)
    if len(payload) < _MEDIA_CHARS_MIN and (said := leaf(payload, place)) != payload:
        return header + comma + said
    if (said := _key_in(payload, place, leaf)) != payload:
        return header + comma + said
    if media_type.startswith(_UNREADABLE) and "svg" not in media_type and not _is_text(payload):
        return text
    plain = _read(payload)
    if plain is None:
        return text
    said = leaf(plain, place)
    return text if said == plain else header + comma + base64.b64encode(said.encode(errors="replace")).decode()


def _is_text(payload: str) -> bool:
    """Whether base64 begins with text, whatever it is said to hold: no picture and no sound does."""
    head = payload[: _HEAD_BYTES // 4 * 4]
    try:
        data = base64.b64decode(head + "=" * (-len(head) % 4), altchars=b"-_" if "-" in head or "_" in head else None)
    except (binascii.Error, ValueError):
        return False
    return not any(byte < 9 or 13 < byte < 32 for byte in data) and data[:3] != b"\xff\xd8\xff"


def _read(payload: str) -> str | None:
    """Return the text that base64 holds; None for what is no text."""
    try:
        data = base64.b64decode(payload, altchars=b"-_" if "-" in payload or "_" in payload else None)
    except (binascii.Error, ValueError):
        return None
    if b"\x00" in data[:_HEAD_BYTES] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    for encoding in ("utf-8-sig", *(("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ())):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None if data.startswith((b"%PDF", b"PK", b"\x1f\x8b")) else data.decode("latin-1")


def _is_base64(text: str) -> bool:
    return text.isascii() and not text.encode().translate(None, _BASE64)
