"""How long to go on with a row, and whom else to ask."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.engine.policy.patience import NO_FALLBACK, Fallback, RetryPolicy


@given(most=st.integers(1, 10), unanswered=st.integers(0, 20))
def test_a_row_is_sent_without_an_answer_as_often_as_allowed(most: int, unanswered: int) -> None:
    assert RetryPolicy(max_ambiguous=most).forbids_another(unanswered) is (unanswered >= most)


@pytest.mark.parametrize(
    ("fallback", "model", "models"),
    [
        (NO_FALLBACK, "m", ("m",)),
        (Fallback(("m", "m2")), "m", ("m", "m2")),
        (Fallback(("m", "m2")), "m2", ("m2",)),
    ],
)
def test_only_requests_for_the_first_model_have_others_to_fall_back_on(
    fallback: Fallback, model: str, models: tuple[str, ...]
) -> None:
    assert fallback.models_for(model) == models
