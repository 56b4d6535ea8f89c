"""Outcomes of rows that have only their number for an id, where the rows got another number."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.checkpoint import Checkpoint, Comparison
from batcher.errors import ErrorClass, Problem, StorageError
from batcher.records import (
    Attempt,
    Failure,
    Request,
    Success,
)
from batcher.render import sampled
from tests.checkpoint.numbered import asked, files_of, placed

MakeSuccess = Callable[..., Success]


def _answer(request: Request, success: MakeSuccess) -> Success:
    text = str(request.body["messages"])
    made = success(request.row, row_id=request.id, key=request.key, text=text)
    return replace(made, source=request.source, sample=request.sample)


def _failed(request: Request, call: str) -> Failure:
    problem = Problem(ErrorClass.SERVER_ERROR, "it failed", "500", 500)
    return Failure(
        *(request.row, request.id, request.key, problem),
        *((Attempt(1, call, 1.0, 0.5, problem),), 2.0, request.source),
    )


def test_a_file_that_comes_before_the_others_leaves_their_answers_with_them(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    before = files_of({"b": ["x", "y"], "c": ["z"]})
    checkpoint.write([_answer(request, success) for request in before])
    after = files_of({"a": ["new"], "b": ["x", "y"], "c": ["z"]})
    assert placed(checkpoint, after) == Comparison(kept=3, new=1, gone=0)
    assert [(o.row, o.id, o.key, o.source, o.response) for o in checkpoint.outcomes()] == [
        (one.row, one.id, one.key, str(one.source), str(one.body["messages"])) for one in after[1:]
    ]


def test_rows_that_ask_the_same_keep_an_answer_each(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    """The key that one of them had is now another's."""
    before = files_of({"b": ["same", "same"], "c": ["same"]})
    checkpoint.write([_answer(request, success) for request in before])
    spent = checkpoint.counts().cost
    after = files_of({"a": ["same"], "b": ["same", "same"], "c": ["same"]})
    assert placed(checkpoint, after) == Comparison(kept=3, new=1, gone=0)
    assert [outcome.row for outcome in checkpoint.outcomes()] == [1, 2, 3]
    assert checkpoint.counts().cost == spent


