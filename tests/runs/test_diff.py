"""Two runs compared, from their directories."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from batcher.checkpoint import Checkpoint
from batcher.errors import InputError, OutputError, StorageError, UsageError
from batcher.records import Completion, Outcome, Source, Success, Usage
from batcher.runs.diff import diff
from batcher.runs.directory import RunDirectory
from tests.simulated import AT_ONCE, Place


def _place(folder: Path, rows: int = 10, **prompts: str) -> Place:
    folder.mkdir()
    place = Place(folder)
    place.write(
        {"id": f"id-{n}", "prompt": prompts.get(f"id_{n}", f"Say {n}.")} for n in range(rows)
    )
    return place


def _labelled(directory: RunDirectory, *labels: str) -> RunDirectory:
    """Make a checkpoint of a run that asked for labels, and got these."""
    directory.create()
    with Checkpoint.open(directory.checkpoint) as checkpoint:
        settings = {"model": "glm-4-flash", "output.fields": {"label": ["pos", "neg"]}}
        checkpoint.remember(settings=settings, fingerprint="f", simulated=False)
        checkpoint.write([_success(row, label) for row, label in enumerate(labels)])
    return directory


def _success(row: int, label: str) -> Outcome:
    completion = Completion(f"It is {label}", None, None, "stop", "glm-4-flash", Usage(7, 2))
    return Success(
        row,
        f"id-{row}",
        f"k{row}",
        completion,
        (),
        2.0,
        Source("prompts.jsonl", row + 1),
        output=json.dumps({"label": label}),
    )


def test_a_run_compared_with_itself_has_changed_nothing(place: Place) -> None:
    place.run()
    found = diff(place.directory, place.directory)
    assert (found.both, found.answered, found.changed) == (10, 10, 0)
    assert (found.only_a, found.only_b, found.same_input) == (0, 0, True)
    assert found.a.results == found.b.results == 10


def test_answers_errors_and_rows_of_one_run_only_are_told_apart(tmp_path: Path) -> None:
    a, b = _place(tmp_path / "a"), _place(tmp_path / "b", 12, id_3="Something else entirely.")
    a.run(simulator=replace(AT_ONCE, faults={"1301": 0.4}, seed=1))
    b.run()
    failed = len(a.errors())
    assert failed
    to = tmp_path / "diff.parquet"
    found = diff(a.directory, b.directory, to)
    assert (found.both, found.only_a, found.only_b) == (10, 0, 2)
    assert (found.failed_in_a, found.answered) == (failed, 10 - failed)
    assert not found.same_input
    rows = pq.read_table(to).to_pylist()
    assert [row["id"] for row in rows] == [f"id-{n}" for n in range(12)]
    assert [row["only_in"] for row in rows] == [None] * 10 + ["b"] * 2
    assert sum(bool(row["changed"]) for row in rows) == found.changed
    assert {row["a_error_class"] for row in rows} == {None, "content_filtered"}


def test_values_of_a_schema_are_compared_by_field_in_typed_columns(tmp_path: Path) -> None:
    """The text around a value makes no change, nor is any prompt read."""
    a = _labelled(RunDirectory(tmp_path / "a"), "pos", "pos", "neg")
    b = _labelled(RunDirectory(tmp_path / "b"), "pos", "neg", "neg")
    found = diff(a, b)
    assert found.fields == ("label",)
    assert (found.answered, found.changed) == (3, 1)
    agreement = found.agreements["label"]
    assert list(agreement.disagreements()) == [('"pos"', '"neg"', 1)]


def test_runs_without_a_common_row_are_an_error_and_leave_no_file(tmp_path: Path) -> None:
    a, b = _place(tmp_path / "a"), Place(tmp_path / "b")
    b.folder.mkdir()
    b.write([{"id": "other", "prompt": "Say hi."}])
    a.run()
    b.run()
    with pytest.raises(
        InputError, match=r"\(10 rows\) and .*\(1 rows\) have no row in common.*ids"
    ):
        diff(a.directory, b.directory, tmp_path / "diff.parquet")
    assert not (tmp_path / "diff.parquet").exists()


def test_a_run_that_has_no_outcome_yet_has_nothing_in_common(place: Place, tmp_path: Path) -> None:
    place.run()
    empty = _labelled(RunDirectory(tmp_path / "empty"))
    with pytest.raises(InputError, match="no row in common"):
        diff(place.directory, empty)


def test_files_of_a_run_and_its_input_are_never_written_over(place: Place) -> None:
    place.run()
    before = place.input.read_bytes()
    with pytest.raises(OutputError, match="among the files of a run"):
        diff(place.directory, place.directory, place.directory.results)
    with pytest.raises(OutputError, match="is the input and would be overwritten"):
        diff(place.directory, place.directory, place.input)
    assert place.input.read_bytes() == before


def test_a_directory_without_a_run_is_said(place: Place, tmp_path: Path) -> None:
    place.run()
    with pytest.raises(StorageError, match="is this the directory of a run"):
        diff(place.directory, RunDirectory(tmp_path))


@pytest.mark.parametrize("name", ["x.csv", "x", "x.jsonl"])
def test_a_name_that_promises_another_format_is_refused(
    place: Place, tmp_path: Path, name: str
) -> None:
    place.run()
    with pytest.raises(UsageError, match=rf"{name}: the table is Parquet; .*{name[0]}\.parquet"):
        diff(place.directory, place.directory, tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_table_that_would_be_rows_of_the_next_start_is_refused(tmp_path: Path) -> None:
    place = _place(tmp_path / "in")
    run = RunDirectory(tmp_path / "run")
    place.run(place.job(input=[str(place.folder)], output={"directory": str(run.path)}))
    with pytest.raises(OutputError, match=r"is within the input .*; name a place beside it"):
        diff(run, run, place.folder / "all.parquet")
    diff(run, run, tmp_path / "all.parquet")
