"""What a call may cost that brought no answer."""

from __future__ import annotations

import pytest

from batcher.engine.billing import may_be_billed, possible_cost
from batcher.errors import ErrorClass, Problem
from batcher.records import Request, Source
from tests.engines import PRICING

AMBIGUOUS = Problem(ErrorClass.AMBIGUOUS, "cut off")


def _request(model: str) -> Request:
    message = {"role": "user", "content": "Say it."}
    body = {"model": model, "messages": [message], "max_tokens": 100}
    return Request(0, "a", "key", body, Source("prompts.jsonl", 1))


@pytest.mark.parametrize(
    ("problem", "billed"),
    [
        (AMBIGUOUS, True),
        (Problem(ErrorClass.SERVER_ERROR, "no choices", None, 200), True),
        (Problem(ErrorClass.SERVER_ERROR, "down", None, 500), False),
        (Problem(ErrorClass.THROTTLED, "too many", "1302", 429), False),
        (Problem(ErrorClass.NOT_SENT, "refused"), False),
    ],
    ids=["cut off", "answered with success", "500", "429", "not sent"],
)
def test_what_was_refused_or_never_sent_costs_nothing(problem: Problem, *, billed: bool) -> None:
    assert may_be_billed(problem) is billed
    assert (possible_cost(PRICING, _request("glm-4.5-air"), problem) > 0) is billed


def test_an_answer_has_its_own_cost_and_a_model_without_a_price_none() -> None:
    assert possible_cost(PRICING, _request("glm-4.5-air"), None) == 0
    assert possible_cost(PRICING, _request("somebody-elses"), AMBIGUOUS) == 0
