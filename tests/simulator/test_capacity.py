"""Room for requests: places, rates, and turns."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

import pytest

from batcher.simulator.capacity import Account, Capacity, Queue
from batcher.simulator.codes import RefusedError
from batcher.simulator.config import SimulatorConfig
from batcher.simulator.schedule import Change, Outage


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock | None = None, **fields: Any) -> Capacity:  # noqa: ANN401 -- those of SimulatorConfig
    return Capacity(SimulatorConfig(**fields), clock or Clock())


async def code(account: Account, held: ExitStack, now: float = 0, tokens: int = 0) -> str | None:
    """Return the code a request is refused with, if it is."""
    try:
        await account.admit(tokens, now, held)
    except RefusedError as refused:
        return refused.code
    return None


async def turns() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


# Places.


async def test_a_place_is_free_again_when_its_request_has_ended() -> None:
    account = opened(limits={"*": 2}).account("mine", "glm-5")
    with ExitStack() as one, ExitStack() as other:
        assert [await code(account, one), await code(account, other)] == [None, None]
        assert [await code(account, other), await code(account, other)] == ["1302", "1302"]
        one.close()
        assert [await code(account, one), await code(account, other)] == [None, "1302"]


async def test_every_key_and_every_model_has_places_of_its_own() -> None:
    capacity = opened(limits={"*": 1})
    with ExitStack() as held:
        asked = [("mine", "glm-5"), ("yours", "glm-5"), ("mine", "glm-4.6"), ("mine", "glm-5")]
        codes = [await code(capacity.account(*names), held) for names in asked]
    assert codes == [None, None, None, "1302"]


async def test_without_a_limit_there_is_always_a_place() -> None:
    account = opened(limits={}).account("mine", "glm-5")
    with ExitStack() as held:
        assert {await code(account, held) for _ in range(2000)} == {None}


async def test_a_change_applies_to_those_who_come_after_it() -> None:
    clock = Clock()
    account = opened(clock, limits={"*": 4}, changes=(Change(60, 0.5),)).account("mine", "glm-5")
    with ExitStack() as held, ExitStack() as first:
        assert [await code(account, held) for _ in range(2)] == [None, None]
        assert await code(account, first) is None
        clock.now += 60
        assert await code(account, held) == "1302"
        first.close()
        assert await code(account, held) == "1302"


# Rates.


async def test_a_rate_that_is_used_up_is_another_code_than_a_place_that_is_taken() -> None:
    clock = Clock()
    account = opened(clock, limits={"*": 3}, rpm=2).account("mine", "glm-5")
    with ExitStack() as held:
        codes = [await code(account, held, clock.now) for _ in range(3)]
        assert codes == [None, None, "1303"]
        clock.now += 30
        assert [await code(account, held, clock.now) for _ in range(2)] == [None, "1302"]


async def test_a_rate_counts_tokens_and_belongs_to_one_key_and_model() -> None:
    clock = Clock()
    capacity = opened(clock, limits={}, tpm=100)
    with ExitStack() as held:
        mine, yours = (capacity.account(name, "glm-5") for name in ("mine", "yours"))
        assert [await code(mine, held, clock.now, 60) for _ in range(2)] == [None, "1303"]
        assert await code(yours, held, clock.now, 60) is None


# Turns.


async def test_a_queue_serves_in_the_order_of_arrival() -> None:
    queue = Queue(lambda: 2)
    served: list[int] = []

    async def ask(number: int) -> None:
        await queue.enter()
        served.append(number)

    tasks = [asyncio.create_task(ask(number)) for number in range(5)]
    await turns()
    assert served == [0, 1]
    queue.leave()
    late = asyncio.create_task(ask(5))
    await turns()
    assert served == [0, 1, 2]
    for _ in range(3):
        queue.leave()
        await turns()
    await asyncio.gather(*tasks, late)
    assert served == [0, 1, 2, 3, 4, 5]


async def test_who_leaves_while_it_waits_is_passed_over() -> None:
    queue = Queue(lambda: 1)
    await queue.enter()
    left, stays = (asyncio.create_task(queue.enter()) for _ in range(2))
    await turns()
    left.cancel()
    queue.leave()  # before the task that was cancelled has run again
    await turns()
    assert left.cancelled()
    assert stays.done()
    assert queue._served == 1


async def test_who_leaves_in_the_moment_of_its_turn_gives_it_to_the_next() -> None:
    queue = Queue(lambda: 1)
    await queue.enter()
    left, next_one = (asyncio.create_task(queue.enter()) for _ in range(2))
    await turns()
    queue.leave()
    left.cancel()
    await turns()
    assert left.cancelled()
    assert next_one.done()
    assert queue._served == 1


async def test_places_that_are_added_are_all_given_away_and_lost_ones_are_not() -> None:
    places = [1]
    queue = Queue(lambda: places[0])
    await queue.enter()
    waiting = [asyncio.create_task(queue.enter()) for _ in range(5)]
    await turns()
    places[0] = 3
    queue.leave()
    await turns()
    assert [task.done() for task in waiting] == [True, True, True, False, False]
    places[0] = 1
    queue.leave()
    queue.leave()
    await turns()
    assert [task.done() for task in waiting] == [True, True, True, False, False]
    queue.leave()
    await turns()
    assert [task.done() for task in waiting] == [True, True, True, True, False]
    waiting[-1].cancel()


async def test_the_keys_of_a_model_share_its_queue_and_an_ended_request_makes_room() -> None:
    capacity = opened(limits={}, queue=1)
    with ExitStack() as mine, ExitStack() as yours, ExitStack() as elsewhere:
        await capacity.account("mine", "glm-5").admit(0, 0, mine)
        await capacity.account("mine", "glm-4.6").admit(0, 0, elsewhere)
        waiting = asyncio.create_task(capacity.account("yours", "glm-5").admit(0, 0, yours))
        await turns()
        assert not waiting.done()
        mine.close()
        await waiting


async def test_who_leaves_the_queue_gives_its_place_back_as_well() -> None:
    account = opened(limits={"*": 2}, queue=1).account("mine", "glm-5")
    with ExitStack() as held:
        await account.admit(0, 0, held)
        with ExitStack() as waits:
            waiting = asyncio.create_task(account.admit(0, 0, waits))
            await turns()
            assert await code(account, held) == "1302"
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert account._in_flight == 1
    assert account._in_flight == 0


# Faults before any limit.


def test_an_outage_meets_all_and_counts_for_no_key() -> None:
    clock = Clock()
    faults = {"spent": (1, "1113")}
    capacity = opened(clock, outages=(Outage(0, 10, "timeout"),), key_faults=faults)
    assert [capacity.fault("spent") for _ in range(3)] == ["timeout"] * 3
    clock.now += 10
    assert [capacity.fault("spent") for _ in range(3)] == [None, "1113", "1113"]


def test_one_key_of_several_is_exhausted() -> None:
    capacity = opened(key_faults={"spent": (2, "1113")})
    keys = ["spent", "rich", "spent", "spent", "rich"]
    assert [capacity.fault(key) for key in keys] == [None, None, None, "1113", None]
