"""Looking at a run, again and again."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from batcher.checkpoint import Checkpoint
from batcher.history import Beat
from batcher.observe.live import Phase
from batcher.runs.looking import Look
from tests.simulated import AT_ONCE, Place


@pytest.fixture
def finished(place: Place) -> Place:
    place.run()
    return place


def test_a_run_that_has_ended_is_told_once_and_then_only_what_is_new(finished: Place) -> None:
    look = Look(finished.directory)
    state = look()
    assert state is not None
    assert (state.phase, state.total, state.counts.results) == (Phase.FINISHED, 10, 10)
    assert (state.name, state.model, state.simulated) == ("prompts.batch", "glm-4-flash", True)
    assert len(state.history.processes) == 1
    assert look() is None
    look.close()


def test_a_run_that_is_taken_up_again_is_seen_to_go_on_and_to_end(place: Place) -> None:
    place.run(place.job(limits={"concurrency": 1}), replace(AT_ONCE, fail_after=(4, "1113")))
    look = Look(place.directory)
    stopped = look()
    assert stopped is not None
    assert (stopped.phase, stopped.pending) == (Phase.STOPPED, 6)
    with Checkpoint.open(place.directory.checkpoint) as checkpoint:
        checkpoint.begin_process(1_800_000_000)
        working = look()
        assert working is not None
        assert working.phase is Phase.RUNNING
        checkpoint.write([], beats=[Beat(1_800_000_001, 0, {}, 0, 8, 0.5, "an outage")])
        waiting = look()
        assert waiting is not None
        assert (waiting.phase, waiting.waiting) == (Phase.WAITING, "an outage")
    # Without a word about its end, as after a kill.
    killed = look()
    assert killed is not None
    assert killed.phase is Phase.KILLED
    place.run()
    finished = look()
    assert finished is not None
    assert (finished.phase, finished.counts.rows) == (Phase.FINISHED, 10)
    look.close()


def test_a_directory_that_is_gone_is_told_once_with_what_was_read_last(finished: Place) -> None:
    look = Look(finished.directory)
    look()
    away = finished.directory.path.rename(finished.folder / "away")
    gone = look()
    assert gone is not None
    assert (gone.phase, gone.counts.results) == (Phase.GONE, 10)
    assert look() is None
    away.rename(finished.directory.path)
    back = look()
    assert back is not None
    assert back.phase is Phase.FINISHED
    look.close()


def test_another_run_in_its_place_is_told_from_it(finished: Place) -> None:
    """Its file has the same name, and the old one is still open."""
    look = Look(finished.directory)
    look()
    shutil.rmtree(finished.directory.path)
    finished.write({"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(3))
    finished.run()
    other = look()
    assert other is not None
    assert (other.total, other.counts.results) == (3, 3)
    look.close()


def test_a_checkpoint_that_is_damaged_is_told_and_tried_again(finished: Place) -> None:
    path = finished.directory.checkpoint
    whole = path.read_bytes()
    look = Look(finished.directory)
    path.write_bytes(b"no database" * 1000)
    damaged = look()
    assert damaged is not None
    assert damaged.phase is Phase.UNREADABLE
    assert "is damaged" in str(damaged.unreadable)
    assert look() is None
    path.write_bytes(whole)
    mended = look()
    assert mended is not None
    assert mended.phase is Phase.FINISHED
    look.close()


def test_nothing_is_read_that_grows_with_the_rows(finished: Place) -> None:
    """No step of a look scans the outcomes: SQLite's own plan of every statement says so."""
    look = Look(finished.directory)
    statements: list[str] = []
    look()
    checkpoint = look._checkpoint
    assert checkpoint is not None
    connection = checkpoint._reader
    connection.set_trace_callback(statements.append)
    look._seen = None
    look()
    connection.set_trace_callback(None)
    plans = {
        step
        for statement in statements
        if statement.startswith("SELECT")
        for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
    }
    assert any("SCAN totals" in step for step in plans)
    assert not any("outcomes" in step for step in plans)
    look.close()


def test_a_history_that_takes_long_to_read_is_read_less_often_but_at_the_end(place: Place) -> None:
    """By this clock, each reading of it takes 3 seconds: one minute is left between two."""
    place.run(place.job(limits={"concurrency": 1}), replace(AT_ONCE, fail_after=(4, "1113")))
    ticks = iter(range(0, 3000, 3))
    look = Look(place.directory, lambda: float(next(ticks)))
    with Checkpoint.open(place.directory.checkpoint) as checkpoint:
        looks = []
        for second in range(40):
            checkpoint.begin_process(1_800_000_000 + second)
            state = look()
            assert state is not None
            looks.append(len(state.history.processes))
    ended = look()
    assert ended is not None
    assert looks[:19] == [2] * 19
    assert {*looks} == {2, looks[-1]}
    assert 20 < looks[-1] < 41
    assert len(ended.history.processes) == 41
    look.close()
