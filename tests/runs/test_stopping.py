"""Runs in threads, asked to end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import pytest

from batcher.errors import Interruption
from batcher.runs.stopping import Asked, Hearing, checked, soon


class _Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_takes_long_ends_at_its_next_look_once_it_was_asked() -> None:
    asked = Asked()
    with asked.interruptible() as check:
        values = checked(range(10), check)
        assert [next(values), next(values)] == [0, 1]
        asked.ask()
        with pytest.raises(Interruption):
            next(values)


def test_who_is_asked_once_ends_one_block_and_lets_the_next_go_on() -> None:
    """What is heard is not heard again: the last copy is still waited for."""
    asked = Asked()

    def ask(times: int) -> None:
        with asked.interruptible() as check:
            for _ in range(times):
                asked.ask()
            check()

    with pytest.raises(Interruption):
        ask(1)
    ask(0)
    with pytest.raises(Interruption):
        ask(2)
    with pytest.raises(Interruption):
        ask(0)


def test_what_is_asked_while_it_is_held_is_heard_at_the_next_look() -> None:
    asked = Hearing(Asked(), lambda: 0.0)

    def ask() -> None:
        with asked.interruptible() as check:
            with asked.held():
                asked._inner.ask()  # type: ignore[attr-defined] # an `Asked`
            check()

    with pytest.raises(Interruption):
        ask()


def test_a_block_without_time_left_ends_at_its_next_look() -> None:
    clock = _Clock()
    with Asked(clock).interruptible(within=5) as check:
        clock.now = 4.9
        check()
        clock.now = 5
        with pytest.raises(Interruption):
            check()


async def test_another_thread_has_the_loop_do_something_soon() -> None:
    done: list[str] = []
    await asyncio.to_thread(soon(done.append), "said")
    await asyncio.sleep(0)
    assert done == ["said"]


def test_a_loop_that_is_over_is_asked_for_nothing() -> None:
    done: list[str] = []

    async def soon_done() -> Callable[[str], None]:
        return soon(done.append)

    asyncio.run(soon_done())("said")
    assert done == []


async def test_calls_hear_of_each_time_they_are_asked_to_stop() -> None:
    asked, heard = Asked(), list[signal.Signals]()
    with asked.calling(heard.append):
        asked.ask()
        await asyncio.sleep(0)
        assert heard == [signal.SIGINT]
        await asyncio.to_thread(asked.ask)
        await asyncio.sleep(0)
    assert heard == [signal.SIGINT] * 2


async def test_calls_hear_which_signal_it_was() -> None:
    asked, heard = Asked(), list[signal.Signals]()
    asked.ask(signal.SIGTERM)
    with asked.interruptible() as check, pytest.raises(Interruption, match="SIGTERM"):
        check()
    with asked.calling(heard.append):
        await asyncio.sleep(0)
    assert heard == [signal.SIGTERM]


async def test_calls_hear_of_what_was_asked_before_they_began() -> None:
    asked, heard = Asked(), list[signal.Signals]()
    asked.ask()
    with asked.calling(heard.append):
        await asyncio.sleep(0)
    assert len(heard) == 1


async def test_what_the_calls_have_heard_of_ends_nothing_after_them() -> None:
    """The results are still written; asked once more, they are not."""
    asked = Asked()
    with asked.calling(lambda _number: None):
        asked.ask()
        await asyncio.sleep(0)
    with asked.interruptible() as check:
        check()
        asked.ask()
        with pytest.raises(Interruption):
            check()


async def test_whoever_must_hurry_knows_when_the_first_stop_came_and_whether_it_was_the_last() -> (
    None
):
    clock, asked, heard = _Clock(), Asked(), list[signal.Signals]()
    hearing = Hearing(asked, clock)
    clock.now = 3.0
    with hearing.calling(heard.append):
        asked.ask()
        await asyncio.sleep(0)
        assert (hearing.first_at, hearing.twice, len(heard)) == (3.0, False, 1)
        clock.now = 5.0
        asked.ask()
        await asyncio.sleep(0)
    assert (hearing.first_at, hearing.twice, len(heard)) == (3.0, True, 2)


def test_a_stop_before_the_first_call_is_heard_and_handed_on() -> None:
    clock, asked = _Clock(), Asked()
    hearing = Hearing(asked, clock)

    def ask() -> None:
        with hearing.interruptible() as check:
            check()
            clock.now = 2.0
            asked.ask()
            check()

    with pytest.raises(Interruption):
        ask()
    assert (hearing.first_at, hearing.twice) == (2.0, False)
