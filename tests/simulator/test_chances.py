"""Chance without randomness: the same seed and row always draw the same numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.simulator.chances import draw_chances, latency_of, prompt_key

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(seed=st.integers(), name=st.text())
def test_the_same_seed_and_name_draw_the_same_numbers_all_in_the_unit_interval(
    seed: int, name: str
) -> None:
    chances = draw_chances(seed, name)
    assert chances == draw_chances(seed, name)
    assert all(0 <= chance < 1 for chance in chances)


def test_another_seed_or_another_name_draws_other_numbers() -> None:
    drawn = {draw_chances(seed, name) for seed in (0, 1, -1) for name in ("a", "b")}
    assert len(drawn) == 6


def test_the_numbers_of_one_draw_are_independent_of_each_other() -> None:
    assert len(set(draw_chances(0, "a"))) == 8


@given(message=st.dictionaries(st.text(), JSON, min_size=2))
def test_the_order_of_keys_does_not_name_another_row(message: dict[str, object]) -> None:
    turned = dict(reversed(message.items()))
    assert prompt_key("m", [message]) == prompt_key("m", [turned])


@given(one=JSON, other=JSON)
def test_another_model_or_other_messages_name_another_row(one: object, other: object) -> None:
    assert prompt_key("m", one) != prompt_key("n", one)
    if repr(one) != repr(other) and one != other:
        assert prompt_key("m", one) != prompt_key("m", other)


def test_an_answer_of_typical_length_takes_the_median_when_its_chance_is_even() -> None:
    assert latency_of(0.2, 0.5, 60) == pytest.approx(0.2)


def test_no_latency_is_no_time_at_all() -> None:
    assert latency_of(0, 0.9, 1000) == 0


@given(chance=st.floats(0, 1, exclude_max=True), tokens=st.integers(0, 10**6))
def test_a_latency_is_positive_finite_and_longer_for_longer_answers(
    chance: float, tokens: int
) -> None:
    shorter, longer = latency_of(1, chance, tokens), latency_of(1, chance, tokens + 60)
    assert 0 < shorter <= longer < 1000


def test_a_latency_grows_with_its_chance() -> None:
    drawn = [latency_of(1, chance, 60) for chance in (0.0, 0.1, 0.5, 0.9, 0.999)]
    assert drawn == sorted(drawn)
    assert len(set(drawn)) == 5
