"""How many input tokens a request can have at most, when some of it is images and files.

What a client sends may be made to look cheaper than it is, so names are read after JSON's escapes are undone, only what
stands where a conversation has its content is spared its bytes, and an address is whatever is no `data:` URL.

Text has at most one token for two UTF-8 bytes. An image costs by its size in pixels and not by its bytes: each counts
as the most that a provider of its format charges for one, and its own bytes do not count. A file in the request counts
by its bytes; one that the provider is to fetch counts as much as its longest input. What is charged beyond a bound all
the same is journaled and paid.

Sources of the figures: OpenAI, images and vision (gpt-4o-mini 2,833 + 16 tiles of 5,667 at most 8; patch models
1,536 patches times 2.46; detail `original` 10,000 patches); Anthropic, vision (4,784 a large image); Gemini, image
understanding (16 tiles of 258 for an image scaled into 3,072 by 3,072).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

_NESTED: Final = (dict, list)
_IMAGES: Final = frozenset({"image", "image_url", "input_image", "computer_screenshot"})
_FILES: Final = frozenset({"document", "file", "input_file"})
_IMAGE_TOKENS: Final = {"openai_chat": 4_000, "openai_responses": 4_000, "anthropic": 4_800, "gemini": 4_200}
_IMAGE_TOKENS_ELSEWHERE: Final = 10_000
_MINI_TOKENS: Final = 48_200
_ORIGINAL_TOKENS: Final = 10_000
_FETCHED_TOKENS: Final = {"gemini": 1_048_576}
_FETCHED_TOKENS_ELSEWHERE: Final = 200_000
_TOOLS_TOKENS: Final = 700  # of text that providers put before the tools themselves (Anthropic: 346 to 675)
_DEPTH_MAX: Final = 40
_ADDRESSES: Final = ("url", "file_url", "fileUri", "file_uri")
_CONTENT: Final = frozenset(
    {
        *("messages", "system", "content", "input", "output", "source"),
        *("contents", "parts", "systemInstruction", "functionResponse"),
    }
)
"""Fields in which an image is an image: elsewhere what looks like one may be text, and its bytes count as well."""

_OPAQUE: Final = frozenset({"tools", "args", "arguments", "response", "schema", "metadata", "properties"})
"""Fields of a tool's or a client's own, in which nothing is an image or a file; so is an `input` that is an object."""


class Medium(Struct, frozen=True):
    """An image or another file in a request: the bytes that stand in it, and whether the provider is to fetch it."""

    image: bool
    inline_bytes: int = 0
    original: bool = False
    fetched: bool = False


def input_tokens_bound(body: bytes, value: Mapping[str, Any], format_name: str, model: str) -> int:
    """Return the most input tokens that a request can have.

    It looks at the values and not for names in the bytes, which costs by their number and not by their length.
    """
    tokens = _TOOLS_TOKENS if value.get("tools") else 0
    text_bytes = len(body)
    for medium in _media(value, 0, spared=True):
        if medium.image:
            text_bytes -= medium.inline_bytes
            tokens += _image_tokens(format_name, model, original=medium.original)
        elif medium.fetched:
            tokens += _FETCHED_TOKENS.get(format_name, _FETCHED_TOKENS_ELSEWHERE)
    return (max(0, text_bytes) + 1) // 2 + tokens


def _image_tokens(format_name: str, model: str, *, original: bool) -> int:
    if format_name.startswith("openai"):
        if "4o-mini" in model:
            return _MINI_TOKENS
        if original:
            return _ORIGINAL_TOKENS
    return _IMAGE_TOKENS.get(format_name, _IMAGE_TOKENS_ELSEWHERE)


def _media(value: Any, depth: int, *, spared: bool) -> Iterator[Medium]:
    """Yield the media below a value; `spared` is whether the bytes of its images are no text."""
    if depth > _DEPTH_MAX:
        return
    if isinstance(value, list):
        for item in value:
            if isinstance(item, _NESTED):
                yield from _media(item, depth + 1, spared=spared)
    elif isinstance(value, dict):
        found = _medium(value)
        if found is not None:
            yield found if spared else replace(found, inline_bytes=0)
        if found is None or not found.image:  # a document may be made of blocks, among them images
            for name, item in value.items():
                if not isinstance(item, _NESTED) or name in _OPAQUE or (name == "input" and isinstance(item, dict)):
                    continue
                yield from _media(item, depth + 1, spared=spared and name in _CONTENT)


def _medium(value: Mapping[str, Any]) -> Medium | None:
    """Return what an object of a request is, if it is an image or a file."""
    kind = value.get("type")
    if isinstance(kind, str) and kind in _IMAGES:
        return Medium(image=True, inline_bytes=_inline(value), original=_detail(value) == "original")
    if isinstance(kind, str) and kind in _FILES:
        return Medium(image=False, fetched=_fetched(value))
    for name in ("inlineData", "inline_data", "fileData", "file_data"):
        held = value.get(name)
        if isinstance(held, dict):
            media_type = str(held.get("mimeType") or held.get("mime_type") or "")
            image = media_type.startswith("image/")
            return Medium(image=image, inline_bytes=_inline(held) if image else 0, fetched=_fetched(held))
    return None


def _fetched(held: Mapping[str, Any]) -> bool:
    """Whether the provider is to fetch a file: it has an address, or nothing of it stands in the request."""
    places = [held, *(inner for name in ("source", "file") if isinstance(inner := held.get(name), dict))]
    addresses = [text for place in places for name in _ADDRESSES if isinstance(text := place.get(name), str)]
    return any(not text.startswith("data:") for text in addresses) or not _inline(held)


def _detail(value: Mapping[str, Any]) -> Any:
    inner = value.get("image_url")
    return inner.get("detail") if isinstance(inner, dict) else value.get("detail")


def _inline(value: Any) -> int:
    """Return the bytes of what stands in a request itself: the longest text that is no address."""
    if isinstance(value, str):
        return 0 if value[:8].lower().startswith(("http://", "https://", "gs://", "file-")) else len(value)
    if isinstance(value, dict):
        names = ("data", "url", "image_url", "file_data", "file", "source", "content", "text")
        return max([_inline(value.get(name)) for name in names], default=0)
    if isinstance(value, list):
        return sum(_inline(item) for item in value)
    return 0
