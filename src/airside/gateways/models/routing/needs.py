"""What a request needs of a model, and what a model lacks for it."""

from collections.abc import Iterator

from msgspec import Struct

from airside.config.routing import RoutedModel
from airside.gateways.models.formats.openai_embeddings.format import NAME as EMBEDDINGS
from airside.gateways.models.formats.port import ModelRequest
from airside.gateways.models.message import Media, Prompt, ToolResult

BYTES_PER_TOKEN = 4
OUTPUT_TOKENS = 512
"""What an answer is taken to have where neither the request nor experience says."""


def converses(request: ModelRequest) -> bool:
    """Whether a request is a conversation: vectors of one embedding model mean nothing beside another's."""
    return request.format.name != EMBEDDINGS


class Needs(Struct, frozen=True):
    """What an answer takes: `tokens` are those of the question and of the longest answer asked for, an estimate."""

    tools: bool = False
    images: bool = False
    documents: bool = False
    json_schema: bool = False
    reasoning: bool = False
    tokens: int = 0


def needs_of(request: ModelRequest, prompt: Prompt) -> Needs:
    """Return what a request needs."""
    media = {block.kind for block in _media(prompt)}
    return Needs(
        tools=bool(prompt.tools),
        images="image" in media,
        documents=bool(media - {"image"}),
        json_schema=prompt.output.kind == "json_schema",
        reasoning=bool(prompt.reasoning.effort or prompt.reasoning.budget_tokens),
        tokens=len(request.body) // BYTES_PER_TOKEN + (request.output_tokens_max or 0),
    )


def lacks(model: RoutedModel, context_tokens: int, needs: Needs) -> tuple[str, ...]:
    """Return what a model lacks; `context_tokens` is its window, 0 where unknown."""
    missing = [
        name
        for name in ("tools", "images", "documents", "json_schema", "reasoning")
        if getattr(needs, name) and not getattr(model, name)
    ]
    if context_tokens and needs.tokens > context_tokens:
        missing.append(f"a window of {needs.tokens} tokens")
    return tuple(missing)


def _media(prompt: Prompt) -> Iterator[Media]:
    for message in prompt.messages:
        for block in message.blocks:
            if isinstance(block, Media):
                yield block
            elif isinstance(block, ToolResult):
                yield from (item for item in block.content if isinstance(item, Media))
