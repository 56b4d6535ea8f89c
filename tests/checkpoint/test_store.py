"""The checkpoint: what is committed stays, what is read is true."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.checkpoint import Checkpoint, CheckpointReader, schema, store
from batcher.checkpoint.encoding import encoded
from batcher.errors import ErrorClass, OutputError, Problem, StorageError
from batcher.recorded import Counts, Recorded, record
from batcher.records import Attempt, Failure, Mark, Outcome, Request, Success, Usage

MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]
MakeRequest = Callable[..., Request]


def _query(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Ask the file itself, beside the code under test."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(sql).fetchall()


# Opening


@pytest.mark.parametrize(
    ("shared", "journal", "synchronous"), [(False, "wal", 1), (True, "truncate", 2)]
)
def test_only_where_no_other_machine_reaches_it_a_write_ahead_log_is_kept(
    path: Path, success: MakeSuccess, *, shared: bool, journal: str, synchronous: int
) -> None:
    """With the log, NORMAL (1) leaves the syncing of commits to us; else FULL (2) does it."""
    with Checkpoint.open(path, shared=shared) as checkpoint:
        assert checkpoint.shared is shared
        assert checkpoint._writer.execute("PRAGMA journal_mode").fetchone() == (journal,)
        assert checkpoint._writer.execute("PRAGMA synchronous").fetchone() == (synchronous,)
        checkpoint.write([success(0)])
        checkpoint.sync()
        assert checkpoint.counts().results == 1


def test_a_checkpoint_that_moved_to_a_shared_disk_goes_on_there(
    path: Path, success: MakeSuccess
) -> None:
    for row, shared in enumerate((False, True, False)):
        with Checkpoint.open(path, shared=shared) as checkpoint:
            checkpoint.write([success(row)])
            assert checkpoint.counts().results == row + 1


def test_its_files_can_be_read_by_their_owner_only(path: Path, success: MakeSuccess) -> None:
    before = os.umask(0)
    try:
        with Checkpoint.open(path) as checkpoint:
            checkpoint.write([success(0)])
            modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(
        ("checkpoint.db", "checkpoint.db-wal", "checkpoint.db-shm"), 0o600
    )


def test_a_symbolic_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(OutputError, match=r"cannot create .*checkpoint\.db: .*symbolic links"):
        Checkpoint.open(path).__enter__()
    assert not (tmp_path / "elsewhere.db").exists()


def test_a_directory_that_is_not_there_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file"):
        Checkpoint.open(tmp_path / "gone" / "checkpoint.db").__enter__()


def test_reading_where_there_is_none_is_an_error_and_creates_nothing(path: Path) -> None:
    with pytest.raises(StorageError, match=r"no checkpoint at .*directory of a run"):
        Checkpoint.read(path).__enter__()
    assert not path.exists()


@pytest.mark.parametrize("door", [Checkpoint.open, Checkpoint.read])
def test_the_database_of_another_program_is_refused_and_left_as_it_is(
    path: Path, door: Callable[[Path], contextlib.AbstractContextManager[CheckpointReader]]
) -> None:
    _query(path, "CREATE TABLE theirs (n)")
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"is no checkpoint of batcher.* -o"):
        door(path).__enter__()
    assert path.read_bytes() == before


@pytest.mark.parametrize("door", [Checkpoint.open, Checkpoint.read])
def test_another_version_of_the_schema_is_refused_and_both_are_named(
    path: Path, door: Callable[[Path], contextlib.AbstractContextManager[CheckpointReader]]
) -> None:
    with Checkpoint.open(path):
        pass
    _query(path, "PRAGMA user_version = 99")
    with pytest.raises(StorageError, match=r"version 99, this batcher reads 7; go on with"):
        door(path).__enter__()


@pytest.mark.parametrize("door", [Checkpoint.open, Checkpoint.read])
def test_a_file_that_is_no_database_is_called_damaged(
    path: Path, door: Callable[[Path], contextlib.AbstractContextManager[CheckpointReader]]
) -> None:
    path.write_bytes(b"\0garbage" * 1000)
    with pytest.raises(StorageError, match=r"checkpoint\.db is damaged"):
        door(path).__enter__()


@pytest.mark.parametrize("door", [Checkpoint.open, Checkpoint.read])
def test_a_truncated_checkpoint_is_called_damaged(
    path: Path,
    success: MakeSuccess,
    door: Callable[[Path], contextlib.AbstractContextManager[CheckpointReader]],
) -> None:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([success(row, text="x" * 3000) for row in range(50)])
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(StorageError, match=r"checkpoint\.db is damaged"):
        door(path).__enter__()


def test_a_checkpoint_whose_creation_was_cut_short_is_created_again(
    path: Path, success: MakeSuccess
) -> None:
    path.touch()
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([success(0)])
        assert checkpoint.counts().rows == 1


# Committing


def test_what_was_committed_is_there_when_it_is_opened_again(
    path: Path, success: MakeSuccess, failure: MakeFailure
) -> None:
    outcomes: list[Outcome] = [success(1), failure(0, key="k")]
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write(outcomes, [Mark(4, 0, 5, 123)])
    with Checkpoint.open(path) as checkpoint:
        assert list(checkpoint.outcomes()) == [record(outcomes[1]), record(outcomes[0])]
        assert checkpoint.mark_before(4) == Mark(4, 0, 5, 123)


def test_a_commit_outlives_its_killed_process_and_a_transaction_under_way_does_not(
    path: Path,
) -> None:
    script = f"""
