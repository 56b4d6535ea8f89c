"""Which rows a start of a run is about."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.checkpoint import RowSet
from batcher.errors import UsageError
from batcher.runs.selection import ALL_ROWS, WHOLE_INPUT, Portion, Selection, draw


@given(
    rows=st.integers(0, 300),
    sizes=st.lists(st.integers(1, 350), min_size=2, max_size=2).map(sorted),
    seed=st.integers(),
)
def test_a_sample_has_its_size_and_a_larger_one_of_the_same_seed_holds_it(
    rows: int, sizes: list[int], seed: int
) -> None:
    small, large = (set(draw(rows, size, seed)) for size in sizes)
    assert small <= large <= set(range(rows))
    assert [len(small), len(large)] == [min(rows, size) for size in sizes]


def test_the_same_seed_draws_the_same_rows_on_every_machine() -> None:
    """Else a try could not be told to somebody else."""
    assert list(draw(1_000_000, 5, 7)) == [72_436, 150_849, 323_832, 535_882, 650_934]
    assert list(draw(1_000_000, 5, 8)) != list(draw(1_000_000, 5, 7))


def test_every_row_is_about_as_likely_to_be_drawn() -> None:
    drawn = [row for seed in range(2_000) for row in draw(10, 3, seed)]
    assert all(500 < drawn.count(row) < 700 for row in range(10))


def test_a_drawn_sample_takes_one_bit_a_row() -> None:
    assert len(draw(1_000_000, 300_000, 1)._bits) <= 2 * 1_000_000 / 8


@given(
    samples=st.integers(1, 4),
    rows=st.integers(1, 40),
    limit=st.none() | st.integers(1, 50),
    sample=st.integers(1, 50),
    done=st.sets(st.integers(0, 159)),
)
def test_records_are_counted_as_those_of_the_rows_that_were_chosen(
    samples: int, rows: int, limit: int | None, sample: int, done: set[int]
) -> None:
    portion = Portion(sample=sample) if limit is None else Portion(limit)
    selection = Selection.of(portion, samples, rows)
    chosen = [row for row in range(rows) if row in selection]
    records = [record for row in chosen for record in selection.records(row)]
    done &= set(range(rows * samples))
    assert records == sorted(set(records))
    assert selection.size(rows) == len(records)
    assert selection.held(RowSet(done)) == len(done & set(records))
    assert {selection.row_of(record) for record in records} == set(chosen)
    assert not any(selection.is_over(row) for row in chosen)
    assert (selection.named(rows) is None) == (len(chosen) == rows)


def test_without_a_portion_all_rows_are_meant_however_many_there_are() -> None:
    selection = Selection.of(WHOLE_INPUT, 1, None)
    assert selection == ALL_ROWS
    assert 10**12 in selection
    assert not selection.is_over(10**12)
    assert (selection.size(7), selection.held(RowSet([3, 5])), selection.named(7)) == (7, 2, None)


def test_nothing_behind_the_last_chosen_row_is_read() -> None:
    drawn = Selection.of(Portion(sample=3, seed=1), 1, 100)
    assert drawn.drawn is not None
    last = max(drawn.drawn)
    assert (drawn.is_over(last), drawn.is_over(last + 1)) == (False, True)
    assert Selection.of(Portion(5), 1, None).is_over(5)


def test_the_chosen_rows_are_named_with_what_chose_them() -> None:
    assert Selection.of(Portion(100), 5, None).named(5000) == "the first 100 of 5,000 rows"
    drawn = Selection.of(Portion(sample=20, seed=7), 1, 5000)
    assert drawn.named(5000) == "20 of 5,000 rows, drawn with the seed 7"


def test_two_ways_to_choose_are_a_contradiction() -> None:
    with pytest.raises(UsageError, match="--limit and --sample"):
        Portion(limit=1, sample=1)


def test_a_seed_with_nothing_to_draw_is_refused() -> None:
    with pytest.raises(UsageError, match="--seed goes with --sample"):
        Portion(limit=1, seed=0)


def test_nothing_is_drawn_of_an_unknown_number_of_rows() -> None:
    with pytest.raises(TypeError, match="known number"):
        Selection.of(Portion(sample=1), 1, None)


@pytest.mark.parametrize("values", [{"limit": 0}, {"limit": "3"}, {"sample": -2}, {"limit": 1.5}])
def test_what_is_no_number_of_rows_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="write a whole number from 1"):
        Portion(**values)
    with pytest.raises(UsageError, match="seed is 'x'"):
        Portion(sample=1, seed=cast("Any", "x"))
