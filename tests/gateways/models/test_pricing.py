"""Prices: exact to the nano-dollar, worst cases that hold, and no price means no call."""

from decimal import ROUND_CEILING, Decimal

import pytest
from genai_prices import Usage as ListedUsage
from genai_prices import calc_price
from hypothesis import given, settings
from hypothesis import strategies as st

from airside.config.settings import ModelPrice
from airside.core.call import Usage
from airside.core.errors import AirsideError, Code
from airside.gateways.models.pricing import LIST_VERSION, Pricing, configured

COUNTS = st.integers(0, 300_000)
OPENAI = "https://api.openai.com/v1"
MODELS = [
    ("gpt-4o-mini", OPENAI),
    ("gpt-5", OPENAI),
    ("claude-sonnet-4-5", "https://api.anthropic.com/v1"),
    ("gemini-2.5-pro", "https://generativelanguage.googleapis.com"),
]


@pytest.mark.parametrize(("model", "url"), MODELS)
@settings(deadline=None)
@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_costs_are_the_public_lists_rounded_up(
    model: str, url: str, plain: int, read: int, written: int, output: int
) -> None:
    price = Pricing().of(model, url)
    listed = ListedUsage(
        input_tokens=plain + read + written,
        cache_read_tokens=read,
        cache_write_tokens=written,
        output_tokens=output,
    )
    exact = calc_price(listed, model, provider_api_url=url).total_price * 1_000_000_000
    assert price.cost(Usage(plain, read, written, output)) == int(exact.to_integral_value(rounding=ROUND_CEILING))
    assert price.version == LIST_VERSION


@pytest.mark.parametrize(("model", "url"), MODELS)
@settings(deadline=None)
@given(COUNTS, COUNTS, COUNTS, st.integers(1, 100_000))
def test_the_worst_case_is_never_less_than_the_cost(
    model: str, url: str, plain: int, read: int, written: int, output: int
) -> None:
    price = Pricing().of(model, url)
    bound = plain + read + written
    assert price.need(bound, output).nanousd(output) >= price.cost(Usage(plain, read, written, output))


def test_a_model_that_nobody_prices_fails_closed() -> None:
    with pytest.raises(AirsideError) as caught:
        Pricing().of("house-model-7b", "http://127.0.0.1:8000/v1")
    assert caught.value.code is Code.UNKNOWN_MODEL
    assert "models.house-model-7b.price" in caught.value.advice


def test_a_configured_price_is_taken_as_written() -> None:
    price = configured(ModelPrice(input=Decimal("0.0375"), output=Decimal(2), cached_read=Decimal(0)))
    assert price.cost(Usage(input=3)) == 113  # 112.5 rounded up
    assert price.cost(Usage(cached_read=1_000_000)) == 0
    assert price.cost(Usage(cache_write=1_000_000)) == 37_500_000
