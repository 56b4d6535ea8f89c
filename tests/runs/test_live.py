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
from batcher.history import Beat
from batcher.job import JobSpec
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
from batcher.runs.prepare import Preparation
from batcher.runs.selection import Portion, Selection
from batcher.runs.signals import Signals
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
        beats: Sequence[Beat] = (),
    ) -> None:
        del kept, marks, unanswered, beats
        raise StorageError("the disk is full")


class NearlyFullDisk(Checkpoint):
    """A checkpoint that has no room at its second write, nor later while the reserve is held."""

    writes = 0

    def write(
        self,
        kept: Sequence[Kept],
        marks: Sequence[Mark] = (),
        unanswered: Sequence[Unanswered] = (),
        beats: Sequence[Beat] = (),
    ) -> None:
        self.writes += 1
        if self.writes > 1 and (self.path.parent / "reserve").exists():
            raise DiskFullError("no room left")
        super().write(kept, marks, unanswered, beats)


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
    place: Place,
    calls: Calls,
    concurrency: int = 2,
    kind: type[Checkpoint] = Checkpoint,
    job: JobSpec | None = None,
) -> Iterator[LiveRun]:
    place.directory.create()
    retrier = Engine([calls], concurrency).retrier()
    with (
        kind.open(place.directory.checkpoint) as checkpoint,
        Reserve.held(place.directory.reserve, 2, 1024) as reserve,
    ):
        live = place.live(checkpoint, reserve, retrier, job)
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
        with Signals().calling(live.heed):
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
    told: list[int] = []
    with _live(place, calls) as live:
        live.on_stop = lambda: told.append(len(calls.made))
        with Signals().calling(live.heed):
            await live.run()
        assert live.interrupted is not None
        assert live.interrupted.twice
        # Whoever has to hurry hears of the first one, while the calls are in flight.
        assert told == [2]
        assert len(live.checkpoint.done()) == 0
        assert sorted(live.checkpoint.unanswered()[0].values()) == [1, 1]
        assert live.checkpoint.counts().ambiguous_attempts == 2
        stand = live.checkpoint._reader.execute("SELECT key, source FROM pending").fetchall()
        assert {key for key, _ in stand} == {*live.checkpoint.unanswered()[0]}
        assert {source for _, source in stand} == {f"{place.input}:{line}" for line in (1, 2)}


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

        class Noting(Preparation):
            def records(self, item: Prompt | Failure) -> Sequence[Request | Failure]:
                read.append(item.row)
                return super().records(item)

        live.prepare = Noting(live.prepare.render, live.prepare.clock)
        requests = live._requests()
        await anext(requests)
        assert read == [0, 1]
        await requests.aclose()


def _asking(live: LiveRun, samples: int, portion: Portion, rows: int) -> None:
    live.selection = Selection.of(portion, samples, rows)
    live.prepare = replace(live.prepare, samples=samples)


async def test_each_sample_of_each_row_is_called_and_what_is_done_is_not(place: Place) -> None:
    """A row may be done for some of its samples, and is then not read anew for the others only."""
    calls = Calls()
    calls.open.set()
    with _live(place, calls) as live:
        _asking(live, 3, Portion(), 10)
        live.done = RowSet([0, 1, 2, 4, 29])
        await live.run()
        recorded = {(one.row, one.id, one.sample) for one in live.checkpoint.outcomes()}
    expected = set(range(30)) - {0, 1, 2, 4, 29}
    assert sorted(calls.made) == sorted(expected)
    assert recorded == {(record, f"id-{record // 3}", record % 3) for record in expected}


async def test_the_samples_of_a_row_are_no_duplicates_and_those_of_another_are(
    place: Place,
) -> None:
    """Whether the earlier row is in hand or recorded."""
    others = [{"id": f"id-{n}", "prompt": "x"} for n in range(200)]
    twice = {"id": "twice", "prompt": "x"}
    place.write([twice, twice, *others, twice])
    calls = Calls()
    calls.open.set()
    with _live(place, calls) as live:
        _asking(live, 2, Portion(), 203)
        await live.run()
        outcomes = list(live.checkpoint.outcomes())
    duplicates = [(one.row, one.sample) for one in outcomes if one.error_class == "duplicate_id"]
    assert duplicates == [(2, 0), (3, 1), (404, 0), (405, 1)]
    assert len(outcomes) == 406
    assert len(calls.made) == 402


async def test_only_chosen_rows_are_called_and_nothing_behind_them_is_read(place: Place) -> None:
    place.write({"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(5_000))
    with place.input.open("ab") as file:
        file.write(b"\xff not read")
    calls = Calls()
    calls.open.set()
    with _live(place, calls, concurrency=64) as live:
        _asking(live, 2, Portion(limit=3), 5_000)
        await live.run()
        assert live.checkpoint.mark_before(5_000) == live.checkpoint.mark_before(0)
    assert sorted(calls.made) == [0, 1, 2, 3, 4, 5]


async def test_the_first_row_of_an_id_is_a_duplicate_where_the_second_was_drawn_before(
    place: Place,
) -> None:
    """Its answer was paid for, so the id is its."""
    place.write({"id": "same" if n in (2, 7) else f"id-{n}", "prompt": "x"} for n in range(10))
    first, rest = Calls(), Calls()
    first.open.set()
    rest.open.set()
    with _live(place, first) as live:
        live.selection = Selection(stop=8, drawn=RowSet([7]))
        await live.run()
    with _live(place, rest) as live:
        await live.run()
        outcomes = {one.row: one for one in live.checkpoint.outcomes()}
    assert (first.made, len(rest.made)) == ([7], 8)
    assert outcomes[2].error_class == "duplicate_id"
    assert "prompts.jsonl:8" in str(outcomes[2].message)
    assert outcomes[7].error_class is None


@pytest.mark.parametrize("dedup", [False, True])
async def test_what_was_paid_for_the_same_request_and_set_aside_is_taken_instead_of_a_call(
    place: Place, *, dedup: bool
) -> None:
    """Whatever made its row be read again; others that have its id, or ask the same, see it."""
    job = place.job(reuse={"dedup": dedup})
    rows = [{"id": "a", "prompt": "One."}, {"id": "b", "prompt": "Two."}]
    place.write(rows)
    first, second = Calls(), Calls()
    first.open.set()
    second.open.set()
    found: list[None] = []
    with _live(place, first, job=job) as live:
        await live.run()
        with live.checkpoint.placement() as placement:
            placement.apply()
    place.write([*rows, {"id": "b", "prompt": "Three."}, {"id": "c", "prompt": "Two."}])
    with _live(place, second, job=job) as live:
        live.on_found = lambda: found.append(None)
        await live.run()
        outcomes = [(one.error_class, one.answered_by) for one in live.checkpoint.outcomes()]
        assert not live.checkpoint.has_shelved()
    assert (sorted(first.made), second.made) == ([0, 1], [] if dedup else [3])
    assert len(found) == 2
    assert outcomes == [
        *((None, "call"), (None, "call"), ("duplicate_id", "call")),
        (None, "duplicate" if dedup else "call"),
    ]
