"""Counts in words."""

from __future__ import annotations

import pytest

from batcher.wording import counted, extent


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 results"), (1, "1 result"), (2, "2 results"), (1234, "1,234 results")],
)
def test_only_a_single_one_is_in_the_singular(number: int, said: str) -> None:
    assert counted(number, "result") == said


@pytest.mark.parametrize(
    ("records", "samples", "said"),
    [
        (5000, 1, "5,000"),
        (5000, 5, "1,000 rows x 5 samples"),
        (5, 5, "1 row x 5 samples"),
        (5001, 5, "5,001 samples"),
        (0, 5, "0 rows x 5 samples"),
    ],
)
def test_records_are_told_as_rows_and_samples(records: int, samples: int, said: str) -> None:
    assert extent(records, samples) == said
