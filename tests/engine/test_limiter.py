"""Permits: how many calls are in flight at once."""

from __future__ import annotations

import asyncio

import pytest
from batcher.engine.limiter import Limiter
from hypothesis import given
from hypothesis import strategies as st


@given(limit=st.integers(1, 8), holders=st.integers(0, 20))
def test_never_more_than_the_limit_hold_a_permit_and_all_get_one(limit: int, holders: int) -> None:
    seen: list[int] = []

    async def hold(limiter: Limiter) -> None:
        async with limiter.permit():
            seen.append(limiter.in_flight)
            await asyncio.sleep(0)

    async def main() -> int:
        limiter = Limiter(limit)
        await asyncio.gather(*(hold(limiter) for _ in range(holders)))
        return limiter.in_flight

    assert asyncio.run(main()) == 0
    assert len(seen) == holders
    assert max(seen, default=0) == min(limit, holders)


async def test_a_block_that_fails_gives_its_permit_back() -> None:
    limiter = Limiter(1)
    with pytest.raises(KeyError):
        async with limiter.permit():
            raise KeyError
    assert limiter.in_flight == 0
    async with limiter.permit():
        assert limiter.in_flight == 1


async def test_one_who_is_cancelled_while_waiting_takes_no_permit_along() -> None:
    limiter = Limiter(1)

    async def hold() -> None:
        async with limiter.permit():
            pytest.fail("no permit was free")

    async with limiter.permit():
        waiting = asyncio.create_task(hold())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert limiter.in_flight == 1
    async with limiter.permit():
        assert limiter.in_flight == 1
