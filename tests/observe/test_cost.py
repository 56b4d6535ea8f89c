"""What a run cost, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batcher.observe import cost_lines, uncounted_lines
from batcher.recorded import Counts

COUNTS = Counts(10, 0, {}, 12, 0, 0, 0, 0, 0, currency="CNY", priced_by="2026-07-01")
NANOS = 1_000_000_000
KNOWN = "  cost  12.34 CNY by the prices of 2026-07-01"


@pytest.mark.parametrize(
    ("counts", "lines"),
    [
        (
            replace(COUNTS, cost=12_340_000_000),
            [KNOWN],
        ),
        (
            replace(COUNTS, cost=12_340_000_000, possible_cost=200_000_000),
            [KNOWN + ", at most 0.2000 more for calls without an answer"],
        ),
        (
            replace(COUNTS, cost=NANOS, unpriced=1),
            [
                "  cost  1.00 CNY by the prices of 2026-07-01",
                "        the cost of 1 result is unknown, and not in this sum",
            ],
        ),
        (replace(COUNTS, cost=0), ["  cost  0.0000 CNY by the prices of 2026-07-01"]),
    ],
)
def test_what_is_known_is_said_with_its_currency_and_the_day_of_its_prices(
    counts: Counts, lines: list[str]
) -> None:
    assert list(cost_lines(counts, 8)) == lines


@pytest.mark.parametrize(
    "counts",
    [
        replace(COUNTS, currency=None, priced_by=None, unpriced=10),
        replace(COUNTS, unpriced=10),
        replace(COUNTS, results=0),
    ],
)
def test_where_no_call_has_a_known_price_nothing_is_said(counts: Counts) -> None:
    assert list(cost_lines(counts, 8)) == []


def test_unanswered_calls_may_be_all_that_cost() -> None:
    counts = replace(COUNTS, results=0, possible_cost=NANOS)
    (line,) = cost_lines(counts, 8)
    assert line.startswith("  cost  0.0000 CNY")
    assert "at most 1.00 more" in line


def test_that_calls_are_in_no_count_is_said_where_a_copy_was_older_than_its_run() -> None:
    assert list(uncounted_lines(COUNTS, 4)) == []
    (line,) = uncounted_lines(replace(COUNTS, cut_short=2), 4)
    assert line == (
        "    went on with a copy made on the way: what was called after it is called again, and is "
        "in no count"
    )
