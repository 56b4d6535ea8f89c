"""Copies made beside a run."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from batcher.checkpoint import Checkpoint
from batcher.copies import Copy, Copying, Keeper, Shelf
from batcher.copies.latest import NAME
from batcher.errors import Halt, Interruption, StorageError
from batcher.runs.signals import Signals
from tests.copies.memory import Clock, Memory, made_success

_PATIENCE_S = 300.0


@dataclass
class Time:
    """Waits that end when a test says so; `asked` are the seconds they would have taken."""

    asked: dict[str, list[float]] = field(
        default_factory=lambda: {"copier": [], "signs of life": []}
    )
    go: dict[str, threading.Semaphore] = field(
        default_factory=lambda: {
            "copier": threading.Semaphore(0),
            "signs of life": threading.Semaphore(0),
        }
    )
    waiting: dict[str, threading.Semaphore] = field(
        default_factory=lambda: {
            "copier": threading.Semaphore(0),
            "signs of life": threading.Semaphore(0),
        }
    )

    def waited(self, event: threading.Event, seconds: float) -> bool:
        """Wait for the event, or for the test."""
        who = threading.current_thread().name
        self.asked[who].append(seconds)
        self.waiting[who].release()
        while not event.is_set() and not self.go[who].acquire(timeout=0.01):
            pass
        return event.is_set()

    def settle(self, who: str) -> None:
        """Wait until a thread waits."""
        assert self.waiting[who].acquire(timeout=_PATIENCE_S)

    def pass_(self, who: str) -> None:
        """Let the time of a thread pass, and wait until it waits again."""
        self.go[who].release()
        self.settle(who)


@dataclass
class Kept:
    """A keeper at work, and what it told."""

    keeper: Keeper
    checkpoint: Checkpoint
    copying: Copying
    time: Time
    news: list[str]
    copies: list[Copy]
    ticks: list[float]

    def begin(self) -> None:
        """Begin to make copies; the first is made, or has failed."""
        self.keeper.begin(self.copying)
        self.time.settle("copier")

    def end(self) -> None:
        """End in order."""
        self.keeper.end(lambda: None)


@pytest.fixture
def kept(store: Memory, clock: Clock, path: Path) -> Iterator[Kept]:
    with _keeping(store, clock, path) as kept:
        yield kept


@contextmanager
def _keeping(store: Memory, clock: Clock, path: Path) -> Iterator[Kept]:
    time, news, copies, ticks = Time(), list[str](), list[Copy](), [0.0]
    shelf = Shelf(store, 60.0, clock)
    shelf.claim()
    keeper = Keeper(
        shelf,
        news.append,
        copies.append,
        # The time that a copy takes.
        monotonic=lambda: ticks.pop(0) if len(ticks) > 1 else ticks[0],
        waited=time.waited,
    )
    with Checkpoint.open(path) as checkpoint, keeper.at_work():
        time.settle("signs of life")
        checkpoint.write([made_success(0)])
        yield Kept(keeper, checkpoint, Copying(checkpoint, shelf), time, news, copies, ticks)


def _taken_over(store: Memory) -> None:
    latest = store.latest()
    writer = msgspec.structs.replace(latest.writer, host="far", token="far")  # noqa: S106 -- no secret
    store.files[NAME] = msgspec.structs.replace(latest, writer=writer).encoded()


def _join(*names: str) -> None:
    """Wait for threads of these names."""
    for thread in threading.enumerate():
        if thread.name in names:
            thread.join(_PATIENCE_S)


def _held_up(store: Memory) -> tuple[threading.Event, threading.Event]:
    """Hold uploads up: the first event is set when one begins, the second one lets them go on."""
    sending, sent = threading.Event(), threading.Event()

    def slow(verb: str, _name: str) -> None:
        if verb == "upload":
            sending.set()
            assert sent.wait(_PATIENCE_S)

    store.before = slow
    return sending, sent


def _interrupted() -> None:
    raise KeyboardInterrupt


def _failing(verb: str) -> Callable[[str, str], None]:
    def fail(done: str, _name: str) -> None:
        if done == verb:
            raise StorageError("no route to host")

    return fail


def test_copies_are_made_at_once_then_at_most_every_so_often_and_at_the_end(kept: Kept) -> None:
    kept.begin()
    kept.checkpoint.write([made_success(1)])
    kept.time.pass_("copier")
    kept.time.pass_("copier")
    kept.checkpoint.write([made_success(2)])
    kept.end()
    assert [copy.rows for copy in kept.copies] == [1, 2, 3]
    assert kept.time.asked["copier"] == [60.0, 60.0, 60.0]
    assert kept.keeper.trouble is None


def test_signs_of_life_are_given_while_a_copy_takes_long_and_before_the_first(
    kept: Kept, store: Memory, clock: Clock
) -> None:
    clock.now += 60
    kept.time.pass_("signs of life")
    assert store.latest().writer.seen == clock.now
    sending, sent = _held_up(store)
    kept.keeper.begin(kept.copying)
    assert sending.wait(_PATIENCE_S)
    clock.now += 60
    kept.time.pass_("signs of life")
    assert store.latest().writer.seen == clock.now
    assert store.latest().copy is None
    sent.set()
    kept.time.settle("copier")
    assert store.latest().copy is not None


def test_answers_are_recorded_while_a_copy_takes_long(kept: Kept, store: Memory) -> None:
    sending, sent = _held_up(store)
    kept.keeper.begin(kept.copying)
    assert sending.wait(_PATIENCE_S)
    kept.checkpoint.write([made_success(1)])
    kept.checkpoint.sync()
    assert kept.checkpoint.counts().rows == 2
    sent.set()


def test_after_a_copy_that_took_long_the_next_one_waits_ten_times_as_long_and_that_is_said(
    kept: Kept,
) -> None:
    kept.ticks[:] = [0.0, 90.0, 1000.0, 1090.0, 2000.0]
    kept.begin()
    kept.checkpoint.write([made_success(1)])
    kept.time.pass_("copier")
    assert kept.time.asked["copier"] == [810.0, 810.0]
    assert kept.news == [
        "A copy of the checkpoint takes 90.0 s, so one is made every 900 s, not every 60 s"
    ]


def test_a_copy_that_fails_is_told_once_and_once_when_it_is_well_again(
    kept: Kept, store: Memory
) -> None:
    store.before = _failing("upload")
    kept.begin()
    kept.time.pass_("copier")
    assert kept.time.asked["copier"] == [60.0, 60.0]
    [told] = kept.news
    assert told == (
        "The copy of the checkpoint is not current: no route to host. The run goes on, and it is "
        "tried again every 60 s"
    )
    assert kept.keeper.trouble == "no route to host"
    store.before = lambda _verb, _name: None
    kept.time.pass_("copier")
    assert kept.news[1:] == ["The copy of the checkpoint at memory://copies is current again"]
    assert kept.keeper.trouble is None


def test_earlier_copies_that_cannot_be_removed_are_told_of_once_and_the_copy_counts(
    kept: Kept, store: Memory
) -> None:
    store.before = _failing("remove")
    kept.begin()
    for row in (1, 2):
        kept.checkpoint.write([made_success(row)])
        kept.time.pass_("copier")
    assert [copy.rows for copy in kept.copies] == [1, 2, 3]
    assert kept.news == ["Earlier copies of the checkpoint stay: no route to host"]
    assert kept.keeper.trouble is None


def test_whatever_a_store_raises_the_run_goes_on(kept: Kept, store: Memory) -> None:
    def broken(verb: str, _name: str) -> None:
        if verb == "upload":
            raise ValueError("a mistake of a library")

    store.before = broken
    kept.begin()
    assert kept.keeper.trouble == "ValueError: a mistake of a library"
    assert kept.keeper.lost is None


def test_signs_of_life_that_fail_are_given_again(kept: Kept, store: Memory, clock: Clock) -> None:
    store.before = _failing("write")
    kept.time.pass_("signs of life")
    store.before = lambda _verb, _name: None
    clock.now += 60
    kept.time.pass_("signs of life")
    assert store.latest().writer.seen == clock.now
    assert kept.news == []


@pytest.mark.parametrize("who", ["copier", "signs of life"])
def test_once_another_process_works_on_the_run_this_one_is_stopped(
    kept: Kept, store: Memory, who: str
) -> None:
    kept.begin()
    halts: list[Halt] = []
    with kept.keeper.halting(halts.append):
        _taken_over(store)
        kept.checkpoint.write([made_success(1)])
        kept.time.go[who].release()
        while not halts:
            pass
    assert [halt.exit_code for halt in halts] == [75]
    assert "on far, since" in halts[0].reason
    assert kept.keeper.lost == halts[0]
    kept.end()
    assert len(kept.copies) == 1
    assert store.latest().writer.host == "far"


def test_who_lost_the_run_before_its_first_call_makes_none(kept: Kept, store: Memory) -> None:
    _taken_over(store)
    kept.keeper.begin(kept.copying)
    while kept.keeper.lost is None:
        pass
    halts: list[Halt] = []
    with kept.keeper.halting(halts.append):
        assert halts == [kept.keeper.lost]


def test_at_the_end_it_is_said_that_nobody_works_on_the_run(
    store: Memory, clock: Clock, path: Path
) -> None:
    with _keeping(store, clock, path) as kept:
        kept.begin()
        kept.end()
    assert not store.latest().writer.at_work


def test_a_run_that_ends_before_its_first_call_leaves_the_place_free(
    store: Memory, clock: Clock, path: Path
) -> None:
    with _keeping(store, clock, path):
        pass
    assert not store.latest().writer.at_work


def test_a_run_whose_last_copy_fails_leaves_the_place_free_and_knows_it(
    store: Memory, clock: Clock, path: Path
) -> None:
    with _keeping(store, clock, path) as kept:
        kept.begin()
        kept.checkpoint.write([made_success(1)])
        store.before = _failing("upload")
        kept.end()
        assert kept.keeper.trouble == "no route to host"
    latest = store.latest()
    assert latest.copy is not None
    assert (latest.copy.rows, latest.writer.at_work) == (1, False)


def test_who_has_no_time_does_not_wait_for_a_copy(store: Memory, clock: Clock, path: Path) -> None:
    sending, sent = threading.Event(), threading.Event()

    def stuck(verb: str, _name: str) -> None:
        if verb == "upload":
            sending.set()
            assert sent.wait(_PATIENCE_S)

    class TimeUpError(Exception):
        pass

    def time_up() -> None:
        raise TimeUpError

    with _keeping(store, clock, path) as kept:
        store.before = stuck
        kept.keeper.begin(kept.copying)
        assert sending.wait(_PATIENCE_S)
        with pytest.raises(TimeUpError):
            kept.keeper.end(time_up)
        assert kept.keeper.trouble == "there was no time for it"
    # It was not waited for: the copy is still under way.
    assert kept.copies == []
    sent.set()
    _join("copier", "leaving")
    # What comes after the end of the checkpoint concerns nobody, and the place is free.
    assert kept.news == []
    assert not store.latest().writer.at_work


def test_a_signal_that_ends_the_wait_does_not_make_a_copy_that_is_under_way_count_as_made(
    kept: Kept, store: Memory
) -> None:
    """`Thread.join` would: a thread counts as dead once an exception came while it was joined."""
    (sending, sent), waiting = _held_up(store), threading.Event()

    def tell() -> None:
        assert waiting.wait(_PATIENCE_S)
        os.kill(os.getpid(), signal.SIGTERM)

    kept.keeper.begin(kept.copying)
    assert sending.wait(_PATIENCE_S)
    threading.Thread(target=tell).start()

    def wait_until_told() -> None:
        with Signals().interruptible():
            kept.keeper.end(waiting.set)

    with pytest.raises(Interruption):
        wait_until_told()
    assert kept.keeper.trouble == "there was no time for it"
    sent.set()
    kept.end()
    assert kept.keeper.trouble is None


def test_a_signal_before_the_copies_have_begun_leaves_nobody_waiting(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda _thread: _interrupted())
        with pytest.raises(KeyboardInterrupt):
            kept.keeper.begin(kept.copying)
    kept.end()
    assert (kept.copies, kept.keeper.trouble) == ([], None)


def test_who_has_time_again_goes_on_waiting_for_the_last_copy(kept: Kept, store: Memory) -> None:
    """A first signal gives it as long as one before would have."""
    sending, sent = _held_up(store)
    kept.keeper.begin(kept.copying)
    assert sending.wait(_PATIENCE_S)
    with pytest.raises(KeyboardInterrupt):
        kept.keeper.end(_interrupted)
    kept.keeper.end(sent.set)
    assert kept.copies[-1].rows == 1
    assert not store.latest().writer.at_work
    assert (kept.keeper.trouble, kept.news) == (None, [])


def test_where_time_is_short_a_copy_is_made_at_once(kept: Kept) -> None:
    kept.begin()
    kept.checkpoint.write([made_success(1)])
    kept.keeper.hurry()
    kept.time.settle("copier")
    assert [copy.rows for copy in kept.copies] == [1, 2]
