"""The bound on input tokens holds for images and files, however they are given, and does not count pixels as text."""

import json
from typing import Any

import pytest

from airside.gateways.models.formats.anthropic.format import MESSAGES
from airside.gateways.models.formats.port import Addressed
from airside.gateways.models.media import input_tokens_bound

PIXELS = "A" * 400_000
OPENAI_URL = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
OPENAI_DATA = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXELS}"}}
RESPONSES_DATA = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXELS}", "detail": "auto"}
ANTHROPIC_DATA = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXELS}}
ANTHROPIC_URL = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
GEMINI_DATA = {"inlineData": {"mimeType": "image/png", "data": PIXELS}}
GEMINI_URL = {"fileData": {"mimeType": "image/png", "fileUri": "https://example.org/a.png"}}
LARGEST = {"openai_chat": 1_445, "openai_responses": 3_779, "anthropic": 4_784, "gemini": 4_128}


def bound(format_name: str, *blocks: Any, model: str = "m", text: str = "what is this?") -> int:
    value = {"model": model, "messages": [{"role": "user", "content": [{"type": "text", "text": text}, *blocks]}]}
    return input_tokens_bound(json.dumps(value).encode(), value, format_name, model)


@pytest.mark.parametrize(
    ("format_name", "block"),
    [
        ("openai_chat", OPENAI_URL),
        ("openai_chat", OPENAI_DATA),
        ("openai_responses", RESPONSES_DATA),
        ("anthropic", ANTHROPIC_DATA),
        ("anthropic", ANTHROPIC_URL),
        ("gemini", GEMINI_DATA),
        ("gemini", GEMINI_URL),
    ],
)
def test_an_image_counts_as_the_dearest_of_its_format_and_not_by_its_bytes(format_name: str, block: Any) -> None:
    alone, two = bound(format_name, block), bound(format_name, block, block)
    text = bound(format_name)
    assert LARGEST[format_name] <= alone - text <= LARGEST[format_name] + 3_000
    assert two - alone >= LARGEST[format_name]
    in_a_tool_result = {"type": "tool_result", "content": [block]}
    assert bound(format_name, in_a_tool_result) >= alone - text


def test_models_that_charge_more_are_known() -> None:
    assert bound("openai_chat", OPENAI_URL, model="gpt-4o-mini-2024-07-18") > 48_169
    original = {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "original"}
    assert bound("openai_responses", original) > 10_000


def test_files_count_by_their_bytes_or_as_a_whole_context() -> None:
    page = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PIXELS}}
    assert bound("anthropic", page) >= len(PIXELS) // 2
    for fetched in (
        {"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "input_file", "file_id": "file-1"},
    ):
        assert bound("anthropic", fetched) >= 200_000
    assert bound("gemini", {"fileData": {"mimeType": "video/mp4", "fileUri": "https://e.org/v"}}) >= 1_000_000


def test_words_about_images_are_words() -> None:
    talk = 'the "image" of a "document" in a "file"'
    value = {"messages": [{"role": "user", "content": talk}]}
    body = json.dumps(value).encode()
    assert input_tokens_bound(body, value, "openai_chat", "m") == (len(body) + 1) // 2


def test_a_name_in_escapes_hides_nothing() -> None:
    value = {"messages": [{"role": "user", "content": [ANTHROPIC_URL]}]}
    body = json.dumps(value)
    hidden = body.replace('"image"', '"im\\u0061ge"').encode()
    assert json.loads(hidden) == value
    assert input_tokens_bound(hidden, value, "anthropic", "m") >= LARGEST["anthropic"]


@pytest.mark.parametrize("address", ["HTTPS://example.org/a.pdf", " https://example.org/a.pdf", "ftp://example.org/a"])
def test_an_address_is_one_however_it_is_spelled(address: str) -> None:
    document = {"type": "document", "source": {"type": "url", "url": address}}
    assert bound("anthropic", document) >= 200_000
    assert bound("openai_responses", {"type": "input_file", "file_url": address, "filename": "a.pdf"}) >= 200_000


def test_images_inside_a_document_count() -> None:
    blocks = [{"type": "text", "text": "see"}, *[ANTHROPIC_URL] * 20]
    document = {"type": "document", "source": {"type": "content", "content": blocks}}
    assert bound("anthropic", document) >= 20 * LARGEST["anthropic"]


@pytest.mark.parametrize(
    ("format_name", "block"),
    [
        ("anthropic", {"type": "tool_use", "id": "t", "name": "n", "input": {"type": "image", "data": PIXELS}}),
        ("gemini", {"functionCall": {"name": "n", "args": {"inlineData": {"mimeType": "image/png", "data": PIXELS}}}}),
        ("openai_chat", {"type": "text", "text": "t", "extra": {"type": "image", "data": PIXELS}}),
    ],
)
def test_text_that_poses_as_an_image_counts_as_text(format_name: str, block: Any) -> None:
    assert bound(format_name, block) >= len(PIXELS) // 2


@pytest.mark.parametrize("hour", ["1h", r"\u0031h", r"1\u0068", r"\u0031\u0068"])
def test_an_hour_in_the_prompt_cache_is_seen_through_escapes(hour: str) -> None:
    body = '{"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}], "cache_control": '
    body += '{"type": "ephemeral", "ttl": "%s"}}'
    assert MESSAGES.parse((body % hour).encode(), Addressed(), bytes_max=1_000).long_cache
    assert not MESSAGES.parse((body % "5m").encode(), Addressed(), bytes_max=1_000).long_cache


def test_tools_bring_a_text_of_the_providers_own() -> None:
    def of(**more: Any) -> int:
        value = {"model": "m", "messages": [{"role": "user", "content": "x"}], **more}
        return input_tokens_bound(json.dumps(value).encode(), value, "anthropic", "m")

    assert of(tools=[]) - of() < 10
    assert of(tools=[{"name": "f"}]) - of(tools=[]) >= 700
