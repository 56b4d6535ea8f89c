"""A merge made anew, once its parts went on and rows were called in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint, CheckpointReader, Claims, Settlement, called_itself
from batcher.checkpoint.merging import Merging, OfRun
from batcher.errors import StorageError
from batcher.history import Beat, Ended
from batcher.recorded import Counts, Recorded
from batcher.records import (
    Attempt,
    Failure,
    InvalidAnswer,
    Kept,
    Request,
    Source,
    Success,
    Unanswered,
)
from batcher.render import request_key

MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]
MakeInvalid = Callable[..., InvalidAnswer]

SUMS = ("attempts", "ambiguous_attempts", "possible_cost", "repairs", "prompt_tokens", "cost")


def _begin(path: Path, *kept: Kept, unanswered: Sequence[Unanswered] = ()) -> Path:
    """Let another process record something."""
    with Checkpoint.open(path) as checkpoint:
        checkpoint.begin_process(100)
        checkpoint.write(kept, (), unanswered, [Beat(101, 1, {}, 1, 8, 0.0)])
        checkpoint.end_process(Ended.DONE)
    return path


def _merge(path: Path, *parts: Path) -> None:
    sources = [OfRun(part.stem, part) for part in (*parts, *([path] if path.exists() else []))]
    with Merging.begun(path) as merging:
        merging.add(sources)
        Claims(merging).settle()
        Settlement(merging, "CNY").settle()


def _counts(path: Path) -> Counts:
    with CheckpointReader.read(path) as checkpoint:
        return checkpoint.counts()


def _rows(path: Path) -> list[Recorded]:
    with CheckpointReader.read(path) as checkpoint:
        return list(checkpoint.outcomes())


def _sums(*paths: Path) -> list[int]:
    return [sum(getattr(_counts(path), name) for path in paths) for name in SUMS]


def _query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_the_same_parts_again_make_the_same(
    tmp_path: Path, path: Path, success: MakeSuccess, failure: MakeFailure, invalid: MakeInvalid
) -> None:
    part = _begin(
        tmp_path / "1.db",
        success(0),
        failure(1, key="k1"),
        failure(2),
        invalid("k4"),
        success(5, row_id="id-0", key="k5"),
        unanswered=[Unanswered("k3", 5)],
    )
    _merge(path, part)
    before = _rows(path), _counts(path), _query(path, "SELECT * FROM histograms")
    for _ in range(2):
        _merge(path, part)
        after = _rows(path), _counts(path), _query(path, "SELECT * FROM histograms")
        assert after == before
        assert _query(path, "SELECT number FROM processes") == [(1,)]
        assert _query(path, "SELECT key FROM shelved") == [("k5",)]


def test_what_was_called_in_a_merge_stays_and_all_that_was_spent_is_counted_once(
    tmp_path: Path, path: Path, success: MakeSuccess, failure: MakeFailure, invalid: MakeInvalid
) -> None:
    """Rows that were pending, errors called again, and rows with answers of no use or with none."""
    problem = Attempt(1, "r1", 1.0, 0.5, failure(1).problem)
    part = _begin(
        tmp_path / "1.db",
        success(0),
        replace(failure(1, key="k1", attempts=(problem,)), cost=7),
        failure(6),
        invalid("k2", cost=3),
        invalid("k5", cost=2),
        unanswered=[Unanswered("k3", 5), Unanswered("k4", 1)],
    )
    _merge(path, part)
    spent = _sums(path)
    answered = replace(success(2, key="k2"), answered_before=1, repairs=1, cost=13, currency="CNY")
    sent = replace(success(3, key="k3"), unanswered_before=1, possible_cost=5)
    _begin(
        path,
        *(replace(success(1, key="k1"), finished_at=9.0), answered, sent, success(7)),
        invalid("k5", repairs=1, cost=6),
        invalid("k8"),
        unanswered=[Unanswered("k4", 2), Unanswered("k9", 4)],
    )
    own = _sums(path)
    _merge(path, part)
    assert _sums(path) == own != spent
    assert [(row.row, row.error_class) for row in _rows(path)] == [
        *((0, None), (1, None), (2, None), (3, None)),
        *((6, "server_error"), (7, None)),
    ]
    assert _query(path, "SELECT number FROM processes") == [(1,), (2,)]
    assert _query(path, "SELECT DISTINCT process FROM history ORDER BY 1") == [(1,), (2,)]
    assert _query(path, "SELECT count(*) FROM failed_attempts") == [(1,)]
    _merge(path, part)
    assert _sums(path) == own


def test_what_a_part_did_since_comes_to_what_the_merge_did(
    tmp_path: Path, path: Path, success: MakeSuccess, failure: MakeFailure
) -> None:
    """Both called the same error again: paid three times, and the part's answer counts."""
    part = _begin(tmp_path / "1.db", failure(1, key="k1", attempts=(Attempt(1, "r", 1.0, 0.5),)))
    _merge(path, part)
    _begin(path, replace(success(1, key="k1", text="mine"), finished_at=9.0))
    _begin(part, replace(success(1, key="k1", text="theirs"), finished_at=8.0))
    _begin(part, success(2))
    _merge(path, part)
    assert [(row.row, row.response, row.attempts) for row in _rows(path)] == [
        (1, "theirs", 3),
        (2, "fine", 1),
    ]


