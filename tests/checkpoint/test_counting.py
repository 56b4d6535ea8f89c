"""The sums over a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from batcher.checkpoint import Checkpoint
from batcher.records import AnsweredBy, Failure, Success

MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]


def test_costs_are_summed_and_results_without_one_are_counted(
    path: Path, success: MakeSuccess, failure: MakeFailure
) -> None:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write(
            [
                replace(success(1), cost=5, possible_cost=1, currency="CNY"),
                replace(success(2), cost=0, currency="CNY"),
                success(3),
                replace(failure(4, key="key-4"), cost=7, currency="CNY"),
                failure(5, key="key-5"),
            ]
        )
        checkpoint.remember(prices={"currency": "CNY", "priced_by": "2026-07-01"})
        counts = checkpoint.counts()
        assert (counts.cost, counts.possible_cost, counts.unpriced) == (12, 1, 1)
        assert (counts.currency, counts.priced_by) == ("CNY", "2026-07-01")
        costs = [(one.cost, one.possible_cost, one.currency) for one in checkpoint.outcomes()]
        assert costs[:3] == [(5, 1, "CNY"), (0, 0, "CNY"), (None, 0, None)]


def test_results_are_counted_by_where_their_answer_comes_from(
    path: Path, success: MakeSuccess, failure: MakeFailure
) -> None:
    """Also when an outcome takes the place of another."""
    by = [*["call"] * 3, *["duplicate"] * 2, "cache"]
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write(
            [
                replace(success(row), answered_by=AnsweredBy(answered_by))
                for row, answered_by in enumerate(by)
            ]
        )
        checkpoint.write([replace(failure(6, key="k"), answered_by=AnsweredBy.DUPLICATE)])
        counts = checkpoint.counts()
        assert (counts.results, counts.called) == (6, 3)
        assert (counts.duplicates, counts.cached, counts.hit_rate) == (2, 1, 1 / 6)
        checkpoint.write([success(3)])
        assert (checkpoint.counts().called, checkpoint.counts().duplicates) == (4, 1)


def test_without_prices_no_currency_is_known(path: Path) -> None:
    with Checkpoint.open(path) as checkpoint:
        counts = checkpoint.counts()
        assert (counts.cost, counts.currency, counts.priced_by) == (0, None, None)
