"""A set of rows, one bit each."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batcher.checkpoint.rowset import AllBut, Done, RowSet, runs_of


@given(st.lists(st.integers(0, 40)), st.lists(st.integers(0, 50_000), max_size=5))
def test_it_behaves_like_a_set_of_integers(low: list[int], high: list[int]) -> None:
    rows = RowSet(low)
    for row in high:
        rows.add(row)
    model = set(low) | set(high)
    assert len(rows) == len(model)
    probed = {near for row in (0, 60_000, *model) for near in (row, row + 1, row + 8)}
    assert {row for row in probed if row in rows} == model & probed
    assert rows.first_missing() == next(row for row in range(100_000) if row not in model)
    assert (rows.first(), rows.last()) == (min(model, default=None), max(model, default=None))


@given(st.lists(st.integers(0, 90)), st.lists(st.tuples(st.integers(0, 90), st.integers(0, 50))))
def test_a_range_is_put_in_as_each_of_its_rows_would_be(
    before: list[int], ranges: list[tuple[int, int]]
) -> None:
    rows, model = RowSet(before), set(before)
    for first, length in ranges:
        rows.add_range(first, first + length)
        model.update(range(first, first + length))
        assert len(rows) == len(model)
    assert {row for row in range(200) if row in rows} == model


@given(st.sets(st.integers(0, 200)), st.integers(0, 250))
def test_its_rows_come_in_order_and_are_counted_up_to_any(model: set[int], stop: int) -> None:
    rows = RowSet(model)
    assert list(rows) == sorted(model)
    assert rows.count_before(stop) == len([row for row in model if row < stop])


def test_the_first_missing_row_follows_a_full_buffer() -> None:
    """After 1024 bytes of ones there is no byte left to look at."""
    assert RowSet(range(8 * 1024)).first_missing() == 8 * 1024


def test_it_takes_one_bit_a_row() -> None:
    assert len(RowSet(range(100_000))._bits) <= 2 * 100_000 / 8


@given(st.sets(st.integers(0, 300)))
def test_all_but_some_rows_are_every_other_one(left_out: set[int]) -> None:
    done = AllBut(RowSet(left_out))
    assert {row for row in range(400) if row not in done} == left_out
    assert done.first_missing() == min(left_out, default=0)
    assert done.last_missing() == max(left_out, default=-1)


def test_after_the_rows_of_a_set_there_is_no_last_missing_one() -> None:
    done: Done = RowSet([1, 2])
    assert done.last_missing() is None


@given(numbers=st.lists(st.integers(0, 30), min_size=1, unique=True))
def test_numbers_are_divided_into_runs_that_hold_each_of_them_once(numbers: list[int]) -> None:
    """In their order, whatever that is."""
    runs = list(runs_of(numbers))
    assert [number for first, stop in runs for number in range(first, stop)] == numbers
    assert list(runs_of(range(4, 9))) == [(4, 9)]
