"""What all open pages are shown."""

from __future__ import annotations

import asyncio

from batcher.observe.live import Board


async def test_a_page_that_opens_late_is_shown_the_latest_event_at_once() -> None:
    board = Board()
    board.show("first")
    board.show("second")
    assert await board.after(0) == (2, "second")


async def test_each_page_waits_for_news_and_all_get_it() -> None:
    board = Board()
    board.show("first")
    waiting = [asyncio.create_task(board.after(1)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(page.done() for page in waiting)
    board.show("second")
    assert await asyncio.gather(*waiting) == [(2, "second")] * 3


async def test_a_slow_page_misses_events_and_holds_up_nobody() -> None:
    board = Board()
    for number in range(1000):
        board.show(str(number))
    assert await board.after(1) == (1000, "999")


async def test_the_end_reaches_pages_that_wait_and_those_that_come_later() -> None:
    board = Board()
    waiting = asyncio.create_task(board.after(0))
    await asyncio.sleep(0)
    board.end()
    assert await waiting is None
    assert await board.after(0) is None


async def test_a_run_is_watched_as_long_as_any_page_is_open() -> None:
    board = Board()
    assert not board.watched.is_set()
    with board.page():
        with board.page():
            assert board.watched.is_set()
        assert board.watched.is_set()
    assert not board.watched.is_set()
