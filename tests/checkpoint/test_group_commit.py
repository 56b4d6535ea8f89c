"""Outcomes, written at once and synced in groups by one consumer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.checkpoint.group_commit import MAX_DELAY_S, MAX_ROWS, GroupCommit
from batcher.errors import StorageError
from batcher.records import InvalidAnswer, Kept, Outcome, Success, Unanswered

MakeSuccess = Callable[..., Success]
MakeInvalid = Callable[..., InvalidAnswer]
FOREVER = 3600.0


class Disk:
    """Remembers what is written, synced and told; its gates hold a write or a sync back."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.unanswered: list[Unanswered] = []
        self.invalid: list[InvalidAnswer] = []
        self.writes = 0
        self.syncs: list[list[int]] = []
        self.synced: list[int] = []
        self.told: list[int] = []
        self.writing = threading.Event()
        self.syncing = threading.Event()
        self.synced_at_all = threading.Event()
        self.write_gate = threading.Event()
        self.sync_gate = threading.Event()
        self.write_gate.set()
        self.sync_gate.set()
        self.write_error: StorageError | None = None
        self.sync_error: StorageError | None = None

    def write(self, kept: Sequence[Kept], unanswered: Sequence[Unanswered]) -> None:
        self.writes += 1
        self.writing.set()
        assert self.write_gate.wait(30)
        if self.write_error is not None:
            raise self.write_error
        self.invalid += [one for one in kept if isinstance(one, InvalidAnswer)]
        self.written += [one.row for one in kept if not isinstance(one, InvalidAnswer)]
        self.unanswered += unanswered

    def sync(self) -> None:
        pending = [row for row in self.written if row not in self.synced]
        self.syncing.set()
        assert self.sync_gate.wait(30)
        if self.sync_error is not None:
            raise self.sync_error
        self.syncs.append(pending)
        self.synced += pending
        self.synced_at_all.set()

    def tell(self, outcome: Outcome) -> None:
        assert outcome.row in self.synced, "told of a row that is not safe"
        self.told.append(outcome.row)

    def group(
        self,
        *,
        max_rows: int = MAX_ROWS,
        max_delay: float = FOREVER,
        each: bool = False,
        beat: float | None = None,
    ) -> GroupCommit:
        return GroupCommit(
            self.write,
            self.sync,
            self.tell,
            each=each,
            beat=beat,
            max_rows=max_rows,
            max_delay=max_delay,
        )


@pytest.fixture
def disk() -> Disk:
    return Disk()