def test_a_removed_file_gives_its_numbers_up_and_has_its_answers_back_when_it_returns(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    both = {"a": ["x", "y"], "b": ["z"]}
    checkpoint.write([_answer(request, success) for request in files_of(both)])
    assert placed(checkpoint, files_of({"b": ["z"]})) == Comparison(kept=1, new=0, gone=2)
    assert placed(checkpoint, files_of({"0": ["w"]} | both)) == Comparison(kept=3, new=1, gone=0)
    assert [outcome.row for outcome in checkpoint.outcomes()] == [1, 2, 3]


def test_an_answer_that_comes_to_the_key_of_another_that_is_set_aside_keeps_what_both_cost(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    """Row 1 of b asks what the row asked that was edited; it gets the number that this one had."""
    first, second = (
        files_of({"b": ["edited later", "same"]}),
        files_of({"a": ["same"], "b": ["same"]}),
    )
    checkpoint.write([replace(_answer(first[1], success), cost=5)])
    placed(checkpoint, [])
    checkpoint.write([replace(_answer(second[0], success), cost=7)])
    assert checkpoint.counts().cost == 12
    moved = files_of({"0": ["other"], "a": ["same"]})
    assert placed(checkpoint, moved) == Comparison(kept=1, new=1, gone=0)
    assert checkpoint.counts().cost == 12


def test_an_edited_row_or_one_of_another_line_is_not_taken_for_the_same(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    checkpoint.write([_answer(one, success) for one in files_of({"b": ["x", "y"]})])
    after = files_of({"a": ["new"], "b": ["edited", "inserted", "y"]})
    assert placed(checkpoint, after) == Comparison(kept=0, new=4, gone=2)


def test_rows_with_an_id_of_their_own_are_known_by_it(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    request = asked(0, "x", "b", 1, row_id="mine")
    checkpoint.write([_answer(request, success)])
    assert placed(checkpoint, [asked(0, "x", "b", 1, row_id="other")]).new == 1
    assert placed(checkpoint, [asked(1, "x", "b", 1)]).new == 1


def test_without_the_number_of_samples_nothing_is_renumbered(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    checkpoint.write([_answer(one, success) for one in files_of({"b": ["x"]})])
    assert placed(checkpoint, files_of({"a": ["new"], "b": ["x"]}), None).kept == 0


def test_each_sample_follows_its_row(checkpoint: Checkpoint, success: MakeSuccess) -> None:
    def of(files: dict[str, list[str]]) -> list[Request]:
        return [sampled(one, sample, 2) for one in files_of(files) for sample in (0, 1)]

    checkpoint.write([_answer(request, success) for request in of({"b": ["x"]})])
    after = of({"a": ["new"], "b": ["x"]})
    assert placed(checkpoint, after, 2) == Comparison(kept=2, new=2, gone=0)
    assert [(o.row, o.sample, o.key) for o in checkpoint.outcomes()] == [
        (one.row, one.sample, one.key) for one in after[2:]
    ]


def test_failed_attempts_follow_their_row(checkpoint: Checkpoint) -> None:
    """Also where the key that they had is now that of another row."""
    checkpoint.write([_failed(one, f"req-{one.row}") for one in files_of({"b": ["same", "same"]})])
    after = files_of({"a": ["same"], "b": ["same", "same"]})
    assert placed(checkpoint, after).kept == 2
    found = checkpoint._reader.execute("SELECT request_id, key FROM failed_attempts")
    assert dict(found.fetchall()) == {"req-0": after[1].key, "req-1": after[2].key}


def test_an_outcome_that_is_lost_while_it_moves_is_damage_and_nothing_changes(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    request = files_of({"b": ["x"]})[0]
    checkpoint.write([_answer(request, success)])

    def robbed() -> None:
        with checkpoint.placement(1) as placement:
            placement.place(files_of({"a": ["new"], "b": ["x"]})[1])
            placement._connection.execute("DELETE FROM outcomes")
            placement.renumber()

    with pytest.raises(StorageError, match="it has lost the outcome of the key"):
        robbed()
    assert [outcome.key for outcome in checkpoint.outcomes()] == [request.key]


def test_a_reader_finds_where_rows_stood_beside_the_checkpoint(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    rows = files_of({"b": ["x", "y"]})
    problem = Problem(ErrorClass.SERVER_ERROR, "it failed", "500", 500)
    failed = rows[1]
    checkpoint.write(
        [
            _answer(rows[0], success),
            Failure(1, failed.id, failed.key, problem, (), 2.0, failed.source),
        ]
    )
    after = files_of({"a": ["new"], "b": ["x", "y"]})
    with checkpoint.numbered(1) as numbered:
        assert [numbered.earlier(one) for one in after] == [
            None,
            *((one.id, one.key) for one in rows),
        ]
    with checkpoint.numbered(1, errors_too=False) as numbered:
        assert [numbered.earlier(one) is not None for one in after] == [False, True, False]


# A directory: its files by name, each a list of prompts of which several may be the same.
_directories = st.dictionaries(
    st.sampled_from("abcd"), st.lists(st.sampled_from("xyz"), min_size=1, max_size=3), max_size=4
)


@given(steps=st.lists(st.tuples(_directories, st.sets(st.integers(0, 9))), min_size=1, max_size=5))
def test_no_answer_is_lost_or_given_to_another_question_whatever_a_directory_becomes(
    steps: list[tuple[dict[str, list[str]], set[int]]], success: MakeSuccess
) -> None:
    """And a line that stands as it stood, with its answer, needs no call."""
    with (
        tempfile.TemporaryDirectory() as directory,
        Checkpoint.open(Path(directory) / "checkpoint.db") as checkpoint,
    ):
        standing: set[tuple[str, str]] = set()
        calls = 0
        for files, called in steps:
            requests = files_of(files)
            found = placed(checkpoint, requests)
            outcomes = {outcome.row: outcome for outcome in checkpoint.outcomes()}
            assert found.kept == len(outcomes)
            for row, outcome in outcomes.items():
                one = requests[row]
                assert (outcome.id, outcome.key, outcome.source, outcome.response) == (
                    *(one.id, one.key, str(one.source)),
                    str(one.body["messages"]),
                )
            here = {(str(one.source), str(one.body["messages"])): one.row for one in requests}
            assert {here[one] for one in standing & here.keys()} <= outcomes.keys()

            new = [one for one in requests if one.row in called and one.row not in outcomes]
            checkpoint.write([replace(_answer(one, success), cost=1) for one in new])
            calls += len(new)
            assert checkpoint.counts().cost == calls
            answered = outcomes.keys() | {one.row for one in new}
            standing = {
                (str(one.source), str(one.body["messages"]))
                for one in requests
                if one.row in answered
            }
        prompts = Counter(o.response for o in checkpoint.outcomes())
        assert sum(prompts.values()) == checkpoint.counts().rows