import time
from pathlib import Path
from typing import Any
from batcher.checkpoint import Checkpoint
from batcher.records import *
with Checkpoint.open(Path({str(path)!r})) as checkpoint:
    completion = Completion("fine", None, None, "stop", "m", Usage(1, 2))
    def outcome(row):
        return Success(row, str(row), f"key-{{row}}", completion, (), 0.0, Source("f", row + 1))
    checkpoint.write([outcome(row) for row in range(300)])
    def half():
        yield outcome(300)
        print("killed in the middle of a transaction", flush=True)
        time.sleep(600)
    checkpoint._writer.execute("BEGIN IMMEDIATE")
    from batcher.checkpoint.encoding import encoded
    from batcher.checkpoint.store import _INSERT
    checkpoint._writer.executemany(_INSERT, map(encoded, half()))
"""
    python = [sys.executable, "-c", script]
    with subprocess.Popen(python, stdout=subprocess.PIPE) as process:  # noqa: S603 -- our script
        assert process.stdout is not None
        assert process.stdout.readline() == b"killed in the middle of a transaction\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    with Checkpoint.open(path) as checkpoint:
        assert [recorded.row for recorded in checkpoint.outcomes()] == list(range(300))
        assert checkpoint.counts().results == 300
        assert _query(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_commit_that_fails_leaves_nothing_of_its_group_and_what_was_there_before(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    checkpoint.write([success(0)])
    (pages,) = checkpoint._writer.execute("PRAGMA page_count").fetchone()
    # Room for the first rows of the group, not for all.
    checkpoint._writer.execute(f"PRAGMA max_page_count = {pages + 10}")
    with pytest.raises(StorageError, match="full"):
        checkpoint.write([success(row, text="x" * 9000) for row in range(1, 9)])
    assert [recorded.row for recorded in checkpoint.outcomes()] == [0]
    assert checkpoint.counts().rows == 1


def test_a_second_outcome_of_a_row_takes_the_place_of_the_first(
    checkpoint: Checkpoint, success: MakeSuccess, failure: MakeFailure
) -> None:
    checkpoint.write([failure(0, key="k")])
    checkpoint.write([success(0, key="k")])
    assert [recorded.error_class for recorded in checkpoint.outcomes()] == [None]
    assert checkpoint.counts().errors == {}


def test_text_that_is_no_unicode_is_kept_escaped_and_the_rest_as_it_is(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    broken = success(0, text="cut \ud83d here 中文\0")
    checkpoint.write([broken, success(1)])
    first, second = checkpoint.outcomes()
    assert first == record(broken)._replace(response="cut \\ud83d here 中文\0")
    assert second == record(success(1))


def test_every_failed_attempt_is_kept_under_the_key_of_its_row(
    checkpoint: Checkpoint, path: Path, success: MakeSuccess
) -> None:
    throttled = Problem(ErrorClass.THROTTLED, "slow down", "1302", 429)
    attempts = (Attempt(1, "req-1", 1.5, 0.25, throttled), Attempt(2, "req-2", 3.0, 0.5))
    checkpoint.write([success(0, attempts=attempts), success(1)])
    assert _query(path, "SELECT * FROM failed_attempts") == [
        ("key-id-0", 1, "req-1", 1_500_000, 0.25, "throttled", "1302", 429)
    ]


# Reading


def test_done_rows_are_those_with_an_outcome_or_those_that_succeeded(
    checkpoint: Checkpoint, success: MakeSuccess, failure: MakeFailure
) -> None:
    checkpoint.write([success(0), failure(1, key="k"), failure(2), success(9)])
    everything, succeeded = checkpoint.done(), checkpoint.done(errors_too=False)
    assert [row for row in range(12) if row in everything] == [0, 1, 2, 9]
    assert [row for row in range(12) if row in succeeded] == [0, 9]


def test_the_first_row_with_an_id_is_found_and_rows_without_a_request_claim_none(
    checkpoint: Checkpoint, success: MakeSuccess, failure: MakeFailure
) -> None:
    checkpoint.write(
        [failure(0, row_id="a"), success(7, row_id="a"), failure(3, row_id="a", key="k")]
    )
    assert checkpoint.first_with_ids(["a", "b"]) == {"a": (3, "prompts.jsonl:4")}
    assert checkpoint.first_with_ids(["b"]) == checkpoint.first_with_ids([]) == {}


@given(rows=st.sets(st.integers(0, 30)), asked=st.integers(0, 35))
@settings(max_examples=25)
def test_the_mark_before_a_row_is_the_last_one_at_or_before_it(rows: set[int], asked: int) -> None:
    marks = [Mark(row, 0, row + 1, row * 10) for row in rows]
    with (
        tempfile.TemporaryDirectory() as directory,
        Checkpoint.open(Path(directory) / "checkpoint.db") as checkpoint,
    ):
        checkpoint.write([], marks)
        found = checkpoint.mark_before(asked)
    assert found == max((m for m in marks if m.row <= asked), key=lambda m: m.row, default=None)


def test_facts_are_remembered_as_json_values(checkpoint: Checkpoint) -> None:
    checkpoint.remember(settings={"model": "m", "n": [1, None]}, simulated=False)
    checkpoint.remember(simulated=True)
    assert checkpoint.fact("settings") == {"model": "m", "n": [1, None]}
    assert checkpoint.fact("simulated") is True
    assert checkpoint.fact("unheard of") is None


def test_another_process_reads_while_one_writes(path: Path, success: MakeSuccess) -> None:
    script = f"""
