"""How answers are received: their largest size, the room they take, who decodes them."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from batcher.engine.client import Receiving
from batcher.engine.client.intake import LARGE, Intake
from batcher.engine.room import Room
from batcher.errors import ErrorClass, ProviderError
from batcher.records import Completion
from tests.engines import in_virtual_time
from tests.one_call import COMPLETION, SHORT_S


async def _settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_an_answer_as_large_as_allowed_is_taken_and_no_larger_one() -> None:
    intake = Intake(Receiving(10), "request-1", asyncio.timeout(None))
    intake.count(6)
    intake.count(4)
    assert intake.size == 10
    with pytest.raises(ProviderError, match="larger than 10 bytes") as raised:
        intake.count(1)
    assert raised.value.problem.error_class is ErrorClass.MALFORMED_ANSWER


@in_virtual_time
async def test_the_deadline_waits_while_an_answer_waits_for_room() -> None:
    """The provider is not to blame, and the answer is paid."""
    room = Room(100)
    room.hold("another", 100)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(10) as deadline:
        intake = Intake(Receiving(1000, room), "request-1", deadline)
        await asyncio.sleep(4)
        loop.call_later(60, room.leave, "another")
        await intake.hold(50)
        assert loop.time() - (deadline.when() or 0) == pytest.approx(-6)
        await intake.hold(100)


@in_virtual_time
async def test_without_a_deadline_an_answer_waits_for_room_all_the_same() -> None:
    room = Room(100)
    room.hold("another", 100)
    async with asyncio.timeout(None) as deadline:
        asyncio.get_running_loop().call_later(60, room.leave, "another")
        await Intake(Receiving(1000, room), "request-1", deadline).hold(50)
        assert deadline.when() is None


@in_virtual_time
async def test_a_call_that_is_cancelled_while_it_waits_for_room_ends() -> None:
    room = Room(100)
    room.hold("another", 100)

    async def receive() -> None:
        async with asyncio.timeout(10) as deadline:
            await Intake(Receiving(1000, room), "request-1", deadline).hold(50)

    task = asyncio.create_task(receive())
    await asyncio.sleep(20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(("size", "apart"), [(LARGE - 1, False), (LARGE, True)])
async def test_a_large_answer_is_decoded_beside_the_loop_and_a_small_one_at_once(
    size: int,
    apart: bool,  # noqa: FBT001 -- a case
) -> None:
    threads: list[str] = []

    def decode() -> Completion:
        threads.append(threading.current_thread().name)
        return COMPLETION

    with ThreadPoolExecutor(1, "decoder") as decoder:
        receiving = Receiving(1000, decoder=decoder)
        assert await receiving.decoded(size, decode) == COMPLETION
    (thread,) = threads
    assert thread.startswith("decoder") == apart


async def test_what_is_wrong_with_a_large_answer_is_raised_as_of_a_small_one() -> None:
    def decode() -> Completion:
        raise ValueError(SHORT_S)

    with pytest.raises(ValueError, match=str(SHORT_S)):
        await Receiving(1000).decoded(LARGE, decode)