async def _turns() -> None:
    """Let every task that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_group_has_256_rows_or_waits_a_tenth_of_a_second() -> None:
    """Promise 3."""
    assert (MAX_ROWS, MAX_DELAY_S) == (256, 0.1)


async def test_put_returns_when_the_outcome_is_written_and_before_it_is_synced(
    disk: Disk, success: MakeSuccess
) -> None:
    """Promise 2: what has been written outlives a kill."""
    disk.sync_gate.clear()
    group = disk.group(max_delay=0)
    running = asyncio.create_task(group.run())
    await group.put(success(0))
    assert disk.written == [0]
    assert disk.synced == disk.told == []
    disk.sync_gate.set()
    group.close()
    await running
    assert disk.synced == disk.told == [0]


async def test_put_waits_until_the_outcome_is_written(disk: Disk, success: MakeSuccess) -> None:
    disk.write_gate.clear()
    group = disk.group()
    running = asyncio.create_task(group.run())
    putting = asyncio.create_task(group.put(success(0)))
    await asyncio.to_thread(disk.writing.wait, 30)
    await _turns()
    assert not putting.done()
    disk.write_gate.set()
    await putting
    group.close()
    await running


async def test_with_each_put_returns_when_the_outcome_is_synced(
    disk: Disk, success: MakeSuccess
) -> None:
    """`--sync row`: a loss of power costs no row whose call has ended."""
    disk.sync_gate.clear()
    group = disk.group(each=True)
    running = asyncio.create_task(group.run())
    putting = asyncio.create_task(group.put(success(0)))
    await asyncio.to_thread(disk.syncing.wait, 30)
    await _turns()
    assert disk.written == [0]
    assert not putting.done()
    disk.sync_gate.set()
    await putting
    assert disk.synced == [0]
    group.close()
    await running


async def test_what_arrives_during_a_write_is_written_together_by_the_next(
    disk: Disk, success: MakeSuccess
) -> None:
    disk.write_gate.clear()
    group = disk.group()
    running = asyncio.create_task(group.run())
    puts = [asyncio.create_task(group.put(success(0)))]
    await asyncio.to_thread(disk.writing.wait, 30)
    puts += [asyncio.create_task(group.put(success(row))) for row in range(1, 9)]
    await _turns()
    disk.write_gate.set()
    await asyncio.gather(*puts)
    assert disk.writes == 2
    assert sorted(disk.written) == list(range(9))
    group.close()
    await running


async def test_a_full_group_is_synced_without_waiting(disk: Disk, success: MakeSuccess) -> None:
    group = disk.group(max_rows=3)
    running = asyncio.create_task(group.run())
    for row in range(7):
        await group.put(success(row))
    assert disk.syncs == [[0, 1, 2], [3, 4, 5]]
    group.close()
    await running
    assert disk.syncs[2:] == [[6]]
    assert disk.told == list(range(7))


async def test_a_group_that_does_not_fill_is_synced_after_the_delay(
    disk: Disk, success: MakeSuccess
) -> None:
    """Nothing closes it: only the delay can."""
    group = disk.group(max_delay=0.001)
    running = asyncio.create_task(group.run())
    for row in range(2):
        await group.put(success(row))
        await asyncio.to_thread(disk.synced_at_all.wait, 30)
        disk.synced_at_all.clear()
    assert disk.syncs == [[0], [1]]
    group.close()
    await running


async def test_the_delay_runs_from_the_first_write_of_a_group(
    disk: Disk, success: MakeSuccess
) -> None:
    """Not from the last one: a steady trickle must not put it off."""
    group = disk.group(max_delay=FOREVER)
    running = asyncio.create_task(group.run())
    await group.put(success(0))
    due = group._due
    assert due >= asyncio.get_running_loop().time() + FOREVER - 30
    await group.put(success(1))
    assert group._due == due
    group.close()
    await running
    assert disk.syncs == [[0, 1]]


@pytest.mark.parametrize("rows", [0, 1, 3, 6])
async def test_closing_records_what_is_left_and_ends(
    disk: Disk, success: MakeSuccess, rows: int
) -> None:
    group = disk.group()
    running = asyncio.create_task(group.run())
    for row in range(rows):
        await group.put(success(row))
    group.close()
    await running
    assert disk.told == list(range(rows))


async def test_a_call_without_an_answer_is_written_before_its_row_has_an_outcome(
    disk: Disk,
) -> None:
    group = disk.group()
    running = asyncio.create_task(group.run())
    group.note(Unanswered("key-1", 5))
    group.note(Unanswered("key-1", 0))
    await asyncio.to_thread(disk.writing.wait, 30)
    group.note(Unanswered("key-2", 7))
    group.close()
    await running
    assert disk.unanswered == [
        Unanswered("key-1", 5),
        Unanswered("key-1", 0),
        Unanswered("key-2", 7),
    ]


async def test_a_beat_is_written_while_nothing_arrives(disk: Disk) -> None:
    """So that other machines see this process live."""
    group = disk.group(beat=0.001)
    running = asyncio.create_task(group.run())
    for _ in range(3):
        await asyncio.to_thread(disk.writing.wait, 30)
        disk.writing.clear()
    assert disk.written == []
    group.close()
    await running


@pytest.mark.parametrize("which", ["write", "sync"])
async def test_a_failure_ends_it_and_is_not_tried_again(
    disk: Disk, success: MakeSuccess, which: str
) -> None:
    """Promise 5; a row that was not safe is never told of."""
    error = StorageError("the disk failed")
    setattr(disk, f"{which}_error", error)
    group = disk.group(max_delay=0)
    running = asyncio.create_task(group.run())
    putting = asyncio.create_task(group.put(success(0)))
    with pytest.raises(StorageError, match="the disk failed"):
        await running
    putting.cancel()
    assert disk.writes == 1
    assert disk.synced == disk.told == []


async def test_what_is_handed_over_and_not_synced_is_bounded(
    disk: Disk, success: MakeSuccess
) -> None:
    """A slow disk slows the calls down instead of filling the memory."""
    disk.sync_gate.clear()
    group = disk.group(max_rows=2)
    running = asyncio.create_task(group.run())
    handed_over: list[int] = []

    async def hand_over() -> None:
        for row in range(10):
            await group.put(success(row))
            handed_over.append(row)
        group.close()

    calls = asyncio.create_task(hand_over())
    await asyncio.to_thread(disk.syncing.wait, 30)
    await _turns()
    assert handed_over == disk.written == [0, 1]
    disk.sync_gate.set()
    await calls
    await running
    assert disk.told == list(range(10))


async def test_when_cancelled_a_write_under_way_is_completed(
    disk: Disk, success: MakeSuccess
) -> None:
    disk.write_gate.clear()
    group = disk.group()
    running = asyncio.create_task(group.run())
    putting = asyncio.create_task(group.put(success(0)))
    await asyncio.to_thread(disk.writing.wait, 30)
    running.cancel()
    threading.Timer(0.01, disk.write_gate.set).start()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert disk.written == [0]
    putting.cancel()


@given(
    pauses=st.lists(st.integers(0, 4), max_size=30),
    max_rows=st.integers(1, 4),
    max_delay=st.sampled_from([0.0, 1e-5]),
    each=st.booleans(),
)
def test_no_row_is_lost_or_doubled_however_rows_and_delays_meet(
    pauses: list[int], max_rows: int, max_delay: float, *, each: bool, success: MakeSuccess
) -> None:
    """With hardly any delay, it ends again and again at the very moment a row arrives."""
    disk = Disk()

    async def scenario() -> None:
        group = disk.group(max_rows=max_rows, max_delay=max_delay, each=each)
        running = asyncio.create_task(group.run())
        puts = []
        for row, pause in enumerate(pauses):
            for _ in range(pause):
                await asyncio.sleep(0)
            puts.append(asyncio.create_task(group.put(success(row))))
        await asyncio.gather(*puts)
        group.close()
        await running

    asyncio.run(scenario())
    assert disk.written == disk.synced == disk.told == list(range(len(pauses)))
    assert all(len(rows) <= max_rows for rows in disk.syncs)


async def test_what_is_written_keeps_no_long_text_while_it_waits_for_its_sync(
    disk: Disk, success: MakeSuccess
) -> None:
    told: list[Outcome] = []
    group = GroupCommit(disk.write, disk.sync, told.append, max_delay=0.0)
    disk.sync_gate.clear()
    running = asyncio.create_task(group.run())
    short = success(1)
    await group.put(replace(short, completion=replace(short.completion, text="x" * 100_000)))
    disk.sync_gate.set()
    group.close()
    await running
    (outcome,) = told
    assert isinstance(outcome, Success)
    assert (outcome.row, outcome.completion.text) == (1, None)


async def test_an_answer_of_no_use_is_written_and_synced_and_nobody_is_told(
    disk: Disk, success: MakeSuccess, invalid: MakeInvalid
) -> None:
    group = disk.group(max_delay=0)
    running = asyncio.create_task(group.run())
    await group.put(invalid("key-1"))
    assert disk.invalid == [invalid("key-1")]
    await group.put(success(2))
    group.close()
    await running
    assert disk.told == [2]
    assert disk.syncs
