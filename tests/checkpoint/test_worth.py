"""What a checkpoint holds that was paid for, or may have been."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from batcher.checkpoint import KILLED_CALLS, SPENT_COST, Checkpoint
from batcher.checkpoint.connection import connected
from batcher.checkpoint.worth import worth_in
from batcher.records import Failure, InvalidAnswer, Success, Unanswered


def _worth(path: Path) -> str:
    with connected(path) as connection:
        return worth_in(connection)


def test_it_changes_with_each_call_and_with_nothing_that_costs_nothing(
    checkpoint: Checkpoint,
    success: Callable[..., Success],
    failure: Callable[..., Failure],
    invalid: Callable[..., InvalidAnswer],
) -> None:
    found = [_worth(checkpoint.path)]
    changes: list[Callable[[], None]] = [
        lambda: checkpoint.write([success(0)]),
        lambda: checkpoint.write([failure(1)]),
        lambda: checkpoint.write([], unanswered=[Unanswered("key", 5)]),
        lambda: checkpoint.write([invalid("other")]),
        lambda: checkpoint.remember(**{KILLED_CALLS: 1}),
        lambda: checkpoint.remember(**{SPENT_COST: 9}),
    ]
    for change in changes:
        change()
        found.append(_worth(checkpoint.path))
    assert len({*found}) == len(found)
    checkpoint.remember(input={"files": []})
    assert _worth(checkpoint.path) == found[-1]
