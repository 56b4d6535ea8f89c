"""Outcomes, recorded in groups by one consumer."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.checkpoint.group_commit import MAX_DELAY_S, MAX_ROWS, GroupCommit
from batcher.errors import StorageError
from batcher.records import Outcome, Success

MakeSuccess = Callable[..., Success]
FOREVER = 3600.0


class Disk:
    """Remembers the rows of each group; with a gate, a commit waits until it is opened."""

    def __init__(self, *, gate: threading.Event | None = None, fails: bool = False) -> None:
        self.groups: list[list[int]] = []
        self.recorded: list[int] = []
        self.told: list[int] = []
        self.begun = threading.Event()
        self._gate = gate
        self._fails = fails

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        self.begun.set()
        if self._gate is not None:
            assert self._gate.wait(30)
        self.groups.append([outcome.row for outcome in outcomes])
        self.recorded += self.groups[-1]
        if self._fails:
            raise StorageError("disk full")

    def tell(self, outcome: Outcome) -> None:
        assert outcome.row in self.recorded, "told of a row that is not recorded"
        self.told.append(outcome.row)


async def _record(group: GroupCommit, outcomes: Sequence[Outcome]) -> None:
    """Hand over `outcomes` and close, while the group commit runs."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(group.run())
        for outcome in outcomes:
            await group.put(outcome)
        await group.close()


