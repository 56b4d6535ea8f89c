"""Input and outcomes, merged by row number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import StorageError
from batcher.outputs import join as module
from batcher.outputs.join import join
from batcher.outputs.layout import layout
from batcher.recorded import Recorded

MakeSchema = Callable[..., pa.Schema]
MakeBatches = Callable[..., Iterator[pa.RecordBatch]]
MakeRecorded = Callable[..., Recorded]
Rows = list[dict[str, Any]]


@pytest.fixture(scope="session")
def run(
    make_schema: MakeSchema, make_batches: MakeBatches
) -> Callable[..., tuple[Rows, Rows, int]]:
    """Join and return the rows of results and errors, and the number of pending ones."""

    def joined(
        inputs: list[dict[str, Any] | None], outcomes: list[Recorded], size: int = 3
    ) -> tuple[Rows, Rows, int]:
        results: Rows = []
        errors: Rows = []
        pending = 0
        batches = make_batches(inputs, size=size)
        for part in join(batches, iter(outcomes), layout(make_schema())):
            results += part.results.to_pylist() if part.results else []
            errors += part.errors.to_pylist() if part.errors else []
            pending += part.pending
        return results, errors, pending

    return joined


@given(data=st.data())
def test_every_input_row_is_in_exactly_one_place_in_order_with_its_columns(
    data: st.DataObject,
    run: Callable[..., tuple[Rows, Rows, int]],
    answered: MakeRecorded,
    failed: MakeRecorded,
) -> None:
    states = data.draw(st.lists(st.sampled_from(["answered", "failed", "bad", "pending"])))
    inputs = [None if s == "bad" else {"prompt": f"say {n}"} for n, s in enumerate(states)]
    outcomes = [
        answered(row) if state == "answered" else failed(row)
        for row, state in enumerate(states)
        if state != "pending"
    ]
    size = data.draw(st.integers(1, 5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE_ROWS", data.draw(st.integers(1, 5)))
        results, errors, pending = run(inputs, outcomes, size)

    assert [row["row"] for row in results] == [n for n, s in enumerate(states) if s == "answered"]
    assert [row["row"] for row in errors] == [
        n for n, s in enumerate(states) if s in {"failed", "bad"}
    ]
    assert pending == states.count("pending")
    for row in results:
        assert row["prompt"] == f"say {row['row']}"
        assert row["response"] == f"answer {row['row']}"
        assert row["id"] == f"id-{row['row']}"
    for row in errors:
        bad = states[row["row"]] == "bad"
        assert row["prompt"] == (None if bad else f"say {row['row']}")
        assert row["source_text"] == ("{bad" if bad else None)
        assert row["source_line"] == row["row"] + 1


def test_an_outcome_of_a_row_after_the_input_is_an_error_that_names_it(
    run: Callable[..., object], answered: MakeRecorded
) -> None:
    with pytest.raises(StorageError, match="row 2 has no row in the input"):
        run([{"prompt": "a"}, {"prompt": "b"}], [answered(0), answered(2), answered(3)])


def test_an_outcome_without_any_input_is_an_error(
    run: Callable[..., object], answered: MakeRecorded
) -> None:
    with pytest.raises(StorageError, match="row 0 has no row"):
        run([], [answered(0)])


def test_an_outcome_of_a_row_that_the_input_leaves_out_is_an_error_that_names_it(
    make_schema: MakeSchema, make_batches: MakeBatches, answered: MakeRecorded
) -> None:
    batch = next(make_batches([{"prompt": "a"}] * 3)).take([0, 2])
    with pytest.raises(StorageError, match=r"row 1 has no row"):
        list(join(iter([batch]), iter([answered(1)]), layout(make_schema())))


@pytest.mark.parametrize("rows", [[1, 0], [0, 0]])
def test_outcomes_out_of_order_are_an_error_that_names_the_row(
    run: Callable[..., object], answered: MakeRecorded, rows: list[int]
) -> None:
    with pytest.raises(StorageError, match="row 0 came out of order"):
        run([{"prompt": "a"}] * 3, [answered(row) for row in rows])


def test_an_answer_of_another_id_is_an_error_that_names_both(
    run: Callable[..., object], answered: MakeRecorded
) -> None:
    with pytest.raises(StorageError, match=r"row 1 has the id 'id-1'.*of 'other'"):
        run([{"prompt": "a"}] * 2, [answered(0), answered(1, id="other")])


def test_the_input_is_not_read_ahead_of_what_is_joined(
    make_schema: MakeSchema, make_batches: MakeBatches, answered: MakeRecorded
) -> None:
    read: list[int] = []

    def counted() -> Iterator[pa.RecordBatch]:
        for batch in make_batches([{"prompt": "a"}] * 9):
            read.append(batch.num_rows)
            yield batch

    parts = join(counted(), iter([answered(0), answered(8)]), layout(make_schema()))
    next(parts)
    assert read == [3]


def test_the_fields_of_an_outcome_stand_in_their_columns(
    run: Callable[..., tuple[Rows, Rows, int]], answered: MakeRecorded, failed: MakeRecorded
) -> None:
    whole = answered(
        0,
        reasoning="because",
        tool_calls="[]",
        completion_tokens=2,
        cached_tokens=3,
        reasoning_tokens=4,
        cost=1_250_000,
        currency="CNY",
    )
    results, errors, _ = run([{"prompt": "a"}, {"prompt": "b"}], [whole, failed(1)])
    recorded = whole._asdict()
    same = results[0].keys() & recorded.keys() - {"finished_at", "cost"}
    assert len(same) == 19
    assert {name: results[0][name] for name in same} == {name: recorded[name] for name in same}
    assert results[0]["cost"] == 0.00125
    assert results[0]["finished_at"].timestamp() == 1_700_000_000
    assert errors[0]["failed_at"].timestamp() == 1_700_000_000.000001
    assert errors[0]["http_status"] == 500


@pytest.mark.parametrize("type_", [pa.string_view(), pa.binary_view()])
def test_columns_that_arrow_cannot_take_from_are_joined_too(
    type_: pa.DataType, make_schema: MakeSchema, make_batches: MakeBatches, answered: MakeRecorded
) -> None:
    columns = pa.struct([pa.field("prompt", type_)])
    batches = make_batches([{"prompt": b"a"}, None, {"prompt": b"c"}, None, None], columns, size=5)
    outcomes = iter([answered(1), answered(2)])
    (part,) = join(batches, outcomes, layout(make_schema(columns)))
    assert part.results is not None
    assert part.results.schema.field("prompt").type == type_
    assert part.results.column("prompt").cast(pa.binary()).to_pylist() == [None, b"c"]


def test_outcomes_with_long_texts_are_joined_few_at_a_time_and_none_is_lost(
    make_schema: MakeSchema,
    make_batches: MakeBatches,
    answered: MakeRecorded,
    failed: MakeRecorded,
) -> None:
    """Whatever the input's batches; an answer as large as a piece may be is a piece of its own."""
    long = {2: 400, 3: 400, 4: 400, 6: 5000, 7: 1, 9: 1000}
    outcomes = [
        failed(row) if row == 5 else answered(row, response="x" * size, reasoning="y")
        for row, size in sorted({**long, 5: 0}.items())
    ]
    batches = make_batches([{"prompt": f"say {row}"} for row in range(11)], size=11)
    joined = list(join(batches, iter(outcomes), layout(make_schema()), 1000))
    rows = [part.results.column("row").to_pylist() if part.results else [] for part in joined]
    assert rows == [[2, 3, 4], [6], [7, 9]]
    assert [part.errors.num_rows if part.errors else 0 for part in joined] == [0, 1, 0]
    assert sum(part.pending for part in joined) == 4


