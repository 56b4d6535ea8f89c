"""Checkpoints, made into one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint, CheckpointReader, checkpoint_problems
from batcher.checkpoint.merging import Merging, OfRun
from batcher.checkpoint.schema import COLUMNS
from batcher.checkpoint.settlement import Settlement
from batcher.errors import OutputError, StorageError
from batcher.history import Beat, Ended
from batcher.records import Attempt, Failure, InvalidAnswer, Kept, Mark, Success, Unanswered

MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]
MakeInvalid = Callable[..., InvalidAnswer]


def _made(path: Path, *kept: Kept, unanswered: Sequence[Unanswered] = ()) -> Path:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.begin_process(100)
        checkpoint.write(kept, [Mark(0, 0, 1, 0)], unanswered, [Beat(101, 2, {}, 1, 8, 0.0)])
        checkpoint.end_process(Ended.DONE)
    return path


def _merged(path: Path, *sources: Path) -> Path:
    with Merging.begun(path) as merging:
        merging.add([OfRun(source.stem, source) for source in sources])
        merging.settle_aside()
        Settlement(merging).settle()
    return path


def _problems(path: Path) -> list[str]:
    """Return what is wrong, but for keys that a test made up."""
    return [problem for problem in checkpoint_problems(path) if "is no key" not in problem]


def _query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_a_merge_holds_what_is_in_any_of_its_parts_and_all_their_sums(
    tmp_path: Path,
    path: Path,
    success: MakeSuccess,
    failure: MakeFailure,
    invalid: MakeInvalid,
) -> None:
    one = _made(
        tmp_path / "1.db",
        success(0),
        failure(1, key="k1", attempts=(Attempt(1, "r", 1.0, 0.5, failure(1).problem),)),
        invalid("k9", cost=3),
        unanswered=[Unanswered("k8", 5), Unanswered("k7", 1)],
    )
    other = _made(
        tmp_path / "2.db",
        success(1, key="k1"),
        success(2),
        invalid("k9", "again", cost=4),
        unanswered=[Unanswered("k8", 6)],
    )
    _merged(path, one, other)
    assert _problems(path) == []
    with CheckpointReader.read(path) as checkpoint:
        assert [(row.row, row.error_class) for row in checkpoint.outcomes()] == [
            (0, None),
            (1, None),
            (2, None),
        ]
        parts = []
        for part in (one, other):
            with CheckpointReader.read(part) as reader:
                parts.append(reader.counts())
        counts = checkpoint.counts()
        for name in ("attempts", "ambiguous_attempts", "prompt_tokens", "cost", "possible_cost"):
            assert getattr(counts, name) == sum(getattr(part, name) for part in parts), name
        assert checkpoint.unanswered() == ({"k8": 2, "k7": 1}, {"k8": 11, "k7": 1})
        assert checkpoint.invalid_answers()["k9"].cost == 7
        history = checkpoint.history()
        assert [process.number for process in history.processes] == [1, 2]
        assert {moment.process for moment in history.moments} == {1, 2}
        assert checkpoint.mark_before(3) == Mark(0, 0, 1, 0)
    latencies = "SELECT sum(figures) FROM histograms WHERE kind = 'latency_s'"
    assert _query(path, latencies) == [(3,)]
    assert _query(path, "SELECT key, request_id FROM failed_attempts") == [("k1", "r")]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir() if "merging" in file.name] == []


def test_a_merge_is_a_checkpoint_to_go_on_with(
    tmp_path: Path, path: Path, success: MakeSuccess, failure: MakeFailure
) -> None:
    _merged(path, _made(tmp_path / "1.db", success(0), failure(1, key="k1")))
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([success(1, key="k1"), success(2)])
        assert checkpoint.counts().results == len(checkpoint.done()) == 3
    assert _problems(path) == []


def test_answers_that_are_set_aside_stay_so_but_for_those_of_a_row(
    tmp_path: Path, path: Path, success: MakeSuccess
) -> None:
    """Of what is set aside in both, the first stays; what a row has too adds its sums to that."""
    parts = [_made(tmp_path / "1.db"), _made(tmp_path / "2.db"), _made(tmp_path / "3.db")]
    for part, keys in zip(parts, (("a", "b"), ("a", "c"), ()), strict=True):
        with Checkpoint.open(part) as checkpoint:
            checkpoint.write([success(n, key=key) for n, key in enumerate(keys)])
        with closing(sqlite3.connect(part)) as connection, connection:
            connection.execute("PRAGMA recursive_triggers = ON")
            connection.execute("INSERT INTO shelved SELECT key, row, id, " + _rest())
            connection.execute("DELETE FROM outcomes")
    with Checkpoint.open(parts[2]) as checkpoint:
        checkpoint.write([replace(success(1, key="c"), finished_at=9.0)])
    _merged(path, *parts)
    assert _query(path, "SELECT key FROM shelved ORDER BY key") == [("a",), ("b",)]
    assert _query(path, "SELECT key, row, attempts FROM outcomes") == [("c", 1, 2)]
    assert _problems(path) == []


def _rest() -> str:
    names = [name for name in COLUMNS.split(", ") if name not in ("key", "row", "id")]
    return f"{', '.join(names)} FROM outcomes"


def test_a_paid_outcome_of_another_key_is_set_aside(
    tmp_path: Path, path: Path, success: MakeSuccess
) -> None:
    parts = [_made(tmp_path / f"{key}.db", success(0, key=key)) for key in ("a", "b")]
    _merged(path, *parts)
    assert _query(path, "SELECT key FROM outcomes UNION ALL SELECT key FROM shelved") == [
        ("a",),
        ("b",),
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE outcomes SET response = 'other'", "the outcome of row 0 is not what was written"),
        ("UPDATE totals SET rows = 7", "it counts 7 rows and holds 1"),
        ("UPDATE marks SET line = 9", "the place of row 0 is not what was written"),
        ("UPDATE invalid_answers SET message = 'x'", "an answer for the key k9 is not what was"),
        ("INSERT INTO shelved SELECT key, row, id, {rest}", "the outcome of row 1 is not what was"),
        ("DROP TABLE histograms", "failed"),
    ],
)
def test_a_damaged_part_is_named_and_nothing_is_left(
    tmp_path: Path,
    path: Path,
    success: MakeSuccess,
    invalid: MakeInvalid,
    change: str,
    said: str,
) -> None:
    good = _made(tmp_path / "1.db", success(5))
    bad = _made(tmp_path / "2.db", success(0), invalid("k9"))
    with closing(sqlite3.connect(bad)) as connection, connection:
        connection.execute(change.format(rest=_rest()))
        connection.execute("UPDATE shelved SET row = 1, response = 'other'")
    with pytest.raises(StorageError, match=r"2\.db") as raised:
        _merged(path, good, bad)
    assert said in str(raised.value)
    assert sorted(file.name for file in tmp_path.iterdir() if file.suffix != ".db") == []
    assert not path.exists()


def test_a_merge_takes_the_place_of_one_before_whose_log_is_forgotten(
    tmp_path: Path, path: Path, success: MakeSuccess
) -> None:
    """A process that was killed leaves a log, which is none of the new file."""
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([success(3)])
        kept = {
            suffix: (tmp_path / f"checkpoint.db{suffix}").read_bytes()
            for suffix in ("-wal", "-shm")
        }
        before = path.read_bytes()
    path.write_bytes(before)
    for suffix, content in kept.items():
        (tmp_path / f"checkpoint.db{suffix}").write_bytes(content)
    _merged(path, _made(tmp_path / "1.db", success(0)))
    assert _query(path, "SELECT row FROM outcomes") == [(0,)]


def test_a_checkpoint_that_is_being_read_is_not_replaced(path: Path, success: MakeSuccess) -> None:
    _made(path, success(0))
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM outcomes").fetchall()
        with Checkpoint.open(path) as checkpoint:
            checkpoint.write([success(1)])
        with (
            pytest.raises(StorageError, match="is being read; close what reads it"),
            Merging.begun(path, patience_s=0),
        ):
            pass
    with CheckpointReader.read(path) as found:
        assert len(found.done()) == 2


def test_a_merge_that_fails_leaves_what_there_was(
    tmp_path: Path, path: Path, success: MakeSuccess
) -> None:
    _made(path, success(0))
    (tmp_path / "checkpoint.db.merging").write_text("left by a kill")
    part = _made(tmp_path / "1.db", success(1))
    with pytest.raises(KeyError), Merging.begun(path) as merging:
        _fail(merging, part)
    with CheckpointReader.read(path) as checkpoint:
        assert list(checkpoint.done()) == [0]
    assert not (tmp_path / "checkpoint.db.merging").exists()


def _fail(merging: Merging, part: Path) -> None:
    merging.add([OfRun("1", part)])
    raise KeyError


def test_where_no_file_can_be_made_or_named_that_is_said(
    tmp_path: Path, path: Path, success: MakeSuccess
) -> None:
    with pytest.raises(OutputError, match="cannot create"), Merging.begun(tmp_path / "no" / "db"):
        pass
    part = _made(tmp_path / "1.db", success(1))
    (tmp_path / "checkpoint.db-wal").mkdir()
    with pytest.raises(StorageError, match=f"cannot write {path}"), Merging.begun(path) as merging:
        merging.add([OfRun("1", part)])


def test_what_an_error_took_stays_in_the_sums_where_one_without_a_call_is_kept(
    tmp_path: Path, path: Path, failure: MakeFailure
) -> None:
    called = Attempt(1, "r", 1.0, 0.5, failure(1).problem)
    uncalled = _made(tmp_path / "1.db", failure(1, key="k1"))
    one = failure(1, key="k1", attempts=(called,))
    other = _made(tmp_path / "2.db", replace(one, finished_at=3.0))
    _merged(path, uncalled, other)
    again = _merged(tmp_path / "again.db", uncalled, path)
    for merged in (path, again):
        assert _query(merged, "SELECT finished_at, attempts FROM outcomes") == [(2_000_000, 1)]


def test_many_rows_that_two_have_are_compared_some_at_a_time(
    tmp_path: Path, path: Path, success: MakeSuccess, failure: MakeFailure
) -> None:
    count = 2_100
    one = _made(tmp_path / "1.db", *(failure(n, key=f"key-id-{n}") for n in range(count)))
    _merged(path, one, _made(tmp_path / "2.db", *(success(n) for n in range(count))))
    with CheckpointReader.read(path) as checkpoint:
        assert (checkpoint.counts().results, checkpoint.counts().error_rows) == (count, 0)


def test_what_is_merged_is_read_and_facts_are_remembered_before_it_has_its_name(
    tmp_path: Path, path: Path, success: MakeSuccess
) -> None:
    part = _made(tmp_path / "1.db", success(0), success(1))
    with Merging.begun(path) as merging:
        merging.add([OfRun("1", part)])
        merging.remember(shard=None, settings={"model": "glm"})
        assert list(merging.reader().done()) == [0, 1]
        assert not path.exists()
    with CheckpointReader.read(path) as checkpoint:
        assert checkpoint.fact("settings") == {"model": "glm"}
