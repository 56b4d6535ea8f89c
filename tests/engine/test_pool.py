"""The bounded pool: what is pulled, what is settled, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.engine.admission import RowPendingError
from batcher.engine.pool import run_pool
from batcher.records import Request, Source


def _request(row: int, size: int = 1) -> Request:
    return Request(row, f"id-{row}", f"key-{row}", {}, Source("prompts.jsonl", row + 1), size)


async def _settle() -> None:
    """Let everything that can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


@dataclass
class _Work:
    """Rows that end when the test says so."""

    rows: int
    pulled: list[int] = field(default_factory=list)
    put: list[int] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    unfinished: dict[int, asyncio.Future[None]] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    width: int = 0
    size: int = 1
    most_bytes: int = 1_000_000

    async def requests(self) -> AsyncGenerator[Request, None]:
        for row in range(self.rows):
            self.pulled.append(row)
            yield _request(row, self.size)

    async def settle(self, request: Request) -> None:
        ending = self.unfinished[request.row] = asyncio.get_running_loop().create_future()
        try:
            await ending
        except asyncio.CancelledError:
            self.cancelled.append(request.row)
            raise
        finally:
            del self.unfinished[request.row]
        self.put.append(request.row)

    def end(self, row: int, error: BaseException | None = None) -> None:
        if error is None:
            self.unfinished[row].set_result(None)
        else:
            self.unfinished[row].set_exception(error)

    @contextlib.asynccontextmanager
    async def running(
        self, width: int, requests: AsyncIterator[Request] | None = None
    ) -> AsyncIterator[asyncio.Task[None]]:
        self.width = width
        pool = asyncio.create_task(
            run_pool(
                requests or self.requests(),
                self.settle,
                width=lambda: self.width,
                changed=self.changed,
                stopping=self.stopping,
                most_bytes=self.most_bytes,
            )
        )
        await _settle()
        try:
            yield pool
        finally:
            pool.cancel()
            await asyncio.wait({pool})


@given(width=st.integers(1, 6), rows=st.integers(0, 15), data=st.data())
def test_every_row_is_put_and_no_more_than_the_width_are_unfinished(
    width: int, rows: int, data: st.DataObject
) -> None:
    """Whatever the order in which they end."""

    async def main() -> None:
        work = _Work(rows)
        async with work.running(width) as pool:
            ended = 0
            while work.unfinished:
                assert len(work.unfinished) == min(width, rows - ended)
                # Nothing is pulled before there is room for it.
                assert len(work.pulled) == ended + len(work.unfinished)
                work.end(data.draw(st.sampled_from(sorted(work.unfinished))))
                ended += 1
                await _settle()
            await pool
        assert sorted(work.put) == work.pulled == list(range(rows))

    asyncio.run(main())


@pytest.mark.parametrize(("size", "unfinished"), [(30, 4), (50, 2), (99, 2), (100, 1), (500, 1)])
async def test_no_more_requests_are_at_hand_than_fit_but_always_one(
    size: int, unfinished: int
) -> None:
    work = _Work(6, size=size, most_bytes=100)
    async with work.running(6) as pool:
        for row in range(6):
            assert len(work.unfinished) == min(unfinished, 6 - row)
            work.end(row)
            await _settle()
        await pool
    assert work.put == list(range(6))


async def test_a_pool_that_grows_pulls_more_as_soon_as_it_is_told() -> None:
    """Though no row has ended, as in an outage."""
    work = _Work(5)
    async with work.running(1) as pool:
        work.width = 3
        work.changed.set()
        await _settle()
        assert work.pulled == [0, 1, 2]
        for row in range(5):
            work.end(row)
            await _settle()
        await pool
    assert work.put == [0, 1, 2, 3, 4]


async def test_a_pool_that_shrinks_pulls_nothing_until_enough_rows_have_ended() -> None:
    work = _Work(5)
    async with work.running(3) as pool:
        work.width = 1
        for row in (0, 1):
            work.end(row)
            await _settle()
            assert work.pulled == [0, 1, 2]
        for row in (2, 3, 4):
            work.end(row)
            await _settle()
        await pool
    assert work.put == [0, 1, 2, 3, 4]


