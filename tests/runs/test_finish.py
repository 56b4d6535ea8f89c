"""The end of a run: what is written once no more calls are made, as far as there is time for it."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from batcher.checkpoint import Checkpoint, Reserve
from batcher.errors import StorageError
from batcher.job import ObserveSpec
from batcher.outputs import Exported
from batcher.runs.finish import AT_ONCE_S, EXIT_S, Finish
from batcher.runs.live import Interrupted
from batcher.runs.stopping import Asked, Check, Stopping
from batcher.runs.syncing import NotSynced
from tests.engines import Engine
from tests.simulated import Place

TERM = signal.SIGTERM


@contextmanager
def _finish(
    place: Place, first: Interrupted | None = None, *, disk_full: bool = False
) -> Iterator[Finish]:
    """Yield the end of a run that is done, but has no files yet; `first` stopped its calls."""
    place.run(place.job(observe={"report": False}))
    for path in (place.directory.results, place.directory.errors):
        path.unlink()
    with (
        Checkpoint.open(place.directory.checkpoint) as checkpoint,
        Reserve.held(place.directory.reserve, 1, 1024) as reserve,
    ):
        live = place.live(checkpoint, reserve, Engine([]).retrier())
        live.interrupted, live.disk_full = first, disk_full
        yield Finish(live, place.directory, Asked())


def _later(place: Place) -> str:
    return f"not written; `batcher export {place.directory.path}` does it"


def test_without_a_signal_all_is_written_without_haste(place: Place) -> None:
    with _finish(place) as finish:
        exported, number = finish.export()
        assert isinstance(exported, Exported)
        assert (exported.results, number) == (10, None)
        assert finish.report(ObserveSpec()) == place.directory.report
        assert finish.hurry(exported) is None


def test_after_a_signal_all_is_written_while_there_is_time(place: Place) -> None:
    """The report too: else that of an earlier process would stand beside newer results."""
    with _finish(place, Interrupted(TERM, time.monotonic())) as finish:
        exported, number = finish.export()
        assert isinstance(exported, Exported)
        assert number is TERM
        assert finish.report(ObserveSpec()) == place.directory.report
        assert AT_ONCE_S <= (finish.hurry(exported) or 0) <= EXIT_S
    assert place.directory.results.exists()


def test_when_no_time_is_left_nothing_is_and_it_says_what_to_do(place: Place) -> None:
    with _finish(place, Interrupted(TERM, time.monotonic() - EXIT_S)) as finish:
        assert finish.export() == (_later(place), TERM)
        assert finish.report(ObserveSpec()) == (
            f"not written; `batcher report {place.directory.path}` does it"
        )
        assert finish.hurry(_later(place)) == AT_ONCE_S
    assert not place.directory.results.exists()
    assert not place.directory.report.exists()


@pytest.mark.parametrize(
    ("first", "disk_full"),
    [(Interrupted(TERM, 1e9, twice=True), False), (None, True)],
    ids=["second signal", "full disk"],
)
def test_after_a_second_signal_or_on_a_full_disk_nothing_is_written(
    place: Place, first: Interrupted | None, *, disk_full: bool
) -> None:
    with _finish(place, first, disk_full=disk_full) as finish:
        assert finish.export() == (_later(place), first.number if first else None)
        assert finish.hurry(_later(place)) == (AT_ONCE_S if first else None)


def test_a_signal_while_files_are_written_ends_that(place: Place) -> None:
    class Asking(Asked):
        @contextlib.contextmanager
        def interruptible(self, within: float | None = None) -> Iterator[Check]:
            self.ask()
            with super().interruptible(within) as check:
                yield check

    with _finish(place) as finish:
        asked = replace(finish, stopping=Asking())
        assert asked.export() == (_later(place), signal.SIGINT)
        assert "`batcher report" in str(asked.report(ObserveSpec()))


class _Copies(NotSynced):
    """A last copy that is told to end each time it is waited for; `given` is how long it was."""

    def __init__(self) -> None:
        self.given: list[float | None] = []

    def end(self, _stopping: Stopping, within: float | None) -> signal.Signals | None:
        self.given.append(within)
        return TERM


def test_a_first_signal_while_the_last_copy_is_made_leaves_it_its_time(place: Place) -> None:
    with _finish(place) as finish:
        finish.copy(copies := _Copies())
        first, given = copies.given
        assert first is None
        assert given is not None
        assert AT_ONCE_S < given <= EXIT_S
        assert finish.live.interrupted is not None
        assert (finish.live.interrupted.number, finish.live.interrupted.twice) == (TERM, False)


@pytest.mark.parametrize(("twice", "most"), [(False, EXIT_S), (True, AT_ONCE_S)])
def test_after_a_signal_the_next_one_ends_the_wait_for_the_last_copy(
    place: Place, *, twice: bool, most: float
) -> None:
    with _finish(place, Interrupted(TERM, time.monotonic(), twice=twice)) as finish:
        finish.copy(copies := _Copies())
        (given,) = copies.given
        assert given is not None
        assert given <= most


def test_an_input_that_is_not_as_it_was_run_keeps_the_files_but_not_the_end(place: Place) -> None:
    """What was paid for is told, whatever became of the input meanwhile."""
    with _finish(place) as finish:
        place.write(["{}"])
        said, number = finish.export()
        assert number is None
        assert str(said).startswith("not written: the input changed since it was run: ")
        assert not place.directory.results.exists()


def test_an_input_that_could_not_be_read_to_its_end_is_not_read_again(place: Place) -> None:
    """A store that was silent is not waited for once more."""
    with _finish(place) as finish:
        finish.live.reading.unread = StorageError("cannot read s3://b/a.jsonl: it is silent")
        said, _ = finish.export()
    assert said == "not written: cannot read s3://b/a.jsonl: it is silent"


def test_a_checkpoint_that_counts_other_rows_than_it_holds_is_named(place: Place) -> None:
    with _finish(place) as finish:
        with contextlib.closing(sqlite3.connect(place.directory.checkpoint)) as connection:
            connection.execute("UPDATE totals SET rows = 99")
            connection.commit()
        with pytest.raises(StorageError, match="it counts 99 rows and holds 10"):
            finish.export()
