"""The part of a run in which calls are made, with calls of our own in place of the network."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from batcher.checkpoint import Checkpoint, Reserve, RowSet
from batcher.errors import DiskFullError, StorageError
from batcher.records import (
    Completion,
    Failure,
    Kept,
    Mark,
    Prompt,
    Request,
    Unanswered,
    Usage,
)
from batcher.runs.live import LiveRun
from tests.engines import Engine
from tests.simulated import Place

ANSWER = Completion("fine", None, None, "stop", "glm-4-flash", Usage(1, 1))


class Calls:
    """Stands for the network: counts calls, and answers them when `open` is set."""

    def __init__(self) -> None:
        self.made: list[int] = []
        self.open = asyncio.Event()
        self.on_call: Callable[[], None] = lambda: None

    async def __call__(self, request: Request, _request_id: str) -> Completion:
        self.made.append(request.row)
        self.on_call()
        await self.open.wait()
        return ANSWER


class FullDisk(Checkpoint):
    """A checkpoint that can record nothing."""

    def write(
        self,
        kept: Sequence[Kept],
        marks: Sequence[Mark] = (),
        unanswered: Sequence[Unanswered] = (),
    ) -> None:
        del kept, marks, unanswered
        raise StorageError("the disk is full")


class NearlyFullDisk(Checkpoint):
    """A checkpoint that has no room at its second write, nor later while the reserve is held."""

    writes = 0

    def write(
        self,
        kept: Sequence[Kept],
        marks: Sequence[Mark] = (),
        unanswered: Sequence[Unanswered] = (),
    ) -> None:
        self.writes += 1
        if self.writes > 1 and (self.path.parent / "reserve").exists():
            raise DiskFullError("no room left")
        super().write(kept, marks, unanswered)


class Watched(Checkpoint):
    """A checkpoint that notes in which threads it writes."""

    def remember(self, **facts: object) -> None:
        self.threads = [*getattr(self, "threads", ()), threading.get_ident()]
        super().remember(**facts)

    def expect(self, calls: int) -> None:
        self.threads = [*getattr(self, "threads", ()), threading.get_ident()]
        super().expect(calls)


@contextmanager
def _live(
    place: Place, calls: Calls, concurrency: int = 2, kind: type[Checkpoint] = Checkpoint
) -> Iterator[LiveRun]:
    place.directory.create()
    retrier = Engine([calls], concurrency).retrier()
    with (
        kind.open(place.directory.checkpoint) as checkpoint,
        Reserve.held(place.directory.reserve, 2, 1024) as reserve,
    ):
        live = place.live(checkpoint, reserve, retrier)
        live.executor.retrier = replace(retrier, on_attempt=live.attempted)
        yield live


async def test_no_more_calls_are_in_flight_than_allowed_and_all_rows_are_recorded(
    place: Place,
) -> None:
    calls = Calls()
    both = asyncio.Event()
    calls.on_call = lambda: both.set() if len(calls.made) == 2 else None
    with _live(place, calls) as live:
        running = asyncio.create_task(live.run())
        await both.wait()
        for _ in range(100):
            await asyncio.sleep(0)
        assert calls.made == [0, 1]
        calls.open.set()
        await running
        assert len(live.checkpoint.done()) == 10
    assert sorted(calls.made) == list(range(10))


async def test_rows_that_are_done_are_not_called(place: Place) -> None:
    calls = Calls()
    calls.open.set()
    with _live(place, calls) as live:
        live.done = RowSet([0, 1, 2, 5])
        await live.run()
    assert sorted(calls.made) == [3, 4, 6, 7, 8, 9]


async def test_a_disk_that_takes_nothing_ends_the_run_and_its_calls(place: Place) -> None:
    """reliability.md promise 5: it is not tried again."""
    calls = Calls()
    calls.open.set()
    place.write({"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(5_000))
    with _live(place, calls, kind=FullDisk) as live, pytest.raises(StorageError, match="full"):
        await live.run()
    assert len(calls.made) < 5_000


async def test_when_the_disk_is_full_what_is_in_flight_is_recorded_and_nothing_more_is_begun(
    place: Place,
) -> None:
    """reliability.md promise 7: in the space that was kept for it."""
    calls = Calls()
    notices: list[str] = []

    def answer_when_both_are_called() -> None:
        if len(calls.made) == 2:
            calls.open.set()

    calls.on_call = answer_when_both_are_called
    with _live(place, calls, kind=NearlyFullDisk) as live:
        live.on_notice = notices.append
        await live.run()
        assert live.disk_full
        assert not place.directory.reserve.exists()
        assert all(row in live.checkpoint.done() for row in calls.made)
    assert len(calls.made) < 10
    assert notices == [
        "The disk is full: the calls in flight are recorded in reserved space, no more are begun"
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_dispatch_and_what_is_in_flight_is_recorded(
    place: Place, number: signal.Signals
) -> None:
    calls = Calls()

    def interrupt() -> None:
        if len(calls.made) == 2:
            signal.raise_signal(number)
            asyncio.get_running_loop().call_later(0.01, calls.open.set)

    calls.on_call = interrupt
    before = signal.getsignal(number)
    with _live(place, calls) as live:
        await live.run()
        assert live.interrupted is not None
        assert (live.interrupted.number, live.interrupted.twice) == (number, False)
        assert sorted(calls.made) == [0, 1]
        assert len(live.checkpoint.done()) == 2
    assert signal.getsignal(number) == before


async def test_a_second_signal_waits_for_nothing_and_takes_down_what_it_cut_off(
    place: Place,
) -> None:
    """The calls never end; they may have been billed (promise 4)."""
    calls = Calls()

    def interrupt() -> None:
        if len(calls.made) == 2:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)

    calls.on_call = interrupt
    with _live(place, calls) as live:
        await live.run()
        assert live.interrupted is not None
        assert live.interrupted.twice
        assert len(live.checkpoint.done()) == 0
        assert sorted(live.checkpoint.unanswered()[0].values()) == [1, 1]
        assert live.checkpoint.counts().ambiguous_attempts == 2


async def test_a_resume_begins_to_read_at_a_mark(place: Place) -> None:
    """What is before it may be anything by then: it is not read at all."""
    place.write({"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(5_000))
    calls = Calls()
    calls.open.set()
    with _live(place, calls, concurrency=64) as live:
        await live.run()
        assert live.checkpoint.mark_before(4_999) == live.checkpoint.mark_before(4_096)
        offset = live.checkpoint.mark_before(4_999)
    assert offset is not None
    assert (offset.row, offset.line) == (4_096, 4_097)
    text = place.input.read_bytes()
    place.input.write_bytes(b"x" * offset.offset + text[offset.offset :])
    again = Calls()
    again.open.set()
    with _live(place, again) as live:
        live.done = RowSet(row for row in range(5_000) if row != 4_100)
        await live.run()
    assert again.made == [4_100]


async def test_what_calls_may_take_is_put_down_beside_the_loop(place: Place) -> None:
    calls = Calls()
    calls.open.set()
    with _live(place, calls, kind=Watched) as live:
        await live.run()
        await live.remember(spent_cost=7)
        await live.widen(3)
        assert live.checkpoint.fact("spent_cost") == 7
        assert isinstance(live.checkpoint, Watched)
        assert len(live.checkpoint.threads) == 2
        assert threading.get_ident() not in live.checkpoint.threads


class NeverAnyRoom(Checkpoint):
    """A checkpoint on a disk that stays full, whatever is given up for it."""

    def remember(self, **facts: object) -> None:
        raise DiskFullError(str(facts))


async def test_of_several_writes_that_find_the_disk_full_one_gives_up_the_reserve(
    place: Place,
) -> None:
    calls = Calls()
    calls.open.set()
    notices: list[str] = []
    with _live(place, calls, kind=NeverAnyRoom) as live:
        live.on_notice = notices.append
        await live.run()
        ended = await asyncio.gather(
            *(live.remember(spent_cost=amount) for amount in range(4)), return_exceptions=True
        )
        assert [type(end) for end in ended] == [DiskFullError] * 4
        assert live.disk_full
        assert not place.directory.reserve.exists()
    assert len(notices) == 1


async def test_large_rows_are_read_few_at_a_time(place: Place) -> None:
    """Each is in memory from then on."""
    place.write({"id": f"id-{n}", "prompt": "x" * 600_000} for n in range(10))
    calls = Calls()
    with _live(place, calls, concurrency=64) as live:
        read: list[int] = []

        def prepare(prompt: Prompt | Failure) -> Request | Failure:
            read.append(prompt.row)
            return prepared(prompt)

        prepared = live.prepare
        live.prepare = prepare  # type: ignore[assignment] # all that is asked of it
        requests = live._requests()
        await anext(requests)
        assert read == [0, 1]
        await requests.aclose()