def test_a_stray_outcome_after_long_texts_is_still_refused(
    make_schema: MakeSchema,
    make_batches: MakeBatches,
    answered: MakeRecorded,
) -> None:
    (batch,) = make_batches([{"prompt": "a"}] * 4, size=4)
    (holed,) = (
        pa.Table.from_batches([batch.slice(0, 1), batch.slice(2)]).combine_chunks().to_batches()
    )
    outcomes = [answered(row, response="x" * 20) for row in range(4)]
    with pytest.raises(StorageError, match="the outcome of row 1 has no row in the input"):
        list(join(iter([holed]), iter(outcomes), layout(make_schema()), 10))


@given(data=st.data(), samples=st.integers(2, 4), rows=st.integers(1, 7))
def test_each_sample_of_a_row_stands_beside_the_columns_of_the_row(
    data: st.DataObject,
    samples: int,
    rows: int,
    make_schema: MakeSchema,
    make_batches: MakeBatches,
    answered: MakeRecorded,
    failed: MakeRecorded,
) -> None:
    """However the input comes in batches, and wherever a piece ends."""
    count, states = rows * samples, st.sampled_from(["answered", "failed", "pending"])
    drawn = data.draw(st.lists(states, min_size=count, max_size=count))
    made = {"answered": answered, "failed": failed}
    outcomes = [
        made[state](number, id=f"id-{number // samples}", sample=number % samples)
        for number, state in enumerate(drawn)
        if state != "pending"
    ]
    planned = layout(make_schema(), samples=samples)
    inputs = [{"prompt": f"say {row}"} for row in range(rows)]
    batches = make_batches(inputs, size=data.draw(st.integers(1, 5)))
    most, text = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 40))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE_ROWS", most)
        parts = list(join(batches, iter(outcomes), planned, text))
    for name, state in (("results", "answered"), ("errors", "failed")):
        found = [part for part in (getattr(joined, name) for joined in parts) if part is not None]
        assert all(part.num_rows <= most for part in found)
        places = [divmod(number, samples) for number, of in enumerate(drawn) if of == state]
        assert [
            (row["row"], row["id"], row["sample"], row["prompt"])
            for part in found
            for row in part.to_pylist()
        ] == [(row, f"id-{row}", sample, f"say {row}") for row, sample in places]
    assert sum(part.pending for part in parts) == drawn.count("pending")


