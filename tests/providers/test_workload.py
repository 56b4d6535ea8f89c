"""What a job asks for, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.money import NANOS
from batcher.providers import Pricing
from batcher.providers.token_ratio import TokenRatio
from batcher.providers.tokens import PER_MESSAGE
from batcher.providers.workload import Answers, BandTotal, Workload, prompt_tokens
from batcher.records import Usage

GLM = Pricing.of("glm", {})


def _body(text: str, model: str = "glm-4.7", **rest: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **rest}


def _of_tokens(tokens: int) -> str:
    return "abcd" * (tokens - PER_MESSAGE)


def _portions(
    bodies: list[dict[str, object]],
    answers: Answers,
    pricing: Pricing = GLM,
    ratios: Mapping[str, float] | None = None,
) -> list[BandTotal]:
    workload = Workload(pricing.models)
    for body in bodies:
        workload.add(body)
    by_model = {name: TokenRatio(value) for name, value in (ratios or {}).items()}
    return list(workload.band_totals(by_model, answers, pricing))


def test_each_request_falls_under_the_band_of_its_own_length() -> None:
    bodies = [_body(_of_tokens(n)) for n in (1_000, 1_000, 40_000)]
    short, long = _portions(bodies, Answers([250]))
    assert (short.requests, short.prompt_tokens, short.output_tokens) == (2, 2_000, 500)
    assert (long.requests, long.prompt_tokens, long.output_tokens) == (1, 40_000, 250)
    assert short.cost == pytest.approx((2_000 * 3 + 500 * 14) / 1_000_000 * NANOS)
    assert long.cost == pytest.approx((40_000 * 4 + 250 * 16) / 1_000_000 * NANOS)


def test_a_counted_ratio_can_lift_requests_into_another_band() -> None:
    bodies = [_body(_of_tokens(30_000))]
    (below,) = _portions(bodies, Answers([100]))
    (above,) = _portions(bodies, Answers([100]), ratios={"glm-4.7": 1.2})
    assert below.band is not None
    assert above.band is not None
    assert (below.band.input_below, above.band.input_below) == (32_000, None)
    assert above.prompt_tokens == pytest.approx(36_000)


def test_answers_of_several_lengths_share_the_requests_out_among_the_bands() -> None:
    lengths = [100] * 3 + [1_000]
    short, long = _portions([_body("hi")] * 8, Answers(lengths))
    assert (short.requests, long.requests) == (6, 2)
    assert (short.output_tokens, long.output_tokens) == (600, 2_000)


def test_answers_of_a_model_are_taken_from_its_own_results_where_there_are_some() -> None:
    answers = Answers([10, 30], {"glm-5": [30]})
    bodies = [_body("hi", "glm-5"), _body("hi", "glm-4-flash")]
    own, others = _portions(bodies, answers)
    assert (own.model, own.output_tokens) == ("glm-5", 30)
    assert (others.model, others.output_tokens) == ("glm-4-flash", 20)


def test_no_answer_is_longer_than_the_request_allows() -> None:
    (portion,) = _portions([_body("hi", max_tokens=50)], Answers([10_000]))
    assert portion.output_tokens == 50


@pytest.mark.parametrize(
    ("model", "rest", "tokens"),
    [("glm-4.7", {}, 131_072), ("glm-4.7", {"max_tokens": 7}, 7), ("mine", {}, None)],
)
def test_where_nothing_is_known_of_answers_they_are_as_long_as_they_can_be(
    model: str, rest: dict[str, object], tokens: int | None
) -> None:
    (portion,) = _portions([_body("hi", model, **rest)], Answers())
    assert portion.output_tokens == tokens


def test_a_model_without_a_price_has_tokens_but_no_cost() -> None:
    (portion,) = _portions([_body("hi", "glm-4.5")], Answers([5]))
    assert (portion.band, portion.cost, portion.output_tokens) == (None, None, 5)


def test_tools_are_counted_as_the_text_of_their_json() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    assert prompt_tokens(_body("hi")) == 1 + PER_MESSAGE
    assert prompt_tokens(_body("hi", tools=[tool])) == 1 + PER_MESSAGE + 12


def test_images_and_tools_with_fees_are_noted() -> None:
    workload = Workload({})
    parts = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "u"}}]
    workload.add({"model": "m", "messages": [{"role": "user", "content": parts}]})
    workload.add(_body("hi", tools=[{"type": "web_search"}]))
    assert (workload.images, workload.paid_tools) == (1, 1)
    assert workload.requests == {"m": 1, "glm-4.7": 1}


@given(st.lists(st.tuples(st.integers(7, 60_000), st.integers(1, 4_000)), min_size=1, max_size=20))
def test_the_sum_of_all_portions_is_what_the_calls_cost_one_by_one(
    calls: list[tuple[int, int]],
) -> None:
    """But for calls within 1 in 128 of the border of a band, here moved away from it."""
    calls = [(prompt + 1_000 * (31_500 < prompt < 32_500), answer) for prompt, answer in calls]
    calls = [(prompt, answer + 4 * (196 < answer < 204)) for prompt, answer in calls]
    bodies = [_body(_of_tokens(prompt), max_tokens=answer) for prompt, answer in calls]
    portions = _portions(bodies, Answers())
    one_by_one = [GLM.cost("glm-4.7", Usage(*call)) or 0 for call in calls]
    assert sum(portion.cost or 0 for portion in portions) == pytest.approx(sum(one_by_one))
    assert sum(portion.requests for portion in portions) == len(calls)


def test_memory_does_not_grow_with_the_rows() -> None:
    workload = Workload({})
    for row in range(20_000):
        workload.add(_body("a" * (row % 3_000)))
    assert len(workload._cells) < 600


def test_answers_that_are_asked_for_again_take_prompts_and_tokens_more_than_once() -> None:
    answers = Answers([80], {}, 1.5)
    (portion,) = _portions([_body(_of_tokens(1_000), max_tokens=50)] * 2, answers)
    assert (portion.requests, portion.prompt_tokens, portion.output_tokens) == (2, 3_000, 160)
