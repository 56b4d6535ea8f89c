"""Counts in words."""

from __future__ import annotations

import pytest

from batcher.wording import counted


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 results"), (1, "1 result"), (2, "2 results"), (1234, "1,234 results")],
)
def test_only_a_single_one_is_in_the_singular(number: int, said: str) -> None:
    assert counted(number, "result") == said
