"""Rows that wait: their order, and who of them asks whether the endpoint is back."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.engine.policy.spending import NOTHING
from batcher.engine.waiting import Permit, Queue, Waiter, Wish


def _waiter(number: int, tries: int = 0, *, last_chance: bool = False) -> Waiter:
    wish = Wish(("m",), 10, None, NOTHING, tries, last_chance)
    granted: asyncio.Future[Permit] = asyncio.Future(loop=asyncio.get_running_loop())
    return Waiter(number, wish, granted)


def _joined(*waiters: Waiter) -> Queue:
    queue = Queue(("m",))
    for waiter in waiters:
        queue.join(waiter)
    return queue


@given(gone=st.lists(st.booleans(), max_size=12))
def test_the_first_is_who_has_waited_longest_of_those_who_are_still_there(gone: list[bool]) -> None:
    async def main() -> None:
        waiters = [_waiter(number) for number in range(len(gone))]
        queue = _joined(*waiters)
        for waiter, left in zip(waiters, gone, strict=True):
            if left:
                waiter.granted.cancel()
        for number in (number for number, left in enumerate(gone) if not left):
            assert queue.first is waiters[number]
            waiters[number].granted.cancel()
        assert queue.first is None

    asyncio.run(main())


async def test_the_probe_is_the_row_with_the_fewest_failures_and_of_those_the_first() -> None:
    waiters = [_waiter(0, 3), _waiter(1, 1), _waiter(2, 1), _waiter(3, 2)]
    assert _joined(*waiters).probe() is waiters[1]


async def test_a_row_on_its_last_chance_is_no_probe_however_few_its_failures() -> None:
    spared, fit = _waiter(0, 0, last_chance=True), _waiter(1, 5)
    assert _joined(spared, fit).probe() is fit
    assert _joined(spared).probe() is None


async def test_who_has_left_is_no_probe() -> None:
    gone, fit = _waiter(0, 0), _waiter(1, 5)
    queue = _joined(fit, gone)
    gone.granted.cancel()
    assert queue.probe() is fit


async def test_all_who_are_dismissed_hear_why_and_are_gone() -> None:
    waiters = [_waiter(0), _waiter(1), _waiter(2)]
    queue = _joined(*waiters)
    waiters[1].granted.cancel()
    queue.dismiss(KeyError("why"))
    assert queue.first is None
    for waiter in (waiters[0], waiters[2]):
        with pytest.raises(KeyError, match="why"):
            await waiter.granted
    assert waiters[1].granted.cancelled()
