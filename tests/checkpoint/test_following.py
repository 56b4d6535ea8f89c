"""A checkpoint that is looked at while others write it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint, FollowedCheckpoint
from batcher.checkpoint.lock import RunLock
from batcher.errors import ErrorClass, StorageError
from batcher.history import Beat, Ended, Lately
from batcher.records import Success

MakeSuccess = Callable[..., Success]


def _beat(second: int, in_flight: int = 3, waiting: str | None = None, throttled: int = 0) -> Beat:
    failures = {ErrorClass.THROTTLED: throttled} if throttled else {}
    return Beat(second, 4, failures, in_flight, 8, 0.0, waiting)


@pytest.mark.parametrize("shared", [False, True])
def test_a_look_is_another_one_only_when_something_was_written(
    path: Path, success: MakeSuccess, *, shared: bool
) -> None:
    """Also where other machines reach the files, and there is no log."""
    with Checkpoint.open(path, shared=shared) as writer, FollowedCheckpoint.follow(path) as reader:
        first = reader.glance()
        reader.counts()
        assert reader.glance() == first
        writer.write([success(0)])
        second = reader.glance()
        assert second.version != first.version
        assert reader.counts().rows == 1


def test_it_names_who_works_on_the_run_as_long_as_someone_does(path: Path) -> None:
    with Checkpoint.open(path):
        pass
    with FollowedCheckpoint.follow(path) as reader:
        assert reader.glance().writer is None
        with Checkpoint.open(path):
            assert str(reader.glance().writer).startswith("process ")
        assert reader.glance().writer is None


def test_it_takes_no_lock_that_keeps_a_run_from_starting(path: Path) -> None:
    with Checkpoint.open(path):
        pass
    with FollowedCheckpoint.follow(path) as reader:
        reader.glance()
        reader.history()
        with RunLock.held(path.parent), Checkpoint.open(path) as writer:
            writer.begin_process(1)


def test_what_is_no_checkpoint_is_told_as_ever(path: Path) -> None:
    with (
        pytest.raises(StorageError, match="is this the directory of a run"),
        FollowedCheckpoint.follow(path),
    ):
        pass


def test_before_the_first_call_there_is_nothing_of_late(checkpoint: Checkpoint) -> None:
    with FollowedCheckpoint.follow(checkpoint.path) as reader:
        assert reader.lately(30) is None


def test_the_first_second_has_no_rate_yet(checkpoint: Checkpoint) -> None:
    checkpoint.begin_process(100)
    with FollowedCheckpoint.follow(checkpoint.path) as reader:
        lately = reader.lately(30)
    assert lately == Lately(0, 0, 0, 0, 0, 0, None)
    assert lately.rate is None


def test_of_late_are_the_whole_seconds_of_the_last_process_and_its_flow_now(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    """Each answer has 10 prompt and 5 completion tokens."""
    checkpoint.begin_process(1)
    checkpoint.write([success(0)], beats=[_beat(2)])
    checkpoint.end_process(Ended.INTERRUPTED)
    checkpoint.begin_process(100)
    for row, second in ((1, 104), (2, 118), (3, 120)):
        outcome = replace(success(row), finished_at=float(second))
        checkpoint.write([outcome], beats=[_beat(second, throttled=2)])
    checkpoint.write([], beats=[_beat(120, in_flight=5, waiting="an outage")])
    with FollowedCheckpoint.follow(checkpoint.path) as reader:
        lately = reader.lately(10)
    assert lately == Lately(10, 1, 15, 2, 5, 8, "an outage")
    assert lately.rate == 0.1
    checkpoint.end_process(Ended.DONE)
    with FollowedCheckpoint.follow(checkpoint.path) as reader:
        assert reader.lately(10) == lately._replace(ended="done")
