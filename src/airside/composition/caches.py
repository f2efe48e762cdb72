"""The caches in front of the models, from settings."""

from airside.composition.ground import Ground
from airside.config.settings import Settings
from airside.gateways.models.asides import Asides
from airside.gateways.models.caching.savings import Savings
from airside.gateways.models.caching.semantic import Semantic
from airside.gateways.models.caching.step import Cache, Shelves
from airside.gateways.models.caching.store import CacheStore
from airside.gateways.models.embedding.local import LocalEmbedder
from airside.gateways.models.embedding.port import Embedder
from airside.gateways.models.embedding.provider import ProviderEmbedder
from airside.pipeline.afterwork import Afterwork


def cache_step(ground: Ground, afterwork: Afterwork, asides: Asides) -> Cache:
    """Return the cache step."""
    settings = ground.settings.cache
    database, clock = ground.backend.database, ground.clock
    store = CacheStore(database, ground.keyring, settings, clock)
    shelves = Shelves(
        store=store,
        semantic=Semantic(store, _embedder(ground.settings, asides), settings.semantic, clock),
        savings=Savings(database, clock, afterwork),
    )
    own = {name: agent.cache for name, agent in ground.settings.agents.items()}
    return Cache(shelves, ground.keyring, clock, afterwork, ground.policy, settings, own.get)


def _embedder(settings: Settings, asides: Asides) -> Embedder:
    name = settings.cache.semantic.embedder
    return LocalEmbedder() if name == "local" else ProviderEmbedder(asides, name)
