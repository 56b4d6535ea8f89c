"""Input and outcomes in, published files out."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.errors import OutputError, StorageError
from batcher.outputs import Exported, Format, Material, Origin, export, kind_of, read_head
from batcher.outputs.json_values import json_values
from batcher.recorded import Recorded

MakeSchema = Callable[..., pa.Schema]
MakeBatches = Callable[..., Iterator[pa.RecordBatch]]
MakeRecorded = Callable[..., Recorded]

RICH = pa.struct(
    [
        pa.field("id", pa.dictionary(pa.int32(), pa.string())),
        pa.field("price", pa.decimal128(9, 2)),
        pa.field("at", pa.timestamp("ns", "Asia/Shanghai")),
        pa.field("messages", pa.list_(pa.struct([pa.field("role", pa.string())]))),
        pa.field("raw", pa.binary()),
    ]
)

every_table = pytest.mark.parametrize("file_format", ["parquet", "jsonl", "csv"])
every_format = pytest.mark.parametrize("file_format", get_args(Format))
ORIGIN = Origin(version="1", settings={"model": "glm-4-flash"})


def _files(directory: Path) -> dict[str, bytes]:
    paths = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


def _origin(file_format: Format) -> Origin | None:
    return ORIGIN if file_format == "hf" else None


@pytest.fixture(scope="session")
def publish(
    make_schema: MakeSchema,
    make_batches: MakeBatches,
    answered: MakeRecorded,
    failed: MakeRecorded,
) -> Callable[..., Exported]:
    """Export ten rows: row 3 an error, rows 8 and 9 pending."""

    def published(
        directory: Path,
        file_format: Format,
        text: str = "say",
        partition_rows: int | None = None,
    ) -> Exported:
        material = Material(
            make_schema(),
            make_batches([{"prompt": f"{text} {row}"} for row in range(10)]),
            (failed(row) if row == 3 else answered(row) for row in range(8)),
            metadata={"batcher.version": "1"},
        )
        kind = kind_of(file_format, partition_rows)
        return export(material, directory, kind, _origin(file_format))

    return published


@every_table
def test_both_files_are_published_and_counted(
    tmp_path: Path, publish: Callable[..., Exported], file_format: Format
) -> None:
    done = publish(tmp_path, file_format)
    results, errors = tmp_path / f"results.{file_format}", tmp_path / f"errors.{file_format}"
    assert astuple(done) == (7, 1, 2, results, errors)
    assert [str(row["row"]) for row in read_head(results, 99)] == list("0124567")
    assert [str(row["row"]) for row in read_head(errors, 99)] == ["3"]
    assert sorted(_files(tmp_path)) == sorted([results.name, errors.name])


@every_table
def test_an_input_without_rows_makes_two_files_without_rows(
    tmp_path: Path, make_schema: MakeSchema, file_format: Format
) -> None:
    done = export(Material(make_schema(), iter([]), iter([])), tmp_path, kind_of(file_format))
    assert (done.results, done.errors, done.pending) == (0, 0, 0)
    assert done.errors_path is not None
    assert read_head(done.results_path, 1) == read_head(done.errors_path, 1) == []


@every_format
def test_the_same_input_and_outcomes_make_the_same_bytes(
    tmp_path: Path, publish: Callable[..., Exported], file_format: Format
) -> None:
    publish(tmp_path, file_format)
    first = _files(tmp_path)
    assert first
    publish(tmp_path, file_format)
    assert _files(tmp_path) == first


@every_table
def test_partitions_hold_together_what_one_file_holds(
    tmp_path: Path, publish: Callable[..., Exported], file_format: Format
) -> None:
    publish(tmp_path, file_format)
    done = publish(tmp_path, file_format, partition_rows=3)
    assert done.errors_path is not None
    for stem, path, sizes in (
        ("results", done.results_path, [3, 3, 1]),
        ("errors", done.errors_path, [1]),
    ):
        parts = [read_head(part, 99) for part in sorted(tmp_path.glob(path.name))]
        assert [len(part) for part in parts] == sizes
        whole = read_head(tmp_path / f"{stem}.{file_format}", 99)
        assert [row for part in parts for row in part] == whole


@pytest.mark.parametrize("file_format", ["hf", "batch"])
def test_other_formats_have_partitions_too(
    tmp_path: Path, publish: Callable[..., Exported], file_format: Format
) -> None:
    done = publish(tmp_path, file_format, partition_rows=3)
    found = sorted(tmp_path.glob(done.results_path.relative_to(tmp_path).as_posix()))
    assert len(found) == 3
    assert done.results == 7


def test_fewer_partitions_leave_none_of_those_before(
    tmp_path: Path, publish: Callable[..., Exported]
) -> None:
    publish(tmp_path, "jsonl", partition_rows=1)
    publish(tmp_path, "jsonl", partition_rows=4)
    assert sorted(_files(tmp_path)) == [
        "errors-00000-of-00001.jsonl",
        "results-00000-of-00002.jsonl",
        "results-00001-of-00002.jsonl",
    ]


def test_a_dataset_has_no_errors_but_its_card_counts_them(
    tmp_path: Path, publish: Callable[..., Exported]
) -> None:
    done = publish(tmp_path, "hf")
    assert (done.errors, done.errors_path) == (1, None)
    assert sorted(_files(tmp_path)) == ["README.md", "data/train-00000-of-00001.parquet"]
    assert "| errors | `server_error` (1) |" in (tmp_path / "README.md").read_text("utf-8")


def _input_values(batch: pa.RecordBatch, index: int) -> Sequence[object]:
    """Return the values of one input column as JSON, which needs no pandas for nanoseconds."""
    struct: Any = batch.column("input")
    # Not `field`, which leaves out that a null struct makes its fields null.
    return json_values(struct.flatten()[index])


def _cell() -> st.SearchStrategy[dict[str, Any] | None]:
    return st.none() | st.fixed_dictionaries(
        {
            "id": st.none() | st.sampled_from(["a", "b"]),
            "price": st.none() | st.decimals(-1000, 1000, places=2),
            "at": st.none() | st.integers(0, 2**60),
            "messages": st.none() | st.lists(st.fixed_dictionaries({"role": st.just("user")})),
            "raw": st.none() | st.binary(max_size=4),
        }
    )


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(_cell(), st.sampled_from(["answered", "failed", "pending"]))),
    size=st.integers(1, 4),
)
def test_results_errors_and_pending_are_the_input_with_its_exact_columns(
    rows: list[tuple[dict[str, Any] | None, str]],
    size: int,
    make_schema: MakeSchema,
    make_batches: MakeBatches,
    answered: MakeRecorded,
    failed: MakeRecorded,
) -> None:
    """Through the Parquet files, for any rows and any subset of outcomes."""
    states = [state for _, state in rows]
    made = {"answered": answered, "failed": failed}
    outcomes = [made[state](row) for row, state in enumerate(states) if state != "pending"]
    batches = list(make_batches([cell for cell, _ in rows], RICH, size))
    with TemporaryDirectory() as name:
        done = export(Material(make_schema(RICH), iter(batches), iter(outcomes)), Path(name))
        assert done.errors_path is not None
        results, errors = pq.read_table(done.results_path), pq.read_table(done.errors_path)

    assert done.results + done.errors + done.pending == len(rows)
    assert (done.results, done.errors) == (results.num_rows, errors.num_rows)
    names = ["input_id", "price", "at", "messages", "raw"]
    for state, output in (("answered", results), ("failed", errors)):
        places = [row for row, its in enumerate(states) if its == state]
        assert output.column("row").to_pylist() == places
        for index, name in enumerate(names):
            values = [value for batch in batches for value in _input_values(batch, index)]
            assert output.schema.field(name).type == RICH.field(index).type
            read = [value for part in output.column(name).chunks for value in json_values(part)]
            assert read == [values[place] for place in places]


@every_format
def test_a_failure_in_the_middle_leaves_old_files_and_no_temporary_ones(
    tmp_path: Path,
    publish: Callable[..., Exported],
    make_schema: MakeSchema,
    make_batches: MakeBatches,
    answered: MakeRecorded,
    file_format: Format,
) -> None:
    """The input breaks off after some rows are written; its error comes out as it is."""
    publish(tmp_path, file_format)
    old = _files(tmp_path)

    def broken() -> Iterator[pa.RecordBatch]:
        yield from make_batches([{"prompt": "new"}] * 6)
        raise OSError(5, "the input is gone")

    outcomes = iter([answered(0), answered(1)])
    with pytest.raises(OSError, match="the input is gone"):
        export(
            Material(make_schema(), broken(), outcomes),
            tmp_path,
            kind_of(file_format),
            _origin(file_format),
        )
    assert _files(tmp_path) == old


@every_format
def test_a_full_disk_is_a_storage_error_and_leaves_the_old_files(
    tmp_path: Path,
    publish: Callable[..., Exported],
    make_schema: MakeSchema,
    make_batches: MakeBatches,
    answered: MakeRecorded,
    file_format: Format,
) -> None:
    """The system itself refuses to let a file grow further."""
    publish(tmp_path, file_format)
    old = _files(tmp_path)
    text = Random(1).randbytes(100_000).hex()  # noqa: S311 # text that does not compress
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        material = Material(
            make_schema(),
            make_batches([{"prompt": text}] * 6, size=1),
            (answered(row, response=text) for row in range(6)),
        )
        with pytest.raises(StorageError, match=r"cannot write .*: File too large"):
            export(material, tmp_path, kind_of(file_format), _origin(file_format))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert _files(tmp_path) == old


Attempt = Callable[[pa.DataType, Any, Format], Exported]


@pytest.fixture
def attempt(
    tmp_path: Path, make_schema: MakeSchema, make_batches: MakeBatches, answered: MakeRecorded
) -> Attempt:
    """Export a row with one column, `odd`."""

    def attempted(type_: pa.DataType, value: object, file_format: Format) -> Exported:
        columns = pa.struct([pa.field("odd", type_)])
        batches = make_batches([{"odd": value}], columns)
        outcomes = iter([answered(0)])
        schema = make_schema(columns)
        return export(Material(schema, batches, outcomes), tmp_path, kind_of(file_format))

    return attempted


def test_a_type_that_parquet_lacks_is_an_output_error_that_names_the_way_out(
    tmp_path: Path, attempt: Attempt
) -> None:
    with pytest.raises(OutputError, match=r"'odd'.*--format jsonl"):
        attempt(pa.struct([]), {}, "parquet")
    assert _files(tmp_path) == {}
    assert read_head(attempt(pa.struct([]), {}, "jsonl").results_path, 1)[0]["odd"] == {}


def test_a_value_that_parquet_lacks_is_a_storage_error_that_names_the_way_out(
    tmp_path: Path, attempt: Attempt
) -> None:
    """Parquet counts milliseconds at least, and so many seconds have too many of them."""
    with pytest.raises(StorageError, match=r"cannot write .*results.*--format jsonl"):
        attempt(pa.timestamp("s"), 2**60, "parquet")
    assert _files(tmp_path) == {}
    assert read_head(attempt(pa.timestamp("s"), 2**60, "jsonl").results_path, 1)[0]["odd"]


def test_the_parquet_files_carry_the_metadata_of_the_run(
    tmp_path: Path, publish: Callable[..., Exported]
) -> None:
    done = publish(tmp_path, "parquet")
    assert done.errors_path is not None
    for path in (done.results_path, done.errors_path):
        assert pq.read_schema(path).metadata == {b"batcher.version": b"1"}


def test_a_lone_surrogate_in_an_answer_does_not_fail_the_export(
    tmp_path: Path, make_schema: MakeSchema, make_batches: MakeBatches, answered: MakeRecorded
) -> None:
    outcomes = iter([answered(0, response="cut \ud83d")])
    done = export(Material(make_schema(), make_batches([{"prompt": "a"}]), outcomes), tmp_path)
    assert read_head(done.results_path, 1)[0]["response"] == "cut \\ud83d"
