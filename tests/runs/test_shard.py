"""Runs of a part of their input."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.checkpoint import CheckpointReader, ErrorChoice
from batcher.errors import ConfigurationError, ErrorClass, UsageError
from batcher.job import JobSpec
from batcher.runs.directory import RunDirectory
from batcher.runs.export import export_run
from batcher.runs.looking import Look
from batcher.runs.report import Reporter
from batcher.runs.result import RunResult
from batcher.runs.selection import Portion
from batcher.runs.shard import Part, Shard
from batcher.runs.status import status_of
from batcher.runs.verify import verify
from batcher.simulator import SimulatorConfig
from tests.simulated import AT_ONCE, Place


def _run(
    place: Place,
    number: int,
    of: int,
    job: JobSpec | None = None,
    simulator: SimulatorConfig = AT_ONCE,
    *,
    limit: int | None = None,
    sample: int | None = None,
) -> RunResult:
    portion = Portion(limit, sample, None, Shard(number, of))
    return replace(place.session(job, simulator), portion=portion).run()


def _directory(place: Place, number: int, of: int) -> RunDirectory:
    return RunDirectory(place.folder / f"prompts.{number}-of-{of}.batch")


def _rows(directory: RunDirectory) -> list[int]:
    found: Any = pq.read_table(directory.results).column("row").to_pylist()
    return list(found)


@given(rows=st.integers(0, 10_000), of=st.integers(1, 300))
def test_shards_divide_the_rows_evenly_and_leave_none_out(rows: int, of: int) -> None:
    parts = [Shard(number, of).rows(rows) for number in range(1, of + 1)]
    assert [row for part in parts for row in part] == list(range(rows))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(("number", "of"), [(0, 4), (5, 4), (1, 0), (-1, 4), (True, 2), ("1", 2)])
def test_a_shard_that_is_none_is_refused(number: int, of: int) -> None:
    with pytest.raises(UsageError, match="shards are numbered from 1"):
        Shard(number, of)


@pytest.mark.parametrize("text", ["", "2", "2/", "/4", "2/4/6", "a/b", "-1/4", "1 / 4"])
def test_a_shard_is_written_as_two_numbers(text: str) -> None:
    with pytest.raises(UsageError, match=r"write I/N, such as 2/4"):
        Shard.parsed(text)


def test_a_shard_is_told_by_its_rows() -> None:
    assert str(Part(Shard.parsed("2/4"), 1_000, "")) == "shard 2 of 4: rows 250 to 499"
    assert str(Part(Shard(1, 4), 2, "")) == "shard 1 of 4: no rows"


def test_a_run_of_a_shard_speaks_of_its_rows_only(place: Place) -> None:
    result = _run(place, 2, 3)
    directory = _directory(place, 2, 3)
    assert _rows(directory) == [3, 4, 5]
    assert (result.summary.pending, result.left) == (0, 0)
    lines = list(result.summary.lines())
    assert "  part      shard 2 of 3: rows 3 to 5" in lines
    assert "  rows      3: 3 results, 0 errors, 0 pending" in lines
    assert result.exit_code(place.job().output) == 0
    told = json.loads(directory.description.read_text())
    assert (told["state"], told["pending"], told["shard"]["number"]) == ("finished", 0, 2)
    status = status_of(directory)
    assert (status.total, status.pending, status.state) == (3, 0, "finished")
    assert "  shard 2 of 3: rows 3 to 5" in list(status.lines())
    assert verify(directory).sound
    facts = Reporter(directory).content().facts
    assert (facts.total, facts.shard) == (3, (2, 3, 3, 6, 10))
    page = directory.report.read_text("utf-8")
    assert "Shard 2 of 3: rows 3 to 5 of the 10 of the input" in page
    state = Look(directory)()
    assert state is not None
    assert state.total == 3
    exported = export_run(directory, place.folder / "out", "jsonl")
    assert (exported.results, exported.pending) == (3, 0)


def test_a_shard_without_rows_is_done_at_once(place: Place) -> None:
    place.write([{"id": "a", "prompt": "Hi"}])
    result = _run(place, 1, 3)
    assert result.exit_code(place.job().output) == 0
    assert _rows(_directory(place, 1, 3)) == []
    page = _directory(place, 1, 3).report.read_text("utf-8")
    assert "Shard 1 of 3: none of the 1 row of the input" in page
    assert verify(_directory(place, 1, 3)).sound


def test_rows_before_a_shard_are_neither_parsed_nor_rendered(place: Place) -> None:
    """Of an input that would stop at them, whatever they hold."""
    lines: list[dict[str, object]] = [{"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(5)]
    place.write(["x" * 100_000, *lines])
    _run(place, 2, 2)
    with CheckpointReader.read(_directory(place, 2, 2).checkpoint) as checkpoint:
        assert list(checkpoint.done()) == [3, 4, 5]
        mark = checkpoint.mark_before(3)
        assert mark is not None
        assert (mark.row, mark.line, mark.offset) == (3, 4, 100_001 + 2 * 35)


def test_a_shard_of_parquet_begins_within_a_row_group(place: Place) -> None:
    table = pa.table(
        {"id": [f"r{n}" for n in range(10)], "prompt": [f"Say {n}." for n in range(10)]}
    )
    pq.write_table(table, place.folder / "prompts.parquet", row_group_size=4)
    job = place.job(input=[str(place.folder / "prompts.parquet")])
    for number, rows in ((1, [0, 1, 2]), (2, [3, 4, 5]), (3, [6, 7, 8, 9])):
        _run(place, number, 3, job)
        assert _rows(_directory(place, number, 3)) == rows


def test_a_shard_goes_on_where_it_stopped_and_a_finished_one_calls_nothing(place: Place) -> None:
    result = _run(place, 2, 2, place.job(ceilings={"max_rows": 2}, limits={"concurrency": 1}))
    assert (result.summary.pending, result.exit_code(place.job().output)) == (3, 75)
    assert status_of(_directory(place, 2, 2)).pending == 3
    for attempts in (3, 0):
        result = _run(place, 2, 2)
        assert (result.summary.tally.attempts, result.summary.pending) == (attempts, 0)


def test_limit_and_sample_are_of_the_shard(place: Place) -> None:
    result = _run(place, 2, 2, limit=2)
    assert _rows(_directory(place, 2, 2)) == [5, 6]
    assert "the first 2 of 5 rows of shard 2 of 2" in result.summary.ended
    drawn = _run(place, 2, 2, sample=1)
    assert "1 of 5 rows of shard 2 of 2, drawn with the seed 0" in drawn.summary.ended
    assert {5, 6} <= set(_rows(_directory(place, 2, 2))) < {5, 6, 7, 8, 9}
    assert "Done." in _run(place, 2, 2).summary.ended
    assert _rows(_directory(place, 2, 2)) == [5, 6, 7, 8, 9]


def test_samples_and_bad_rows_of_a_shard_are_counted_as_such(place: Place) -> None:
    place.write(["{bad", "{worse", {"id": "a", "prompt": "Hi"}, {"id": "a", "prompt": "Ho"}])
    result = _run(place, 2, 2, place.job(sampling={"samples": 2}))
    counts = result.summary.counts
    assert (counts.results, counts.errors) == (2, {ErrorClass.DUPLICATE_ID: 2})
    assert result.summary.pending == 0


def test_errors_of_a_shard_are_retried_in_it(place: Place) -> None:
    _run(place, 2, 2, simulator=SimulatorConfig(latency_s=0, faults={"1301": 1.0}))
    job = place.job(output={"directory": str(_directory(place, 2, 2).path)})
    result = place.run(job, only=ErrorChoice())
    assert (result.summary.counts.results, result.summary.pending) == (5, 0)
    assert result.summary.part == "shard 2 of 2: rows 5 to 9"


@pytest.mark.parametrize("shard", [None, Shard(1, 2), Shard(2, 3)])
def test_the_directory_of_a_shard_takes_no_other_rows(place: Place, shard: Shard | None) -> None:
    _run(place, 2, 2)
    job = place.job(output={"directory": str(_directory(place, 2, 2).path)})
    with pytest.raises(ConfigurationError, match=r"is about shard 2 of 2.*give --shard 2/2"):
        replace(place.session(job), portion=Portion(shard=shard)).run()
    assert status_of(_directory(place, 2, 2)).counts.attempts == 5


def test_the_directory_of_a_whole_run_takes_no_shard(place: Place) -> None:
    place.run()
    job = place.job(output={"directory": str(place.directory.path)})
    with pytest.raises(ConfigurationError, match=r"is about the whole input.*leave --shard out"):
        _run(place, 1, 2, job)


def test_after_the_input_grew_a_shard_would_be_another(place: Place) -> None:
    _run(place, 2, 2)
    with place.input.open("a") as file:
        file.write('{"id": "new", "prompt": "New."}\n')
    with pytest.raises(ConfigurationError, match=r"10 rows, which has 11 now.*batcher merge"):
        _run(place, 2, 2)


def test_an_edited_row_of_a_shard_is_called_again_alone(place: Place) -> None:
    """And one of another shard changes nothing."""
    _run(place, 2, 2)
    rows = [{"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(10)]
    rows[1]["prompt"] = "Other."
    place.write(rows)
    assert _run(place, 2, 2).summary.tally.attempts == 0
    rows[7]["prompt"] = "Changed."
    place.write(rows)
    assert _run(place, 2, 2).summary.tally.attempts == 1
    assert _rows(_directory(place, 2, 2)) == [5, 6, 7, 8, 9]
    assert verify(_directory(place, 2, 2)).sound


def test_the_rows_of_a_shard_are_known_though_its_description_is_lost(place: Place) -> None:
    _run(place, 1, 2)
    _directory(place, 1, 2).description.unlink()
    assert status_of(_directory(place, 1, 2)).total == 5
    assert _run(place, 1, 2).summary.pending == 0
