"""How many input tokens a request can have at most, when some of it is images and files.

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

_MARKS: Final = tuple(
    f'"{name}"'.encode()
    for name in (
        *("image", "image_url", "input_image", "computer_screenshot", "inlineData", "inline_data", "fileData"),
        *("file_data", "document", "file", "input_file"),
    )
)
_IMAGES: Final = frozenset({"image", "image_url", "input_image", "computer_screenshot"})
_FILES: Final = frozenset({"document", "file", "input_file"})
_IMAGE_TOKENS: Final = {"openai_chat": 4_000, "openai_responses": 4_000, "anthropic": 4_800, "gemini": 4_200}
_IMAGE_TOKENS_ELSEWHERE: Final = 10_000
_MINI_TOKENS: Final = 48_200
_ORIGINAL_TOKENS: Final = 10_000
_FETCHED_TOKENS: Final = {"gemini": 1_048_576}
_FETCHED_TOKENS_ELSEWHERE: Final = 200_000
_DEPTH_MAX: Final = 40


class Medium(Struct, frozen=True):
    """An image or another file in a request: the bytes that stand in it, and whether the provider is to fetch it."""

    image: bool
    inline_bytes: int
    original: bool = False


def input_tokens_bound(body: bytes, value: Mapping[str, Any], format_name: str, model: str) -> int:
    """Return the most input tokens that a request can have."""
    if not any(mark in body for mark in _MARKS):
        return (len(body) + 1) // 2
    text_bytes, tokens = len(body), 0
    for medium in _media({name: item for name, item in value.items() if name != "tools"}, 0):
        if medium.image:
            text_bytes -= medium.inline_bytes
            tokens += _image_tokens(format_name, model, original=medium.original)
        elif not medium.inline_bytes:
            tokens += _FETCHED_TOKENS.get(format_name, _FETCHED_TOKENS_ELSEWHERE)
    return (max(0, text_bytes) + 1) // 2 + tokens


def _image_tokens(format_name: str, model: str, *, original: bool) -> int:
    if format_name.startswith("openai"):
        if "4o-mini" in model:
            return _MINI_TOKENS
        if original:
            return _ORIGINAL_TOKENS
    return _IMAGE_TOKENS.get(format_name, _IMAGE_TOKENS_ELSEWHERE)


def _media(value: Any, depth: int) -> Iterator[Medium]:
    if depth > _DEPTH_MAX:
        return
    if isinstance(value, list):
        for item in value:
            yield from _media(item, depth + 1)
    elif isinstance(value, dict):
        found = _medium(value)
        if found is not None:
            yield found
        else:
            for item in value.values():
                if isinstance(item, dict | list):
                    yield from _media(item, depth + 1)


def _medium(value: Mapping[str, Any]) -> Medium | None:
    """Return what an object of a request is, if it is an image or a file."""
    kind = value.get("type")
    if isinstance(kind, str) and kind in _IMAGES:
        return Medium(image=True, inline_bytes=_inline(value), original=_detail(value) == "original")
    if isinstance(kind, str) and kind in _FILES:
        return Medium(image=False, inline_bytes=_inline(value))
    for name in ("inlineData", "inline_data", "fileData", "file_data"):
        held = value.get(name)
        if isinstance(held, dict):
            media_type = str(held.get("mimeType") or held.get("mime_type") or "")
            return Medium(image=media_type.startswith("image/"), inline_bytes=_inline(held))
    return None


def _detail(value: Mapping[str, Any]) -> Any:
    inner = value.get("image_url")
    return inner.get("detail") if isinstance(inner, dict) else value.get("detail")


def _inline(value: Any) -> int:
    """Return the bytes of what stands in a request itself: the longest text that is no address."""
    if isinstance(value, str):
        return 0 if value.startswith(("http://", "https://", "gs://", "file-")) else len(value)
    if isinstance(value, dict):
        names = ("data", "url", "image_url", "file_data", "file", "source", "content", "text")
        return max([_inline(value.get(name)) for name in names], default=0)
    if isinstance(value, list):
        return sum(_inline(item) for item in value)
    return 0