from pathlib import Path
from typing import Any
from batcher.checkpoint import Checkpoint
with Checkpoint.read(Path({str(path)!r})) as checkpoint:
    print(checkpoint.counts().results, [recorded.row for recorded in checkpoint.outcomes()])
"""
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([success(0)])
        checkpoint._writer.execute("BEGIN IMMEDIATE")
        checkpoint._writer.execute(store._INSERT, encoded(success(1)))
        python = [sys.executable, "-c", script]
        seen = subprocess.run(python, capture_output=True, text=True, check=True)  # noqa: S603 -- our script
        checkpoint._writer.execute("ROLLBACK")
    assert seen.stdout == "1 [0]\n"


def test_a_reader_cannot_write(checkpoint: Checkpoint, path: Path) -> None:
    with (
        Checkpoint.read(path) as reading,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        reading._reader.execute("DELETE FROM facts")
    assert checkpoint.fact("settings") is None


def test_outcomes_that_come_meanwhile_are_left_out_with_their_rows(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    """An export has read the input up to the row that was the last one when it began."""
    checkpoint.write([success(row) for row in (0, 1, 5)])
    outcomes = checkpoint.outcomes(5)
    checkpoint.write([success(2)])
    assert [recorded.row for recorded in outcomes] == [0, 1, 2]


def test_the_outcomes_are_those_of_one_moment(checkpoint: Checkpoint, success: MakeSuccess) -> None:
    checkpoint.write([success(row) for row in range(3)])
    outcomes = checkpoint.outcomes()
    first = next(outcomes)
    checkpoint.write([success(row) for row in range(2, 6)])
    assert [first.row, *(recorded.row for recorded in outcomes)] == [0, 1, 2]


# Totals


def _recount(outcomes: list[Recorded], shelved: list[Recorded]) -> Counts:
    errors = Counter(ErrorClass(o.error_class) for o in outcomes if o.error_class)
    summed: dict[str, Any] = {
        name: sum(getattr(outcome, name) or 0 for outcome in [*outcomes, *shelved])
        for name in schema.SUMMED
    }
    results = sum(outcome.error_class is None for outcome in outcomes)
    truncated = sum(outcome.finish_reason == "length" for outcome in outcomes)
    unpriced = sum(outcome.error_class is None and outcome.cost is None for outcome in outcomes)
    return Counts(results, truncated, errors, unpriced=unpriced, **summed)


_tokens = st.none() | st.integers(0, 1000)
_usages = st.builds(Usage, _tokens, _tokens, _tokens, _tokens)
_attempts = st.integers(0, 3).map(
    lambda count: tuple(Attempt(n + 1, f"req-{n}", 0.0, 0.1) for n in range(count))
)


@st.composite
def _outcomes(draw: st.DrawFn, success: MakeSuccess, failure: MakeFailure) -> Outcome:
    row, attempts = draw(st.integers(0, 5)), draw(_attempts)
    cost, possible_cost = draw(_tokens), draw(st.integers(0, 1000))
    if draw(st.booleans()):
        reason = draw(st.sampled_from(["stop", "length", "tool_calls"]))
        made = success(row, finish_reason=reason, usage=draw(_usages), attempts=attempts)
        return replace(made, cost=cost, possible_cost=possible_cost)
    classes = st.sampled_from([ErrorClass.SERVER_ERROR, ErrorClass.BAD_REQUEST])
    key = draw(st.sampled_from([None, f"key-id-{row}"]))
    failed = failure(row, key=key, error_class=draw(classes), attempts=attempts)
    return replace(failed, cost=cost, possible_cost=possible_cost)


@given(data=st.data())
@settings(max_examples=50)
def test_the_totals_are_a_recount_after_any_commits_and_placements(
    data: st.DataObject, success: MakeSuccess, failure: MakeFailure, request_of: MakeRequest
) -> None:
    groups = st.lists(_outcomes(success, failure), max_size=6)
    # A placement: which id and which key stand in which row.
    ids = st.lists(st.integers(0, 6), unique=True, max_size=6)
    with (
        tempfile.TemporaryDirectory() as directory,
        Checkpoint.open(Path(directory) / "checkpoint.db") as checkpoint,
    ):
        for step in data.draw(st.lists(groups | ids.map(tuple), max_size=6)):
            if isinstance(step, list):
                checkpoint.write(step)
            else:
                with checkpoint.placement() as placement:
                    for row, number in enumerate(step):
                        placement.place(request_of(row, row_id=f"id-{number}"))
                    placement.apply()
            shelved = list(checkpoint._intact("shelved"))
            assert checkpoint.counts() == _recount(list(checkpoint.outcomes()), shelved)


def test_totals_that_fall_to_none_are_not_shown(
    checkpoint: Checkpoint, success: MakeSuccess, failure: MakeFailure
) -> None:
    checkpoint.write([failure(0, key="k"), success(1, finish_reason="length")])
    checkpoint.write([success(0), replace(success(1), finished_at=9.0)])
    counts = checkpoint.counts()
    assert (counts.results, counts.truncated, counts.errors) == (2, 0, {})
    assert (counts.prompt_tokens, counts.completion_tokens) == (30, 15)


# Called again


def test_a_row_that_is_called_again_keeps_what_its_earlier_calls_took(
    checkpoint: Checkpoint, success: MakeSuccess, failure: MakeFailure
) -> None:
    tries = tuple(Attempt(n, f"req-{n}", 1.0, 0.1) for n in (1, 2))
    failed = replace(failure(0, key="k", attempts=tries), cost=7, possible_cost=4, currency="CNY")
    failed = replace(failed, unanswered_before=2, repairs=1)
    checkpoint.write([failed])
    again = replace(success(0, key="k"), cost=5, possible_cost=1, unanswered_before=1, repairs=2)
    checkpoint.write([again, success(1)])
    kept, other = checkpoint.outcomes()
    assert (kept.attempts, kept.ambiguous_attempts, kept.repairs) == (3, 3, 3)
    assert (kept.cost, kept.possible_cost, kept.currency) == (12, 5, "CNY")
    assert (kept.error_class, kept.response, kept.prompt_tokens) == (None, "fine", 10)
    assert other == record(success(1))


def test_an_outcome_that_is_written_twice_counts_once(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    outcome = replace(success(0), cost=5)
    checkpoint.write([outcome])
    checkpoint.write([outcome])
    assert checkpoint.counts().cost == 5


def test_an_earlier_outcome_that_is_damaged_costs_only_what_it_knew(
    checkpoint: Checkpoint, success: MakeSuccess, failure: MakeFailure
) -> None:
    """The new answer was paid for: it is recorded in any case."""
    checkpoint.write([replace(failure(0, key="k"), cost=7)])
    checkpoint._writer.execute("UPDATE outcomes SET message = 'another'")
    checkpoint.write([replace(success(0, key="k"), cost=5)])
    (kept,) = checkpoint.outcomes()
    assert (kept.response, kept.cost) == ("fine", 5)


@given(data=st.data())
@settings(max_examples=50)
def test_no_sum_ever_falls_whatever_is_written(
    data: st.DataObject, success: MakeSuccess, failure: MakeFailure
) -> None:
    with (
        tempfile.TemporaryDirectory() as directory,
        Checkpoint.open(Path(directory) / "checkpoint.db") as checkpoint,
    ):
        before = dict.fromkeys(schema.SUMMED, 0)
        for outcomes in data.draw(st.lists(st.lists(_outcomes(success, failure)), max_size=5)):
            checkpoint.write(outcomes)
            counts = checkpoint.counts()
            now = {name: getattr(counts, name) for name in schema.SUMMED}
            assert all(now[name] >= before[name] for name in now)
            before = now
