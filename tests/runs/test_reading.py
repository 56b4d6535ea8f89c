"""What is read at a time, and which ids are in hand meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from batcher.checkpoint import Checkpoint
from batcher.errors import InputError
from batcher.records import Completion, Request, Source
from batcher.runs.reading import Batch, Reading
from batcher.runs.selection import ALL_ROWS
from tests.engines import Engine
from tests.simulated import Place


async def _unasked(_request: Request, _request_id: str) -> Completion:
    raise AssertionError


@pytest.fixture
def reading(place: Place) -> Iterator[Reading]:
    place.directory.create()
    with Checkpoint.open(place.directory.checkpoint) as checkpoint:
        made = Reading(checkpoint, Engine([_unasked]).executor())
        with made.thread:
            yield made


def _request(row: int, row_id: str | None = None) -> Request:
    body = {"model": "m", "messages": [{"role": "user", "content": "Say."}]}
    source = Source("prompts.jsonl", row + 1)
    return Request(row, row_id or f"id-{row}", f"key-{row}", body, source)


def _rows(batch: Batch | None) -> list[int]:
    return [] if batch is None else [record.row for record in batch.records]


async def test_some_rows_are_read_at_a_time_and_fewer_large_ones(reading: Reading) -> None:
    small = iter([_request(0), None, *map(_request, range(1, 100))])
    assert [len(_rows(await reading.next(small))) for _ in range(3)] == [64, 36, 0]
    large = (_request(row)._replace(size=400_000) for row in range(5))
    assert [len(_rows(await reading.next(large))) for _ in range(3)] == [3, 2, 0]


async def test_rows_before_one_that_cannot_be_read_are_called_first(reading: Reading) -> None:
    def records() -> Iterator[Request]:
        yield _request(0)
        raise InputError("line 2 is cut short")

    upcoming = records()
    assert _rows(await reading.next(upcoming)) == [0]
    assert str(reading.unread) == "line 2 is cut short"
    assert await reading.next(upcoming) is None


async def test_an_id_is_in_hand_until_what_was_read_before_its_end_was_looked_through(
    reading: Reading,
) -> None:
    """Later it is found in the checkpoint."""
    same: Sequence[Request] = [_request(row, "same") for row in range(3)]
    batch = await reading.next(iter(same))
    assert batch is not None
    assert reading.earlier(same[0], batch, ALL_ROWS) is None
    reading.take(same[0])
    assert reading.earlier(same[0], batch, ALL_ROWS) is None
    assert reading.earlier(same[1], batch, ALL_ROWS) == "prompts.jsonl:1"
    reading.settle("same")
    assert reading.earlier(same[2], batch, ALL_ROWS) == "prompts.jsonl:1"
    await reading.next(iter(()))
    assert reading.earlier(same[2], batch, ALL_ROWS) is None
    recorded = batch._replace(recorded={"same": (0, "as recorded")})
    assert reading.earlier(same[2], recorded, ALL_ROWS) == "as recorded"
