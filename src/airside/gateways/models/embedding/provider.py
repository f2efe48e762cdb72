"""Embeddings by a provider: Calls of their own, with their own reservation and journal entries (see `asides`)."""

from collections.abc import Sequence

from airside.core.call import Call
from airside.gateways.models.asides import Asides
from airside.gateways.models.embedding.port import Vector, unit

CHARS_MAX = 8_000
"""Longer texts are not embedded: providers cut off at about 8,000 tokens, some of them silently."""


class ProviderEmbedder:
    """Implements `Embedder` with a model that `models` or the default provider knows."""

    def __init__(self, asides: Asides, model: str) -> None:
        self._asides = asides
        self._model = model
        self.name = f"provider:{model}"

    async def embed(self, call: Call, texts: Sequence[str]) -> list[Vector | None]:
        """Return unit vectors; see `Embedder.embed`."""
        short = [text for text in texts if 0 < len(text) <= CHARS_MAX]
        if not short:
            return [None] * len(texts)
        embeddings = await self._asides.embed(call, short, model=self._model)
        found = dict(zip(short, (unit(vector) for vector in embeddings.vectors), strict=True))
        return [found.get(text) for text in texts]

    async def close(self) -> None:
        """Do nothing: the connection is the provider's."""
