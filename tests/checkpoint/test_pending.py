"""What is known of rows that were called and have no outcome yet, where they get another number."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from batcher.checkpoint import Checkpoint
from batcher.errors import StorageError
from batcher.records import InvalidAnswer, Success, Unanswered, Usage
from tests.checkpoint.numbered import files_of, placed

MakeSuccess = Callable[..., Success]


def test_what_is_known_of_a_pending_row_follows_it_to_each_new_number(
    checkpoint: Checkpoint, success: MakeSuccess, invalid: Callable[..., InvalidAnswer]
) -> None:
    """Promise 4: it is sent twice at most without an answer, however the directory grows."""
    files = {"m": ["same", "same"]}
    for one in files_of(files):
        checkpoint.write(
            [invalid(one.key, f"of {one.id}", of=one.pending)],
            unanswered=[Unanswered(one.key, 5, one.pending)] * (one.row + 1),
        )
    spent = checkpoint.counts()
    for before in ("l", "k", "j"):
        files[before] = ["same"]
        placed(checkpoint, files_of(files))
        old = files_of(files)[-2:]
        assert checkpoint.unanswered()[0] == {old[0].key: 1, old[1].key: 2}
        texts = {key: one.completion.text for key, one in checkpoint.invalid_answers().items()}
        assert texts == {old[0].key: "of 0", old[1].key: "of 1"}
    assert checkpoint.counts() == spent
    checkpoint.write([success(one.row, row_id=one.id, key=one.key) for one in old])
    assert checkpoint._reader.execute("SELECT * FROM pending").fetchall() == []


def test_what_is_known_of_a_row_that_is_gone_stays_in_the_sums(
    checkpoint: Checkpoint, invalid: Callable[..., InvalidAnswer]
) -> None:
    """Another row, which asks the same, comes to its key."""
    first, second = files_of({"a": ["same"], "b": ["same"]})
    for one, cost in ((first, 5), (second, 7)):
        checkpoint.write(
            [invalid(one.key, one.id, of=one.pending, cost=cost)],
            unanswered=[Unanswered(one.key, cost, one.pending)],
        )
    placed(checkpoint, files_of({"b": ["same"]}))
    assert checkpoint.unanswered() == ({first.key: 2}, {first.key: 12})
    (answer,) = checkpoint.invalid_answers().values()
    assert (answer.completion.text, answer.answers, answer.cost) == ("1", 2, 12)
    assert answer.completion.usage == Usage(20, 10, 6, None)


def test_a_damaged_answer_of_no_use_is_still_damaged_under_another_number(
    checkpoint: Checkpoint, invalid: Callable[..., InvalidAnswer]
) -> None:
    (request,) = files_of({"b": ["x"]})
    checkpoint.write([invalid(request.key, of=request.pending)])
    with checkpoint._writing() as connection:
        connection.execute("UPDATE invalid_answers SET response = 'other'")
    after = files_of({"a": ["new"], "b": ["x"]})
    placed(checkpoint, after)
    with pytest.raises(StorageError, match=f"{after[1].key} is not what was written"):
        checkpoint.invalid_answers()