def test_what_a_part_has_lost_since_stays_in_the_merge(
    tmp_path: Path, path: Path, success: MakeSuccess, failure: MakeFailure
) -> None:
    part = _begin(tmp_path / "1.db", success(0), success(1), failure(2))
    _merge(path, part)
    with closing(sqlite3.connect(part)) as connection, connection:
        connection.execute("PRAGMA recursive_triggers = ON")
        connection.execute("DELETE FROM outcomes WHERE row > 0")
    _merge(path, part)
    assert [row.row for row in _rows(path)] == [0, 1, 2]


def test_what_the_merge_set_aside_itself_stays_aside(
    tmp_path: Path, path: Path, success: MakeSuccess
) -> None:
    """And a paid outcome of another key than that of the part."""
    part = _begin(tmp_path / "1.db", success(0))
    _merge(path, part)
    _begin(path, success(5, key="k5"), success(6, key="k6"))
    _begin(part, success(5, key="other"))
    with closing(sqlite3.connect(path)) as connection, connection:
        columns = "key, row, id, " + ", ".join(
            name for name in (*Recorded._fields, "checksum") if name not in ("key", "row", "id")
        )
        copied = f"INSERT INTO shelved ({columns}) SELECT {columns} FROM outcomes"  # noqa: S608 -- names
        connection.execute(f"{copied} WHERE row = 6")
        connection.execute("DELETE FROM outcomes WHERE row = 6")
    _merge(path, part)
    assert [(row.row, row.key) for row in _rows(path)] == [(0, "key-id-0"), (5, "other")]
    assert _query(path, "SELECT key FROM shelved ORDER BY key") == [("k5",), ("k6",)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE outcomes SET message = 'other' WHERE row = 7",
        "UPDATE invalid_answers SET message = 'other'",
    ],
)
def test_a_damaged_merge_is_not_taken_into_a_new_one(
    tmp_path: Path,
    path: Path,
    success: MakeSuccess,
    failure: MakeFailure,
    invalid: MakeInvalid,
    change: str,
) -> None:
    part = _begin(tmp_path / "1.db", failure(1, key="k1"))
    _merge(path, part)
    _begin(path, replace(success(1, key="k1"), finished_at=9.0), success(7), invalid("k8"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(change)
    before = _rows(path) if "outcomes" not in change else None
    with pytest.raises(StorageError, match="is damaged"):
        _merge(path, part)
    assert before is None or _rows(path) == before


def test_rows_that_got_another_number_in_all_count_once(
    tmp_path: Path, path: Path, success: MakeSuccess, failure: MakeFailure
) -> None:
    """They have other keys then; one may have that which another one had."""
    body = {"model": "m"}

    def asked(row: int, line: int) -> Request:
        key = request_key(str(row), body)
        return Request(row, str(row), key, body, Source("prompts.jsonl", line))

    def renumber(checkpoint_path: Path) -> None:
        with Checkpoint.open(checkpoint_path) as checkpoint, checkpoint.placement(1) as placement:
            for row, line in ((1, 1), (2, 2)):
                placement.place(asked(row, line))
            placement.renumber()
            placement.apply()

    def failed(row: int) -> Failure:
        request = asked(row, row + 1)
        attempt = Attempt(1, f"r{row}", 1.0, 0.5)
        return failure(row, row_id=request.id, key=request.key, attempts=(attempt,))

    part = _begin(tmp_path / "1.db", failed(0), failed(1))
    _merge(path, part)
    again = success(0, row_id="0", key=asked(0, 1).key)
    _begin(path, replace(again, finished_at=9.0))
    for each in (part, path):
        renumber(each)
    _merge(path, part)
    assert [(row.row, row.id, row.attempts) for row in _rows(path)] == [(1, "1", 2), (2, "2", 1)]


def test_a_copy_of_a_run_that_went_on_for_itself_was_paid_for_itself(
    tmp_path: Path, path: Path, success: MakeSuccess
) -> None:
    """Such as one on a disk that was restored: a result of another call is no later state."""
    part = _begin(tmp_path / "1.db", success(0))
    _merge(path, part)
    part.unlink()
    _begin(part, replace(success(0), finished_at=9.0))
    for _ in range(2):
        _merge(path, part)
        assert [(row.attempts, row.finished_at) for row in _rows(path)] == [(2, 9_000_000)]


def test_what_was_spent_on_a_row_that_has_no_price_has_a_currency(
    tmp_path: Path, path: Path, success: MakeSuccess, failure: MakeFailure
) -> None:
    priced = replace(failure(0, key="key-id-0"), cost=7, currency="CNY")
    parts = [_begin(tmp_path / "1.db", success(0)), _begin(tmp_path / "2.db", priced)]
    _merge(path, *parts)
    assert [(row.response, row.cost, row.currency) for row in _rows(path)] == [("fine", 7, "CNY")]


def test_a_process_that_went_on_since_is_known_as_it_is_now(
    tmp_path: Path, path: Path, success: MakeSuccess
) -> None:
    """Whichever is named first."""
    part, other = tmp_path / "1.db", tmp_path / "other.db"
    with Checkpoint.open(part) as checkpoint:
        checkpoint.begin_process(100)
        checkpoint.write([success(0)], beats=[Beat(101, 1, {}, 1, 8, 0.0)])
        _merge(path, part)
        checkpoint.write([success(1)], beats=[Beat(102, 1, {}, 1, 8, 0.0)])
        checkpoint.end_process(Ended.DONE)
    _merge(other, path, part)
    _merge(path, part)
    for each in (path, other):
        with CheckpointReader.read(each) as merged:
            history = merged.history()
        assert [(one.number, one.seen_at, one.ended) for one in history.processes] == [
            (1, 102, Ended.DONE)
        ]
        assert sum(moment.attempts for moment in history.moments) == 2


def test_it_is_known_whether_a_merge_called_itself(
    tmp_path: Path, path: Path, success: MakeSuccess
) -> None:
    part = _begin(tmp_path / "1.db", success(0))
    _merge(path, part)
    assert not called_itself(path, path.stem)
    _begin(path, success(1))
    assert called_itself(path, path.stem)
    _merge(path, part)
    assert called_itself(path, path.stem)


def test_each_call_of_a_run_whose_directory_was_copied_counts_once_however_often_it_is_merged(
    tmp_path: Path, success: MakeSuccess
) -> None:
    """Each of them calls a row that another one has called before, between merges."""
    runs = [tmp_path / name / "run.db" for name in ("kept", "copied", "copied again")]
    for path in runs:
        path.parent.mkdir()
        _begin(path)
    merge = tmp_path / "merge.db"
    for number, path in enumerate((runs[2], runs[0], runs[1]), 1):
        _begin(path, replace(success(0), finished_at=float(number), cost=5))
        for _ in range(2):
            _merge(merge, *runs)
            counts = _counts(merge)
            assert (counts.attempts, counts.cost) == (number, 5 * number)
