"""Outcomes of rows that have only their number for an id, where the rows got another number."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
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
    InvalidAnswer,
    Request,
    Source,
    Success,
    Unanswered,
    Usage,
)
from batcher.render import request_key, sampled

MakeSuccess = Callable[..., Success]


def _asked(row: int, prompt: str, file: str, line: int, *, row_id: str | None = None) -> Request:
    """Return a request as a renderer makes it; its row has no id of its own, if none is given."""
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}]}
    row_id = str(row) if row_id is None else row_id
    return Request(row, row_id, request_key(row_id, body), body, Source(file, line))


def _files(files: dict[str, list[str]]) -> list[Request]:
    """Return the requests of `files`, which are read in the order of their names."""
    lines = [
        (prompt, name, line)
        for name, prompts in sorted(files.items())
        for line, prompt in enumerate(prompts, 1)
    ]
    return [_asked(row, *line) for row, line in enumerate(lines)]


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


def _place(
    checkpoint: Checkpoint, requests: Iterable[Request], samples: int | None = 1
) -> Comparison:
    with checkpoint.placement(samples) as placement:
        for request in requests:
            placement.place(request)
        placement.renumber()
        found = placement.compare()
        placement.apply()
    return found


def test_a_file_that_comes_before_the_others_leaves_their_answers_with_them(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    before = _files({"b": ["x", "y"], "c": ["z"]})
    checkpoint.write([_answer(request, success) for request in before])
    after = _files({"a": ["new"], "b": ["x", "y"], "c": ["z"]})
    assert _place(checkpoint, after) == Comparison(kept=3, new=1, gone=0)
    assert [(o.row, o.id, o.key, o.source, o.response) for o in checkpoint.outcomes()] == [
        (one.row, one.id, one.key, str(one.source), str(one.body["messages"])) for one in after[1:]
    ]


def test_rows_that_ask_the_same_keep_an_answer_each(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    """The key that one of them had is now another's."""
    before = _files({"b": ["same", "same"], "c": ["same"]})
    checkpoint.write([_answer(request, success) for request in before])
    spent = checkpoint.counts().cost
    after = _files({"a": ["same"], "b": ["same", "same"], "c": ["same"]})
    assert _place(checkpoint, after) == Comparison(kept=3, new=1, gone=0)
    assert [outcome.row for outcome in checkpoint.outcomes()] == [1, 2, 3]
    assert checkpoint.counts().cost == spent


