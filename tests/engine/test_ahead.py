"""Amounts that are put down ahead of need, beside the loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from batcher.engine.ahead import Ahead
from batcher.errors import StorageError


class _Disk:
    """Keeps what was written; each write ends when it is let, or fails."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.written: list[int] = []
        self.heard: list[int] = []
        self.go_on = asyncio.Event()
        self.failure: Exception | None = None

    async def write(self, amount: int) -> None:
        self.begun.append(amount)
        await self.go_on.wait()
        if self.failure is not None:
            raise self.failure
        self.written.append(amount)

    def ahead(self, amount: int = 0) -> Ahead:
        return Ahead(amount, self.write, lambda: self.heard.append(len(self.written)))


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_needed_is_covered_once_it_is_written_and_whoever_waits_hears() -> None:
    disk = _Disk()
    ahead = disk.ahead()
    assert not ahead.covers(1, 9)
    await _settled()
    assert (disk.begun, disk.heard) == ([10], [])
    assert not ahead.covers(1, 9)
    disk.go_on.set()
    await _settled()
    assert disk.heard == [1]
    assert ahead.covers(1, 9)
    assert ahead.covers(5, 9)


async def test_the_next_amount_is_begun_when_half_of_the_last_is_left_and_only_once() -> None:
    disk = _Disk()
    ahead = disk.ahead(10)
    assert ahead.covers(6, 8)
    assert ahead.covers(7, 8)
    assert ahead.covers(8, 8)
    await _settled()
    assert disk.begun == [15]
    disk.go_on.set()
    await _settled()
    assert ahead.covers(11, 8)
    assert disk.begun == [15]


async def test_a_failed_write_is_raised_by_whoever_asks_next_and_none_is_tried_again() -> None:
    """reliability.md promise 5."""
    disk = _Disk()
    disk.failure = StorageError("disk")
    disk.go_on.set()
    ahead = disk.ahead()
    assert not ahead.covers(1, 1)
    await _settled()
    assert disk.heard == [0]
    for _ in range(2):
        with pytest.raises(StorageError, match="disk"):
            ahead.covers(1, 1)
    with pytest.raises(StorageError, match="disk"):
        await ahead.end(0)
    assert disk.begun == [2]


async def test_the_end_waits_for_a_write_under_way_so_that_it_is_the_last() -> None:
    disk = _Disk()
    ahead = disk.ahead()
    ahead.covers(1, 9)
    end = asyncio.create_task(ahead.end(3))
    await _settled()
    assert disk.begun == [10]
    disk.go_on.set()
    await end
    assert disk.written == [10, 3]


async def test_an_end_that_is_put_down_already_is_not_written_again() -> None:
    disk = _Disk()
    await disk.ahead(3).end(3)
    assert disk.begun == []


async def test_a_write_that_is_cancelled_with_its_loop_tells_nobody() -> None:
    said: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: said.append(context))
    disk = _Disk()
    disk.ahead().covers(1, 9)
    await _settled()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await _settled()
    assert (said, disk.heard) == ([], [])
