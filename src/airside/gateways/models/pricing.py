"""What a model's tokens cost: exact nano-dollars from the public price list, or from the configuration.

Prices are whole nano-dollars per million tokens, which holds every published price exactly; a sum is rounded up once.
A model's price is looked up once. The version of the list is part of every outcome, so that a cost can be explained
later. A model without a known price is `unknown_model`: what cannot be priced cannot be kept within a budget.
"""

import time
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

import genai_prices
from genai_prices import data_snapshot
from genai_prices.types import ModelInfo, TieredPrices
from genai_prices.types import ModelPrice as ListedPrice
from msgspec import Struct

from airside.config.settings import ModelPrice
from airside.core.call import Need, Usage
from airside.core.errors import AirsideError, Code
from airside.core.money import NANO_PER_USD, NanoUsd

MTOK = 1_000_000
LIST_VERSION = f"genai-prices/{genai_prices.__version__}"
REFRESH_S = 60.0  # some prices depend on the hour of the day
MODELS_MAX = 10_000  # remembered lookups


class Rates(Struct, frozen=True):
    """Nano-dollars per million tokens of each class, and per request, for requests above `above_input_tokens`."""

    above_input_tokens: int
    input: int
    cached_read: int
    cache_write: int
    output: int
    request: int
    cache_write_1h: int


class Price(Struct, frozen=True):
    """The price of one model: rates by size of the input (largest threshold last), and where they come from."""

    version: str
    rates: tuple[Rates, ...]

    def cost(self, usage: Usage) -> NanoUsd:
        """Return what these tokens cost, rounded up to a nano-dollar. The tier reached applies to all of them."""
        rates = self.rates[0]
        for tier in self.rates:
            if usage.read > tier.above_input_tokens:
                rates = tier
        per_mtok = (
            usage.input * rates.input
            + usage.cached_read * rates.cached_read
            + usage.cache_write * rates.cache_write
            + usage.cache_write_1h * rates.cache_write_1h
            + usage.output * rates.output
        )
        return NanoUsd(rates.request - (-per_mtok // MTOK))

    def need(self, input_tokens_bound: int, output_tokens: int, *, long_cache: bool = False) -> Need:
        """Return the worst case of a call: every input token in its dearest class, at the dearest tier in reach.

        Writing to a cache of an hour is a class only where the request may ask for that.
        """
        reach = [tier for tier in self.rates if input_tokens_bound > tier.above_input_tokens]
        dearest = max(max(tier.input, tier.cached_read, tier.cache_write) for tier in reach)
        if long_cache:
            dearest = max(dearest, *(tier.cache_write_1h for tier in reach))
        return Need(
            fixed_nanousd=NanoUsd(max(tier.request for tier in reach) - (-input_tokens_bound * dearest // MTOK)),
            fixed_tokens=input_tokens_bound,
            output_tokens=output_tokens,
            output_tokens_min=1,
            nanousd_per_output_token=NanoUsd(-(-max(tier.output for tier in reach) // MTOK)),
        )

    def shared(self, share: Decimal) -> "Price":
        """Return the price of which only a share is paid, as providers ask for batches; each rate is rounded up."""
        rates = [
            Rates(
                tier.above_input_tokens, *[_share(getattr(tier, name), share) for name in Rates.__struct_fields__[1:]]
            )
            for tier in self.rates
        ]
        return Price(f"{self.version} x {share}", tuple(rates))


def _share(rate: int, share: Decimal) -> int:
    return int((rate * share).to_integral_value(rounding=ROUND_CEILING))


def configured(price: ModelPrice, version: str = "configured") -> Price:
    """Return a price from the configuration; classes that are not given cost what plain input costs."""
    cached_read = price.input if price.cached_read is None else price.cached_read
    cache_write = price.input if price.cache_write is None else price.cache_write
    cache_write_1h = cache_write if price.cache_write_1h is None else price.cache_write_1h
    classes = (price.input, cached_read, cache_write, price.output, cache_write_1h)
    read, cached, written, output, written_1h = [_per_mtok(item) for item in classes]
    return Price(version, (Rates(-1, read, cached, written, output, 0, written_1h),))


class Pricing:
    """Looks prices up in the public list and remembers them."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[float, Price]] = {}
        self._windows: dict[tuple[str, str], int] = {}
        data_snapshot.get_snapshot()  # reading the list takes a moment, which no call should wait for

    def of(self, model: str, base_url: str) -> Price:
        """Return the price of a model at the provider of that address, else of the model by its name alone.

        Raises AirsideError `unknown_model` if the list knows neither.
        """
        found = self._known.get((model, base_url))
        if found is not None and time.monotonic() < found[0]:
            return found[1]
        info = _look_up(model, base_url)
        price = _listed(info.get_prices(datetime.now(UTC)), model)
        until = time.monotonic() + REFRESH_S if isinstance(info.prices, list) else float("inf")
        if len(self._known) >= MODELS_MAX:
            self._known.clear()
        self._known[model, base_url] = until, price
        return price

    def context_tokens(self, model: str, base_url: str) -> int:
        """Return how many tokens the list says that a model can hold; 0 if it does not say."""
        known = self._windows.get((model, base_url))
        if known is None:
            try:
                known = _look_up(model, base_url).context_window or 0
            except AirsideError:
                known = 0
            if len(self._windows) >= MODELS_MAX:
                self._windows.clear()
            self._windows[model, base_url] = known
        return known


def _look_up(model: str, base_url: str) -> ModelInfo:
    snapshot = data_snapshot.get_snapshot()
    for address in (base_url, None):
        try:
            return snapshot.find_provider_model(model, None, None, address)[1]
        except LookupError:
            continue
    raise _unpriced(model)


def _unpriced(model: str) -> AirsideError:
    return AirsideError(
        Code.UNKNOWN_MODEL,
        f"the price list ({LIST_VERSION}) has no token price for the model {model!r}",
        advice=f"Set models.{model}.price (dollars per million tokens), or use a model that it knows.",
    )


def _listed(prices: ListedPrice, model: str) -> Price:
    output_mtok = Decimal(0) if prices.output_mtok is None and "embed" in model.lower() else prices.output_mtok
    if prices.input_mtok is None or output_mtok is None:
        raise _unpriced(model)
    classes = [
        prices.input_mtok,
        prices.cache_read_mtok or prices.input_mtok,
        prices.cache_write_mtok or prices.input_mtok,
        output_mtok,
        prices.cache_write_1h_mtok or prices.cache_write_mtok or prices.input_mtok,
    ]
    starts = sorted({tier.start for item in classes if isinstance(item, TieredPrices) for tier in item.tiers})
    request = -(-_per_mtok(_at(prices.requests_kcount or Decimal(0), 0)) // 1_000)
    tiers = []
    for start in (-1, *starts):
        read, cached_read, cache_write, output, written_1h = [_per_mtok(_at(item, start)) for item in classes]
        tiers.append(Rates(start, read, cached_read, cache_write, output, request, written_1h))
    return Price(LIST_VERSION, tuple(tiers))


def _at(price: Any, start: int) -> Decimal:
    """Return the price that holds just above `start` input tokens."""
    if isinstance(price, TieredPrices):
        reached = [tier.price for tier in price.tiers if start >= tier.start]
        return reached[-1] if reached else price.base
    return Decimal(price)


def _per_mtok(dollars: Decimal) -> int:
    return int((dollars * NANO_PER_USD).to_integral_value(rounding=ROUND_CEILING))
