"""What was published, compared with what was recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.outputs import Exported, Material, export, output_problems
from batcher.recorded import Recorded
from batcher.structured import ListOf, Plain, StructOf

MakeSchema = Callable[..., pa.Schema]
MakeBatches = Callable[..., Iterator[pa.RecordBatch]]
MakeRecorded = Callable[..., Recorded]
Publish = Callable[[Path, list[Recorded]], Exported]
VIEWS = pa.struct([pa.field("prompt", pa.string_view()), pa.field("response", pa.string())])


@pytest.fixture(scope="session")
def publish(make_schema: MakeSchema, make_batches: MakeBatches) -> Publish:
    """Export ten rows, with a column that Arrow cannot take from and one called like ours."""

    def published(directory: Path, outcomes: list[Recorded]) -> Exported:
        rows = [{"prompt": f"say {row}", "response": "mine"} for row in range(10)]
        batches = make_batches(rows, VIEWS)
        return export(Material(make_schema(VIEWS), batches, iter(outcomes)), directory)

    return published


@given(
    states=st.lists(st.sampled_from(["answered", "failed", "pending"]), min_size=10, max_size=10)
)
def test_what_export_writes_is_as_it_was_recorded(
    states: list[str], publish: Publish, answered: MakeRecorded, failed: MakeRecorded
) -> None:
    made = {"answered": answered, "failed": failed}
    good = [answered(row) for row, state in enumerate(states) if state == "answered"]
    outcomes = [made[state](row) for row, state in enumerate(states) if state != "pending"]
    bad = [outcome for outcome in outcomes if outcome.error_class is not None]
    with TemporaryDirectory() as name:
        done = publish(Path(name), outcomes)
        assert list(output_problems(done.results_path, iter(good))) == []
        assert done.errors_path is not None
        assert list(output_problems(done.errors_path, iter(bad))) == []
        assert list(output_problems(done.results_path, None)) == []


def test_a_lone_surrogate_is_no_difference(
    tmp_path: Path, publish: Publish, answered: MakeRecorded
) -> None:
    outcomes = [answered(0, response="cut \ud83d")]
    done = publish(tmp_path, outcomes)
    assert list(output_problems(done.results_path, iter(outcomes))) == []


@pytest.mark.parametrize(
    ("published", "recorded", "said"),
    [
        ([0, 1, 2], [0, 1, 2, 5, 9], "lacks 2 rows of those recorded"),
        ([0, 2], [0, 1, 2], "lacks 1 row of those recorded"),
        ([0, 1, 2], [0, 2], "holds 1 row not recorded as such"),
        ([0, 1, 2, 3], [], "holds 4 rows not recorded as such"),
        ([], [4], "lacks 1 row of those recorded"),
    ],
)
def test_rows_that_one_side_lacks_are_counted(
    tmp_path: Path,
    publish: Publish,
    answered: MakeRecorded,
    published: list[int],
    recorded: list[int],
    said: str,
) -> None:
    done = publish(tmp_path, [answered(row) for row in published])
    outcomes = iter([answered(row) for row in recorded])
    assert list(output_problems(done.results_path, outcomes)) == [f"results.parquet {said}"]


def test_a_field_of_a_value_that_is_not_as_recorded_is_named(
    tmp_path: Path, make_schema: MakeSchema, make_batches: MakeBatches, answered: MakeRecorded
) -> None:
    value = StructOf((("label", Plain.TEXT), ("parts", ListOf(StructOf((("n", Plain.NUMBER),))))))
    outcomes = [answered(0, output='{"label":"pos","parts":[{"n":1}]}'), answered(1)]
    batches = make_batches([{"prompt": "a"}, {"prompt": "b"}])
    done = export(Material(make_schema(), batches, iter(outcomes), value=value), tmp_path)
    assert list(output_problems(done.results_path, iter(outcomes), value)) == []
    others = [answered(0, output='{"label":"neg","parts":[{"n":2}]}'), answered(1)]
    assert list(output_problems(done.results_path, iter(others), value)) == [
        f"results.parquet differs from what is recorded in `out.{name}`, near row 0"
        for name in ("label", "parts")
    ]


@pytest.mark.parametrize(
    ("column", "value"),
    [("id", "other"), ("response", "other"), ("attempts", 7), ("finished_at", 1), ("key", None)],
)
def test_a_result_that_is_not_as_recorded_is_named_with_its_column(
    tmp_path: Path, publish: Publish, answered: MakeRecorded, column: str, value: object
) -> None:
    done = publish(tmp_path, [answered(row) for row in range(3)])
    outcomes = [answered(0), answered(1, **{column: value}), answered(2)]
    assert list(output_problems(done.results_path, iter(outcomes))) == [
        f"results.parquet differs from what is recorded in `{column}`, near row 0"
    ]


def test_an_error_that_is_not_as_recorded_is_named_with_its_column(
    tmp_path: Path, publish: Publish, failed: MakeRecorded
) -> None:
    done = publish(tmp_path, [failed(4)])
    outcomes = [failed(4, finished_at=1, message="other")]
    assert done.errors_path is not None
    assert list(output_problems(done.errors_path, iter(outcomes))) == [
        "errors.parquet differs from what is recorded in `message`, near row 4",
        "errors.parquet differs from what is recorded in `failed_at`, near row 4",
    ]


@pytest.mark.parametrize("rows", [[1, 0], [0, 0]])
def test_rows_twice_or_out_of_order_are_said(
    tmp_path: Path, publish: Publish, answered: MakeRecorded, rows: list[int]
) -> None:
    done = publish(tmp_path, [answered(0), answered(1)])
    table = pa.concat_tables([pq.read_table(done.results_path).slice(row, 1) for row in rows])
    pq.write_table(table, done.results_path)
    (said,) = output_problems(done.results_path, iter([answered(0), answered(1)]))
    assert said == f"results.parquet holds rows twice or out of order, near row {rows[0]}"


def test_a_file_that_is_gone_is_missing(tmp_path: Path) -> None:
    assert list(output_problems(tmp_path / "results.parquet", None)) == [
        "results.parquet is missing"
    ]


@pytest.mark.parametrize("cut", [0, 100, -20])
def test_a_file_that_is_cut_short_is_damaged(
    tmp_path: Path, publish: Publish, answered: MakeRecorded, cut: int
) -> None:
    done = publish(tmp_path, [answered(0)])
    done.results_path.write_bytes(done.results_path.read_bytes()[:cut])
    (said,) = output_problems(done.results_path, iter([answered(0)]))
    assert said.startswith("results.parquet is damaged")


def test_a_table_of_somebody_else_s_is_said_to_be_none_of_ours(
    tmp_path: Path, answered: MakeRecorded
) -> None:
    for number, names in enumerate((["n"], ["row"], ["row", "id", "response", "key"])):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(pa.table({name: [0] for name in names}), path)
        (said,) = output_problems(path, iter([answered(0)]))
        assert said.startswith(f"{number}.parquet is damaged, or none of ours: ")


def test_each_sample_is_compared_with_its_own_outcome(
    tmp_path: Path, make_schema: MakeSchema, make_batches: MakeBatches, answered: MakeRecorded
) -> None:
    outcomes = [answered(n, id=f"id-{n // 2}", sample=n % 2) for n in range(6)]
    batches = make_batches([{"prompt": "a"}] * 3)
    done = export(Material(make_schema(), batches, iter(outcomes), samples=2), tmp_path)
    assert list(output_problems(done.results_path, iter(outcomes), samples=2)) == []
    swapped = [
        *outcomes[:2],
        outcomes[2]._replace(response=outcomes[3].response),
        outcomes[3]._replace(response=outcomes[2].response),
        *outcomes[4:],
    ]
    assert list(output_problems(done.results_path, iter(swapped), samples=2)) == [
        "results.parquet differs from what is recorded in `response`, near row 0"
    ]
    missing = [outcome for outcome in outcomes if outcome.row != 3]
    assert list(output_problems(done.results_path, iter(missing), samples=2)) == [
        "results.parquet holds 1 row not recorded as such"
    ]
