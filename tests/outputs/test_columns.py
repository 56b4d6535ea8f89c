"""Recorded outcomes as Arrow columns."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from batcher.outputs.columns import array, by_column
from batcher.recorded import Recorded


def test_each_field_becomes_a_column(answered: Callable[..., Recorded]) -> None:
    columns = by_column([answered(0), answered(4)])
    assert list(columns) == list(Recorded._fields)
    assert columns["row"] == (0, 4)
    assert columns["response"] == ("answer 0", "answer 4")


def test_costs_become_units_of_their_currency(answered: Callable[..., Recorded]) -> None:
    recorded = [answered(0), answered(1, cost=0), answered(2, cost=12_345_678_901)]
    assert by_column(recorded)["cost"] == [None, 0.0, 12.345678901]


def test_lone_surrogates_are_escaped_and_their_neighbours_kept() -> None:
    made = array(["你好\ud83d", "whole 😀", None], pa.string())
    assert made.to_pylist() == ["你好\\ud83d", "whole 😀", None]


@given(st.lists(st.none() | st.text(st.characters(codec="utf-8"))))
def test_text_that_utf_8_can_hold_is_kept_as_it_is(values: list[str | None]) -> None:
    assert array(values, pa.string()).to_pylist() == values


@given(st.text(st.characters(), min_size=1))
def test_any_string_at_all_can_be_written(value: str) -> None:
    array([value], pa.string()).validate(full=True)
