"""Room for answers, in bytes."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.engine.room import MOST_BYTES, Room


async def _settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_all_may_read_while_there_is_room() -> None:
    room = Room(100)
    assert room.hold("a", 50)
    assert room.hold("b", 50)


def test_where_room_is_used_up_only_who_came_first_reads_on() -> None:
    room = Room(100)
    assert room.hold("a", 60)
    assert not room.hold("b", 60)
    assert room.hold("a", 1000)


def test_what_is_held_no_more_is_room_for_others() -> None:
    room = Room(100)
    room.hold("a", 60)
    assert not room.hold("b", 60)
    assert room.hold("b", 40)


async def test_who_waits_goes_on_when_there_is_room_again() -> None:
    room = Room(100)
    room.hold("a", 90)
    room.hold("b", 90)
    room.hold("c", 5)
    turns = [asyncio.create_task(room.turn(name)) for name in ("b", "c")]
    await _settled()
    assert not any(turn.done() for turn in turns)
    room.leave("a")
    await asyncio.gather(*turns)


async def test_who_waits_goes_on_as_the_first_though_there_is_no_room() -> None:
    room = Room(100)
    for name in ("a", "b", "c"):
        room.hold(name, 90)
    first, second = (asyncio.create_task(room.turn(name)) for name in ("b", "c"))
    await _settled()
    room.leave("a")
    await _settled()
    assert (first.done(), second.done()) == (True, False)
    room.leave("b")
    await second


async def test_who_was_cancelled_while_it_waited_holds_nobody_up() -> None:
    room = Room(100)
    for name in ("a", "b", "c"):
        room.hold(name, 90)
    first, second = (asyncio.create_task(room.turn(name)) for name in ("b", "c"))
    await _settled()
    first.cancel()
    room.leave("b")
    room.leave("a")
    await second
    assert first.cancelled()


async def test_who_may_go_on_and_finds_the_room_taken_waits_on() -> None:
    room = Room(100)
    for name, size in (("first", 1), ("a", 60), ("b", 60)):
        room.hold(name, size)
    turn = asyncio.create_task(room.turn("b"))
    await _settled()
    room.leave("a")
    room.hold("c", 60)
    await _settled()
    assert not turn.done()
    room.leave("c")
    await turn


def test_the_calls_are_as_many_as_answers_of_the_usual_size_fit() -> None:
    room = Room(1000)
    assert room.calls == 1000
    for number in range(200):
        room.hold(str(number), 100)
        room.leave(str(number))
    assert room.calls == 10


def test_one_call_may_be_under_way_however_large_answers_are() -> None:
    room = Room(10)
    for number in range(200):
        room.hold(str(number), 100)
        room.leave(str(number))
    assert room.calls == 1


def test_answers_of_the_usual_size_bound_nothing() -> None:
    assert Room().calls > 100_000
    assert MOST_BYTES // 16_384 > 2000


@given(
    most=st.integers(1, 300),
    answers=st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=8), max_size=12),
)
def test_every_answer_is_read_to_its_end_within_room_one_answer_and_a_piece_of_each(
    most: int, answers: list[list[int]]
) -> None:
    room, held = Room(most), dict[str, int]()
    peak = 0

    async def receive(name: str, pieces: list[int]) -> None:
        nonlocal peak
        for size in itertools.accumulate(pieces):
            await asyncio.sleep(0)
            held[name] = size
            peak = max(peak, sum(held.values()))
            if not room.hold(name, size):
                await room.turn(name)
        await asyncio.sleep(0)
        del held[name]
        room.leave(name)

    async def main() -> None:
        names = enumerate(answers)
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            for number, pieces in names:
                tasks.create_task(receive(str(number), pieces))

    asyncio.run(main())
    largest = max(map(sum, answers), default=0)
    assert peak <= most + largest + sum(map(max, answers))


@pytest.mark.parametrize("name", ["a", "never came"])
def test_leaving_frees_what_was_held_and_nothing_else(name: str) -> None:
    room = Room(100)
    room.hold("a", 90)
    room.hold("b", 10)
    room.leave(name)
    assert room.hold("c", 80) == (name == "a")