def test_a_removed_file_gives_its_numbers_up_and_has_its_answers_back_when_it_returns(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    both = {"a": ["x", "y"], "b": ["z"]}
    checkpoint.write([_answer(request, success) for request in _files(both)])
    assert _place(checkpoint, _files({"b": ["z"]})) == Comparison(kept=1, new=0, gone=2)
    assert _place(checkpoint, _files({"0": ["w"]} | both)) == Comparison(kept=3, new=1, gone=0)
    assert [outcome.row for outcome in checkpoint.outcomes()] == [1, 2, 3]


def test_an_answer_that_comes_to_the_key_of_another_that_is_set_aside_keeps_what_both_cost(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    """Row 1 of b asks what the row asked that was edited; it gets the number that this one had."""
    first, second = _files({"b": ["edited later", "same"]}), _files({"a": ["same"], "b": ["same"]})
    checkpoint.write([replace(_answer(first[1], success), cost=5)])
    _place(checkpoint, [])
    checkpoint.write([replace(_answer(second[0], success), cost=7)])
    assert checkpoint.counts().cost == 12
    moved = _files({"0": ["other"], "a": ["same"]})
    assert _place(checkpoint, moved) == Comparison(kept=1, new=1, gone=0)
    assert checkpoint.counts().cost == 12


def test_an_edited_row_or_one_of_another_line_is_not_taken_for_the_same(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    checkpoint.write([_answer(one, success) for one in _files({"b": ["x", "y"]})])
    after = _files({"a": ["new"], "b": ["edited", "inserted", "y"]})
    assert _place(checkpoint, after) == Comparison(kept=0, new=4, gone=2)


def test_rows_with_an_id_of_their_own_are_known_by_it(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    request = _asked(0, "x", "b", 1, row_id="mine")
    checkpoint.write([_answer(request, success)])
    assert _place(checkpoint, [_asked(0, "x", "b", 1, row_id="other")]).new == 1
    assert _place(checkpoint, [_asked(1, "x", "b", 1)]).new == 1


def test_without_the_number_of_samples_nothing_is_renumbered(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    checkpoint.write([_answer(one, success) for one in _files({"b": ["x"]})])
    assert _place(checkpoint, _files({"a": ["new"], "b": ["x"]}), None).kept == 0


def test_each_sample_follows_its_row(checkpoint: Checkpoint, success: MakeSuccess) -> None:
    def of(files: dict[str, list[str]]) -> list[Request]:
        return [sampled(one, sample, 2) for one in _files(files) for sample in (0, 1)]

    checkpoint.write([_answer(request, success) for request in of({"b": ["x"]})])
    after = of({"a": ["new"], "b": ["x"]})
    assert _place(checkpoint, after, 2) == Comparison(kept=2, new=2, gone=0)
    assert [(o.row, o.sample, o.key) for o in checkpoint.outcomes()] == [
        (one.row, one.sample, one.key) for one in after[2:]
    ]


def test_failed_attempts_follow_their_row(checkpoint: Checkpoint) -> None:
    """Also where the key that they had is now that of another row."""
    checkpoint.write([_failed(one, f"req-{one.row}") for one in _files({"b": ["same", "same"]})])
    after = _files({"a": ["same"], "b": ["same", "same"]})
    assert _place(checkpoint, after).kept == 2
    found = checkpoint._reader.execute("SELECT request_id, key FROM failed_attempts")
    assert dict(found.fetchall()) == {"req-0": after[1].key, "req-1": after[2].key}


def test_what_is_known_of_a_pending_row_follows_it_to_each_new_number(
    checkpoint: Checkpoint, invalid: Callable[..., InvalidAnswer]
) -> None:
    """Promise 4: it is sent twice at most without an answer, however the directory grows."""
    files = {"m": ["same", "same"]}
    for one in _files(files):
        checkpoint.write(
            [invalid(one.key, f"of {one.id}", of=one.pending)],
            unanswered=[Unanswered(one.key, 5, one.pending)] * (one.row + 1),
        )
    spent = checkpoint.counts()
    for before in ("l", "k", "j"):
        files[before] = ["same"]
        _place(checkpoint, _files(files))
        old = _files(files)[-2:]
        assert checkpoint.unanswered()[0] == {old[0].key: 1, old[1].key: 2}
        texts = {key: one.completion.text for key, one in checkpoint.invalid_answers().items()}
        assert texts == {old[0].key: "of 0", old[1].key: "of 1"}
    assert checkpoint.counts() == spent
    checkpoint.write([_failed(one, "r") for one in old])
    assert checkpoint._reader.execute("SELECT * FROM pending").fetchall() == []


def test_what_is_known_of_a_row_that_is_gone_stays_in_the_sums(
    checkpoint: Checkpoint, invalid: Callable[..., InvalidAnswer]
) -> None:
    """Another row, which asks the same, comes to its key."""
    first, second = _files({"a": ["same"], "b": ["same"]})
    for one, cost in ((first, 5), (second, 7)):
        checkpoint.write(
            [invalid(one.key, one.id, of=one.pending, cost=cost)],
            unanswered=[Unanswered(one.key, cost, one.pending)],
        )
    _place(checkpoint, _files({"b": ["same"]}))
    assert checkpoint.unanswered() == ({first.key: 2}, {first.key: 12})
    (answer,) = checkpoint.invalid_answers().values()
    assert (answer.completion.text, answer.answers, answer.cost) == ("1", 2, 12)
    assert answer.completion.usage == Usage(20, 10, 6, None)


def test_a_damaged_answer_of_no_use_is_still_damaged_under_another_number(
    checkpoint: Checkpoint, invalid: Callable[..., InvalidAnswer]
) -> None:
    (request,) = _files({"b": ["x"]})
    checkpoint.write([invalid(request.key, of=request.pending)])
    with checkpoint._writing() as connection:
        connection.execute("UPDATE invalid_answers SET response = 'other'")
    after = _files({"a": ["new"], "b": ["x"]})
    _place(checkpoint, after)
    with pytest.raises(StorageError, match=f"{after[1].key} is not what was written"):
        checkpoint.invalid_answers()


def test_an_outcome_that_is_lost_while_it_moves_is_damage_and_nothing_changes(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    request = _files({"b": ["x"]})[0]
    checkpoint.write([_answer(request, success)])

    def robbed() -> None:
        with checkpoint.placement(1) as placement:
            placement.place(_files({"a": ["new"], "b": ["x"]})[1])
            placement._connection.execute("DELETE FROM outcomes")
            placement.renumber()

    with pytest.raises(StorageError, match="it has lost the outcome of the key"):
        robbed()
    assert [outcome.key for outcome in checkpoint.outcomes()] == [request.key]


def test_a_reader_finds_where_rows_stood_beside_the_checkpoint(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    rows = _files({"b": ["x", "y"]})
    problem = Problem(ErrorClass.SERVER_ERROR, "it failed", "500", 500)
    failed = rows[1]
    checkpoint.write(
        [
            _answer(rows[0], success),
            Failure(1, failed.id, failed.key, problem, (), 2.0, failed.source),
        ]
    )
    after = _files({"a": ["new"], "b": ["x", "y"]})
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
            requests = _files(files)
            found = _place(checkpoint, requests)
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