async def _turns() -> None:
    """Let every task that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


@contextlib.contextmanager
def _timeouts() -> Iterator[list[asyncio.Timeout]]:
    """Yield a list of every timeout that is begun."""
    begun: list[asyncio.Timeout] = []
    real = asyncio.timeout

    def timeout(delay: float | None) -> asyncio.Timeout:
        begun.append(real(delay))
        return begun[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "timeout", timeout)
        yield begun


def test_a_group_has_256_rows_or_waits_a_tenth_of_a_second() -> None:
    """Promise 3."""
    assert (MAX_ROWS, MAX_DELAY_S) == (256, 0.1)
    group = GroupCommit(lambda _: None, lambda _: None)
    assert (group._max_rows, group._max_delay) == (256, 0.1)


async def test_a_full_group_is_committed_without_waiting(success: MakeSuccess) -> None:
    disk = Disk()
    group = GroupCommit(disk.commit, disk.tell, max_rows=3, max_delay=FOREVER)
    await _record(group, [success(row) for row in range(7)])
    assert disk.groups == [[0, 1, 2], [3, 4, 5], [6]]
    assert disk.told == list(range(7))


async def test_a_group_that_does_not_fill_is_committed_after_the_delay(
    success: MakeSuccess,
) -> None:
    """Nothing closes it: only the delay can."""
    disk = Disk()
    recorded = asyncio.Event()

    def tell(outcome: Outcome) -> None:
        disk.tell(outcome)
        recorded.set()

    group = GroupCommit(disk.commit, tell, max_rows=3, max_delay=0.001)
    running = asyncio.create_task(group.run())
    for row in range(2):
        recorded.clear()
        await group.put(success(row))
        await asyncio.wait_for(recorded.wait(), 30)
    assert disk.groups == [[0], [1]]
    await group.close()
    await running


async def test_the_delay_runs_from_the_first_row_of_a_group(success: MakeSuccess) -> None:
    """Not from the last one, nor while there is none: a steady trickle must not put it off."""
    disk = Disk()
    group = GroupCommit(disk.commit, disk.tell, max_rows=10, max_delay=FOREVER)
    with _timeouts() as timeouts:
        running = asyncio.create_task(group.run())
        await _turns()
        assert timeouts[0].when() is None
        since = asyncio.get_running_loop().time()
        await group.put(success(0))
        await _turns()
        when = timeouts[0].when()
        assert when is not None
        assert when >= since + FOREVER
        await group.put(success(1))
        await _turns()
        assert timeouts[0].when() == when
        await group.close()
        await running
    assert disk.groups == [[0, 1]]


@pytest.mark.parametrize("rows", [0, 1, 3, 6])
async def test_closing_records_what_is_left_and_ends(success: MakeSuccess, rows: int) -> None:
    disk = Disk()
    group = GroupCommit(disk.commit, disk.tell, max_rows=3, max_delay=FOREVER)
    await _record(group, [success(row) for row in range(rows)])
    assert disk.told == list(range(rows))
    assert all(disk.groups), "an empty group was committed"


async def test_a_failed_commit_ends_it_and_is_not_tried_again(success: MakeSuccess) -> None:
    """Promise 5."""
    disk = Disk(fails=True)
    group = GroupCommit(disk.commit, disk.tell, max_rows=2, max_delay=FOREVER)
    running = asyncio.create_task(group.run())
    for row in range(4):
        await group.put(success(row))
    with pytest.raises(StorageError, match="disk full"):
        await running
    assert disk.groups == [[0, 1]]
    assert disk.told == []


async def test_closing_never_waits_for_a_run_that_has_failed(success: MakeSuccess) -> None:
    """Even with no room left; else a full disk at the end would hang the whole run."""
    group = GroupCommit(Disk(fails=True).commit, lambda _: None, max_rows=1, max_delay=FOREVER)
    running = asyncio.create_task(group.run())
    await group.put(success(0))
    await group.put(success(1))
    with pytest.raises(StorageError):
        await running
    assert group._room.locked()
    await asyncio.wait_for(group.close(), 30)


async def test_what_is_handed_over_and_not_recorded_is_bounded(success: MakeSuccess) -> None:
    """Two groups: a slow disk slows the calls down instead of filling the memory."""
    gate = threading.Event()
    disk = Disk(gate=gate)
    group = GroupCommit(disk.commit, disk.tell, max_rows=2, max_delay=FOREVER)
    running = asyncio.create_task(group.run())
    handed_over: list[int] = []

    async def hand_over() -> None:
        for row in range(10):
            await group.put(success(row))
            handed_over.append(row)
        await group.close()

    calls = asyncio.create_task(hand_over())
    await asyncio.to_thread(disk.begun.wait, 30)
    await _turns()
    assert handed_over == [0, 1, 2, 3]
    gate.set()
    await calls
    await running
    assert disk.told == list(range(10))


async def test_when_cancelled_a_commit_under_way_is_completed(success: MakeSuccess) -> None:
    gate = threading.Event()
    disk = Disk(gate=gate)
    group = GroupCommit(disk.commit, disk.tell, max_rows=1, max_delay=FOREVER)
    running = asyncio.create_task(group.run())
    await group.put(success(0))
    await group.put(success(1))
    await asyncio.to_thread(disk.begun.wait, 30)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    gate.set()
    await asyncio.get_running_loop().shutdown_default_executor()
    assert disk.groups == [[0]]


async def test_when_cancelled_while_it_waits_it_ends_at_once(success: MakeSuccess) -> None:
    disk = Disk()
    group = GroupCommit(disk.commit, disk.tell, max_delay=FOREVER)
    running = asyncio.create_task(group.run())
    await group.put(success(0))
    await _turns()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert disk.groups == []


@given(
    pauses=st.lists(st.integers(0, 4), max_size=30),
    max_rows=st.integers(1, 4),
    max_delay=st.sampled_from([0.0, 1e-5]),
)
def test_no_row_is_lost_or_doubled_however_rows_and_delays_meet(
    pauses: list[int], max_rows: int, max_delay: float, success: MakeSuccess
) -> None:
    """With hardly any delay, it ends again and again at the very moment a row arrives."""
    disk = Disk()

    async def scenario() -> None:
        group = GroupCommit(disk.commit, disk.tell, max_rows=max_rows, max_delay=max_delay)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(group.run())
            for row, pause in enumerate(pauses):
                for _ in range(pause):
                    await asyncio.sleep(0)
                await group.put(success(row))
            await group.close()

    asyncio.run(scenario())
    assert disk.recorded == disk.told == list(range(len(pauses)))
    assert all(1 <= len(group) <= max_rows for group in disk.groups)


async def test_a_row_that_arrives_as_the_delay_ends_is_in_the_next_group(
    success: MakeSuccess,
) -> None:
    """In one turn of the loop the row wakes the waiting `get`, and the delay cancels it."""
    disk = Disk()
    group = GroupCommit(disk.commit, disk.tell, max_rows=9, max_delay=FOREVER)
    with _timeouts() as timeouts:
        running = asyncio.create_task(group.run())
        await group.put(success(0))
        await _turns()
        timeouts[0].reschedule(0)
        await group.put(success(1))
        await group.close()
        await running
    assert disk.groups == [[0], [1]]
