"""The first results."""

from __future__ import annotations

import pytest

from batcher.errors import StorageError
from batcher.runs import first_results
from tests.simulated import Place


def test_the_first_results_come_in_row_order(place: Place) -> None:
    place.run()
    assert [row["id"] for row in first_results(place.directory, 2)] == ["id-0", "id-1"]


def test_before_any_export_there_are_none(place: Place) -> None:
    with pytest.raises(StorageError, match=r"results\.parquet"):
        first_results(place.directory, 2)
