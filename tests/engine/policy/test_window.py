"""The share of calls that went well of late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.engine.policy.window import ENOUGH, WINDOW_S, Window

# Moments between two calls, and whether the second went well.
_CALLS = st.lists(
    st.tuples(st.floats(0, 40), st.booleans()),
    max_size=60,
)


def _window(*ends: tuple[float, bool]) -> Window:
    window = Window()
    for at, well in ends:
        window.add(at, well=well)
    return window


def test_without_a_call_all_is_well() -> None:
    window = Window()
    assert window.share(5.0) == (0, 1.0)
    assert window.is_healthy(5.0)


def test_the_share_is_that_of_calls_that_went_well() -> None:
    window = _window((1.0, True), (1.5, False), (2.0, False), (9.0, False))
    assert window.share(10.0) == (4, 0.25)


@pytest.mark.parametrize(("now", "calls"), [(129.0, 1), (129.99, 1), (130.0, 0), (1e6, 0)])
def test_a_call_is_forgotten_half_a_minute_after_the_second_it_ended_in(
    now: float, calls: int
) -> None:
    assert _window((100.0, False)).share(now)[0] == calls
    assert _window((100.99, False)).share(now)[0] == calls


@given(_CALLS)
def test_calls_of_29_s_are_always_counted_and_of_30_s_never(
    calls: list[tuple[float, bool]],
) -> None:
    window, now, ends = Window(), 100.0, list[tuple[float, bool]]()
    for gap, well in calls:
        now += gap
        ends.append((now, well))
        window.add(now, well=well)
        counted, share = window.share(now)
        recent = sum(at > now - WINDOW_S + 1 for at, _ in ends)
        assert recent <= counted <= sum(at > now - WINDOW_S for at, _ in ends)
        expected = [well for _, well in ends[-counted:]] if counted else [True]
        assert share == sum(expected) / len(expected)


def test_hours_of_calls_take_no_more_room_than_half_a_minute_of_them() -> None:
    window = Window()
    for second in range(10_000):
        window.add(float(second), well=True)
    assert len(window._seconds) <= WINDOW_S


@pytest.mark.parametrize(("well", "healthy"), [(ENOUGH // 2, True), (ENOUGH // 2 - 1, False)])
def test_it_is_healthy_from_half_of_the_calls_on(*, well: int, healthy: bool) -> None:
    window = _window(*((1.0, number < well) for number in range(ENOUGH)))
    assert window.is_healthy(2.0) is healthy


def test_a_few_calls_after_a_long_gap_are_judged_together_with_those_before_it() -> None:
    window = _window(*((1.0, True) for _ in range(100)))
    hours = 1e5
    for failures in range(1, 11):
        window.add(hours, well=False)
        assert window.is_healthy(hours), failures
    window.add(hours, well=False)
    assert not window.is_healthy(hours)


def test_of_many_calls_in_the_window_all_count_and_not_the_last_few_only() -> None:
    well = _window(*((1.0, True) for _ in range(100)), *((2.0, False) for _ in range(ENOUGH)))
    assert well.is_healthy(3.0)
