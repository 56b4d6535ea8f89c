"""Some outcomes out of many, for people to look at."""

from __future__ import annotations

import signal
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint, Excerpt, first_errors
from batcher.errors import ErrorClass, Interruption, Problem, StorageError
from batcher.records import Attempt, Completion, Failure, Outcome, Source, Success, Usage
from batcher.runs.stopping import go_on

SOURCE = Source("prompts.jsonl", 1)


def _success(row: int, latency: float = 1.0, tokens: int | None = 10) -> Success:
    completion = Completion("hi", None, None, "stop", "m", Usage(5, tokens))
    attempt = Attempt(1, "r", 0.0, latency)
    return Success(row, f"id-{row}", f"key-{row}", completion, (attempt,), 1.0, SOURCE)


def _failure(row: int, error_class: ErrorClass) -> Failure:
    return Failure(row, f"id-{row}", f"key-{row}", Problem(error_class, "no"), (), 1.0, SOURCE)


def _recorded(tmp_path: Path, outcomes: list[Outcome]) -> Path:
    path = tmp_path / "checkpoint.db"
    tmp_path.mkdir(exist_ok=True)
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write(outcomes)
    return path


def test_the_slowest_and_the_longest_results_come_first(tmp_path: Path) -> None:
    """Errors and results of unknown length are none of them."""
    path = _recorded(
        tmp_path,
        [
            *(_success(row, latency=float(row % 7), tokens=row % 5) for row in range(1, 20)),
            _success(20, latency=99.0, tokens=None),
            replace(_success(21, tokens=88), attempts=()),
            _failure(22, ErrorClass.SERVER_ERROR),
        ],
    )
    found = Excerpt.of(path, each=3, sample=0, check=go_on)
    assert [one.latency_s for one in found.slowest] == [99.0, 6.0, 6.0]
    assert [one.completion_tokens for one in found.longest] == [88, 4, 4]
    assert found.sample == []


def test_the_first_row_of_each_class_is_found_where_others_have_answers(tmp_path: Path) -> None:
    classes = [ErrorClass.SERVER_ERROR, ErrorClass.CONTENT_FILTERED]
    path = _recorded(
        tmp_path, [_success(0), *(_failure(row, classes[row % 2]) for row in range(3, 9))]
    )
    assert {name: one.row for name, one in first_errors(path).items()} == {
        ErrorClass.SERVER_ERROR: 4,
        ErrorClass.CONTENT_FILTERED: 3,
    }
    assert first_errors(_recorded(tmp_path / "other", [_success(0)])) == {}


def test_each_class_of_error_has_its_first_rows(tmp_path: Path) -> None:
    classes = [ErrorClass.SERVER_ERROR, ErrorClass.CONTENT_FILTERED]
    path = _recorded(tmp_path, [_failure(row, classes[row % 2]) for row in range(9)])
    found = Excerpt.of(path, each=2, sample=0, check=go_on)
    assert {name: [one.row for one in rows] for name, rows in found.failed.items()} == {
        ErrorClass.SERVER_ERROR: [0, 2],
        ErrorClass.CONTENT_FILTERED: [1, 3],
    }


@pytest.mark.parametrize(("rows", "most", "expected"), [(7, 100, 7), (1000, 100, 100), (0, 100, 0)])
def test_the_sample_comes_from_all_over_the_run_and_has_no_row_twice(
    tmp_path: Path, rows: int, most: int, expected: int
) -> None:
    path = _recorded(tmp_path, [_success(row) for row in range(rows)])
    found = [one.row for one in Excerpt.of(path, each=1, sample=most, check=go_on).sample]
    assert len(found) == expected
    assert found == sorted(set(found))
    if rows > most:
        assert found[0] == 0
        assert found[-1] > rows * 0.9


def test_whoever_waits_can_end_it(tmp_path: Path) -> None:
    path = _recorded(tmp_path, [_success(0)])

    def stop() -> None:
        raise Interruption(signal.SIGINT)

    with pytest.raises(Interruption):
        Excerpt.of(path, each=1, sample=1, check=stop)


def test_a_damaged_outcome_is_named(tmp_path: Path) -> None:
    path = _recorded(tmp_path, [_success(0)])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE outcomes SET response = 'other'")
    with pytest.raises(StorageError, match="the outcome of row 0 is not what was written"):
        Excerpt.of(path, each=1, sample=1, check=go_on)