def test_wide_rows_are_repeated_for_few_samples_at_a_time(
    make_schema: MakeSchema, make_batches: MakeBatches, answered: MakeRecorded
) -> None:
    """A row with an image, asked a thousand times, is not a thousand images in memory."""
    outcomes = [answered(number, id="id-0", sample=number) for number in range(100)]
    batches = make_batches([{"prompt": "x" * 10_000}])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE_BYTES", 50_000)
        parts = list(join(batches, iter(outcomes), layout(make_schema(), samples=100)))
    sizes = [part.results.num_rows for part in parts if part.results is not None]
    assert sum(sizes) == 100
    assert max(sizes) <= 5


def test_an_outcome_under_the_number_of_another_sample_is_an_error_that_names_it(
    make_schema: MakeSchema, make_batches: MakeBatches, answered: MakeRecorded
) -> None:
    outcomes = iter([answered(4, id="id-1", sample=0)])
    with pytest.raises(StorageError, match="sample 1 of row 1 is that of sample 0"):
        list(join(make_batches([{"prompt": "a"}] * 2), outcomes, layout(make_schema(), samples=3)))


def test_an_outcome_behind_the_last_sample_is_an_error_that_names_its_row(
    make_schema: MakeSchema, make_batches: MakeBatches, answered: MakeRecorded
) -> None:
    outcomes = iter([answered(6, id="id-2", sample=0)])
    with pytest.raises(StorageError, match="row 2 has no row in the input"):
        list(join(make_batches([{"prompt": "a"}] * 2), outcomes, layout(make_schema(), samples=3)))
