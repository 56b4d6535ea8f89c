"""What is read at a time, and which ids are in hand meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from batcher.checkpoint import Checkpoint
from batcher.errors import InputError
from batcher.records import Failure, Request
from batcher.runs.reading import Reading
from batcher.runs.selection import ALL_ROWS
from tests.engines import Engine
from tests.simulated import Place


@pytest.fixture
def checkpoint(place: Place) -> Iterator[Checkpoint]:
    place.directory.create()
    with Checkpoint.open(place.directory.checkpoint) as opened:
        yield opened
