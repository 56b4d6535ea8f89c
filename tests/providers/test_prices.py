"""What calls cost, and the most they can."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.job import PriceSpec
from batcher.money import NANOS
from batcher.providers.prices import Band, Pricing, Worst, listed_models
from batcher.providers.worst_tokens import Model, most_prompt
from batcher.records import Usage

GLM = Pricing.of("glm", {})
ZAI = Pricing.of("zai", {})


def _body(model: str, text: str = "hi", **rest: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **rest}


def _cny(pricing: Pricing, model: str, *usage: int | None) -> float | None:
    cost = pricing.cost(model, Usage(*usage))
    return None if cost is None else cost / NANOS


@pytest.mark.parametrize(
    ("model", "prompt", "output", "cny"),
    [
        ("glm-5.3", 1_000_000, 1_000_000, 36),
        ("glm-5.3-flash", 1_000_000, 1_000_000, 3.6),
        ("glm-4.7", 1000, 199, 0.002 + 0.001592),
        ("glm-4.7", 1000, 200, 0.003 + 0.0028),
        ("glm-4.7", 31_999, 199, 0.063998 + 0.001592),
        ("glm-4.7", 32_000, 199, 0.128 + 0.003184),
        ("glm-4.5-air", 40_000, 1000, 0.048 + 0.008),
        ("glm-4-plus", 1000, 1000, 0.01),
        ("glm-4.7-flash", 1_000_000, 1_000_000, 0),
    ],
)
def test_a_call_costs_the_price_of_the_first_band_that_covers_it(
    model: str, prompt: int, output: int, cny: float
) -> None:
    assert _cny(GLM, model, prompt, output) == pytest.approx(cny, rel=1e-12)


def test_cached_tokens_are_among_those_of_the_prompt_and_cost_less() -> None:
    assert _cny(GLM, "glm-5.3", 1_000_000, 0, 250_000) == pytest.approx(0.75 * 8 + 0.25 * 2)
    assert _cny(GLM, "glm-5.3", 1_000_000, 0, 2_000_000) == pytest.approx(2)


def test_what_is_no_whole_nano_is_rounded_up() -> None:
    pricing = Pricing.of("openai", {"m": PriceSpec(input=0.0001, output=0, currency="USD")})
    assert pricing.cost("m", Usage(1, 0)) == 1
    assert pricing.cost("m", Usage(10, 0)) == 1
    assert pricing.cost("m", Usage(11, 0)) == 2


@pytest.mark.parametrize("usage", [(), (5, None), (None, 5), (2**63 - 1, 2**63 - 1)])
def test_a_cost_of_unknown_or_absurd_tokens_is_unknown(usage: tuple[int | None, ...]) -> None:
    assert _cny(GLM, "glm-5.3", *usage) is None


@pytest.mark.parametrize("model", ["glm-9", "glm-4.7-0915", "glm-4.7-flash-x", "GLM-4.7", ""])
def test_a_model_that_is_not_listed_has_no_price_whatever_its_name_begins_with(model: str) -> None:
    """A dated version may cost more than the name without its date."""
    assert GLM.cost(model, Usage(1, 1)) is None
    assert GLM.currency(model) is None


def test_a_list_has_its_currency_day_and_source() -> None:
    assert (GLM.unit, ZAI.unit) == ("CNY", "USD")
    assert (GLM.currency("glm-4.7"), ZAI.currency("glm-4.7")) == ("CNY", "USD")
    assert GLM.listed == ZAI.listed == dt.date(2026, 7, 1)
    assert GLM.source is not None
    assert _cny(ZAI, "glm-4.7", 1_000_000, 1_000_000) == pytest.approx(2.8)


@pytest.mark.parametrize("provider", ["openai", "deepseek"])
def test_a_provider_without_a_list_has_no_prices(provider: str) -> None:
    pricing = Pricing.of(provider, {})
    assert (pricing.unit, pricing.source, pricing.prices) == (None, None, {})


def test_every_listed_price_has_bands_of_which_the_last_covers_all_and_bounds() -> None:
    for pricing in (GLM, ZAI):
        for model, bands in pricing.prices.items():
            assert bands[-1].covers(10**12, 10**12)
            assert all(band.cached <= band.input for band in bands)
            bounds = listed_models()[model]
            assert bounds.context is not None
            assert bounds.max_output is not None


# What a job sets


def test_a_job_s_price_wins_over_the_list_and_leaves_the_rest() -> None:
    own = PriceSpec(input=2.5, cached=0.1, output=10, currency="CNY", max_output=100)
    pricing = Pricing.of("glm", {"glm-4.7": own, "mine": own})
    assert pricing.prices["glm-4.7"] == (Band(2_500_000_000, 100_000_000, 10_000_000_000),)
    assert pricing.models["glm-4.7"] == Model(listed_models()["glm-4.7"].context, 100)
    assert pricing.models["mine"] == Model(None, 100)
    assert pricing.prices["glm-5.3"] == GLM.prices["glm-5.3"]
    assert listed_models()["glm-4.7"].max_output == 131_072


def test_without_a_price_for_cached_tokens_they_cost_as_all_do() -> None:
    pricing = Pricing.of("openai", {"m": PriceSpec(input=2, output=0, currency="USD")})
    assert _cny(pricing, "m", 1_000_000, 0, 1_000_000) == 2


def test_where_a_job_counts_in_another_currency_only_its_own_prices_count() -> None:
    pricing = Pricing.of("glm", {"mine": PriceSpec(input=1, output=1, currency="USD")})
    assert (pricing.unit, list(pricing.prices)) == ("USD", ["mine"])
    assert pricing.currency("glm-4.7") is None


# The worst case


def test_the_worst_case_is_the_dearest_band_that_the_bounds_allow() -> None:
    body = _body("glm-4.7", max_tokens=100)
    prompt = most_prompt(body, Model())
    assert prompt is not None
    assert GLM.worst_case(body) == Worst(prompt + 100, prompt * 2000 + 100 * 8000)
    longer = GLM.worst_case(_body("glm-4.7", max_tokens=200))
    assert longer == Worst(prompt + 200, prompt * 3000 + 200 * 14000)
    long = GLM.worst_case(_body("glm-4.7", "x" * 32_000, max_tokens=100))
    assert long is not None
    assert long.cost == (long.tokens - 100) * 4000 + 100 * 16000


def test_without_a_bound_of_its_own_an_answer_may_be_as_long_as_the_model_s_longest() -> None:
    prompt = most_prompt(_body("glm-4-plus"), Model())
    assert prompt is not None
    assert GLM.worst_case(_body("glm-4-plus")) == Worst(prompt + 4095, (prompt + 4095) * 5000)


def test_an_image_counts_as_the_whole_context() -> None:
    body = _body("glm-4.5-air", max_tokens=10)
    body["messages"] = [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]
    worst = GLM.worst_case(body)
    assert worst is not None
    assert worst.tokens == 131_072 + 10


def test_tokens_are_bounded_also_where_the_price_is_unknown() -> None:
    body = _body("their-model", max_tokens=10)
    worst = GLM.worst_case(body)
    assert worst is not None
    assert worst.cost is None
    assert worst.tokens > 10


def test_a_call_that_nothing_bounds_has_no_worst_case() -> None:
    assert GLM.worst_case(_body("their-model")) is None


def test_a_tool_with_a_fee_makes_the_cost_unknown() -> None:
    worst = GLM.worst_case(_body("glm-4.7", tools=[{"type": "web_search", "web_search": {}}]))
    assert worst is not None
    assert worst.cost is None


def test_an_absurd_bound_costs_no_more_than_a_checkpoint_can_sum() -> None:
    worst = GLM.worst_case(_body("glm-4.7", max_tokens=10**30))
    assert worst is not None
    assert worst.cost == 1_000_000 * NANOS


@given(
    st.sampled_from(sorted(GLM.prices)),
    st.integers(1, 500),
    st.integers(0, 70_000),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_no_answer_costs_more_than_its_worst_case(
    model: str, max_tokens: int, length: int, prompt: float, output: float, cached: float
) -> None:
    body = _body(model, "x" * length, max_tokens=max_tokens)
    worst = GLM.worst_case(body)
    assert worst is not None
    assert worst.cost is not None
    tokens = round(prompt * (worst.tokens - max_tokens))
    cost = GLM.cost(model, Usage(tokens, round(output * max_tokens), round(cached * tokens)))
    assert cost is not None
    assert cost <= worst.cost


def test_the_bounds_of_a_band_are_told_in_words() -> None:
    told = [band.bounds for band in GLM.prices["glm-4.7"]]
    assert told == ["prompts below 32,000, answers below 200", "prompts below 32,000", ""]


def test_the_band_of_a_call_is_the_first_that_covers_it() -> None:
    bands = GLM.prices["glm-4.7"]
    assert [GLM.band("glm-4.7", 5, output) for output in (199, 200)] == [bands[0], bands[1]]
    assert GLM.band("glm-4.7", 32_000, 1) == bands[2]
    assert GLM.band("other", 1, 1) is None
