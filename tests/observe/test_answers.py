"""Where answers come from, in words."""

from __future__ import annotations

import pytest

from batcher.observe import answer_lines
from batcher.recorded import Counts


def _counts(results: int, duplicates: int, cached: int) -> Counts:
    return Counts(results, 0, {}, 0, 0, 0, 0, 0, 0, duplicates=duplicates, cached=cached)


@pytest.mark.parametrize(
    ("counts", "cache", "lines"),
    [
        (_counts(1000, 0, 0), False, []),
        (_counts(1000, 150, 0), False, ["  answers   850 called, 150 duplicates"]),
        (
            _counts(1000, 1, 38),
            True,
            ["  answers   961 called, 1 duplicate, 38 from the cache (hit rate 3.8 %)"],
        ),
        (
            _counts(1000, 0, 1000),
            False,
            ["  answers   0 called, 0 duplicates, 1,000 from the cache (hit rate 100.0 %)"],
        ),
        (
            _counts(0, 0, 0),
            True,
            ["  answers   0 called, 0 duplicates, 0 from the cache (hit rate 0.0 %)"],
        ),
    ],
)
def test_a_line_tells_of_answers_that_were_not_called_and_of_a_cache_that_was_of_no_use(
    counts: Counts,
    cache: bool,
    lines: list[str],
) -> None:
    assert list(answer_lines(counts, 12, cache=cache)) == lines