async def test_a_row_left_pending_is_not_put_and_makes_room() -> None:
    work = _Work(3)
    async with work.running(1) as pool:
        for row in range(3):
            work.end(row, RowPendingError() if row == 1 else None)
            await _settle()
        await pool
    assert work.put == [0, 2]


async def test_when_stopping_nothing_more_is_pulled_and_what_was_begun_is_put() -> None:
    work = _Work(10)
    async with work.running(3) as pool:
        work.stopping.set()
        for row in (1, 0, 2):
            assert not pool.done()
            work.end(row)
            await _settle()
        await pool
    assert work.pulled == [0, 1, 2]
    assert work.put == [1, 0, 2]


async def test_a_run_that_is_stopped_before_it_begins_pulls_nothing() -> None:
    work = _Work(3)
    work.stopping.set()
    async with work.running(2) as pool:
        await pool
    assert work.pulled == []


async def test_a_request_that_arrives_after_the_stop_is_not_begun() -> None:
    work = _Work(0)
    arriving: asyncio.Future[Request] = asyncio.get_running_loop().create_future()

    async def requests() -> AsyncIterator[Request]:
        yield await arriving

    async with work.running(2, requests()) as pool:
        work.stopping.set()
        arriving.set_result(_request(0))
        await pool
    assert work.put == []
    assert work.unfinished == {}


async def test_one_failure_cancels_the_rest_and_comes_out_bare() -> None:
    work = _Work(10)
    error = KeyError("disk")
    async with work.running(3) as pool:
        work.end(1, error)
        with pytest.raises(KeyError) as raised:
            await pool
    assert raised.value is error
    assert raised.value.__cause__ is None
    assert sorted(work.cancelled) == [0, 2]
    assert work.pulled == [0, 1, 2]


async def test_of_several_failures_the_first_comes_out() -> None:
    work = _Work(3)
    async with work.running(3) as pool:
        work.end(2, KeyError("first"))
        work.end(0, ValueError("second"))
        with pytest.raises(KeyError, match="first"):
            await pool
    assert work.cancelled == [1]


async def test_a_failure_while_the_rest_is_being_cancelled_does_not_hide_the_first() -> None:
    stubborn = asyncio.Event()

    async def settle(request: Request) -> None:
        if request.row == 0:
            await stubborn.wait()
            raise KeyError("first")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError("second") from None
        raise AssertionError

    work = _Work(2)
    pool = asyncio.create_task(
        run_pool(
            work.requests(),
            settle,
            width=lambda: 3,
            changed=work.changed,
            stopping=work.stopping,
        )
    )
    await _settle()
    stubborn.set()
    with pytest.raises(KeyError, match="first"):
        await pool


async def test_a_failing_input_comes_out_bare_and_cancels_the_rest() -> None:
    async def requests() -> AsyncIterator[Request]:
        yield _request(0)
        await _settle()
        raise KeyError("line 2")

    work = _Work(0)
    async with work.running(3, requests()) as pool:
        with pytest.raises(KeyError, match="line 2"):
            await pool
    assert work.cancelled == [0]


async def test_a_cancelled_row_is_left_pending_and_the_others_go_on() -> None:
    work = _Work(3)
    async with work.running(1) as pool:
        work.unfinished[0].cancel()
        await _settle()
        for row in (1, 2):
            work.end(row)
            await _settle()
        await pool
    assert work.put == [1, 2]


@pytest.mark.parametrize("waiting_for", ["room", "input"])
async def test_cancelling_the_pool_cancels_its_rows_and_frees_the_input(waiting_for: str) -> None:
    """The caller can close the iterator then: no one is inside it any more."""
    work = _Work(2)

    async def requests() -> AsyncGenerator[Request, None]:
        async for request in work.requests():
            yield request
        await asyncio.Event().wait()

    source = requests()
    async with work.running(2 if waiting_for == "room" else 3, source) as pool:
        assert sorted(work.unfinished) == [0, 1]
        pool.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pool
    assert sorted(work.cancelled) == [0, 1]
    assert work.put == []
    await source.aclose()
