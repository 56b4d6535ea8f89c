"""Virtual time: it passes at once, in order, and never hangs."""

from __future__ import annotations

import asyncio

import pytest

from tests.overload import virtual


def test_timers_end_in_order_at_their_moments() -> None:
    ended: list[tuple[str, float]] = []

    async def wait(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        ended.append((name, virtual.monotonic()))

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(wait("a day", 86_400))
            tasks.create_task(wait("a moment", 0.001))
            tasks.create_task(wait("a minute", 60))

    virtual.run(main())
    assert [name for name, _ in ended] == ["a moment", "a minute", "a day"]
    assert [moment for _, moment in ended] == pytest.approx([0.001, 60, 86_400])


def test_deadlines_are_of_virtual_time_too() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(300):
                await asyncio.sleep(7200)
        return virtual.monotonic()

    assert virtual.run(main()) == pytest.approx(300)


def test_the_wall_clock_goes_with_the_loop() -> None:
    async def main() -> float:
        await asyncio.sleep(5)
        return virtual.clock()

    assert virtual.run(main()) == pytest.approx(virtual.EPOCH + 5)


def test_waiting_for_what_cannot_happen_is_an_error() -> None:
    async def main() -> None:
        await asyncio.sleep(1)
        await asyncio.get_running_loop().create_future()

    with pytest.raises(virtual.StuckError):
        virtual.run(main())
