"""What only one of two checkpoints has, brought into the other."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.checkpoint import Checkpoint, CheckpointReader
from batcher.checkpoint.adoption import adopt
from batcher.errors import ErrorClass, StorageError
from batcher.records import (
    Failure,
    InvalidAnswer,
    Kept,
    Request,
    Source,
    Success,
    Unanswered,
    Usage,
)
from batcher.render import request_key
from tests.checkpoint.calls import WORK, Calls, Work, brought_no_use, worked

Problems = Callable[[Path], Sequence[str]]
MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]
MakeInvalid = Callable[..., InvalidAnswer]
MakeRequest = Callable[..., Request]

FACTS = {"fingerprint": "f", "settings": {"model": "m"}, "simulated": True}


def _recorded(path: Path, *kept: Kept, **facts: object) -> Path:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.remember(**{**FACTS, **facts})
        checkpoint.write(kept)
    return path


def _keys(path: Path) -> dict[int, str | None]:
    """Return by row the key of each success, None for an error."""
    with CheckpointReader.read(path) as checkpoint:
        return {o.row: None if o.error_class else o.key for o in checkpoint.outcomes()}


def test_rows_that_only_the_other_recorded_are_brought_in(
    tmp_path: Path, success: MakeSuccess, problems: Problems
) -> None:
    here = _recorded(tmp_path / "here.db", success(0), success(1))
    there = _recorded(tmp_path / "there.db", success(1, text="paid twice"), success(2))
    before = there.read_bytes()
    assert adopt(here, there) == 1
    assert _keys(here) == {0: "key-id-0", 1: "key-id-1", 2: "key-id-2"}
    assert there.read_bytes() == before
    with CheckpointReader.read(here) as checkpoint:
        assert [outcome.response for outcome in checkpoint.outcomes()] == ["fine"] * 3
    assert problems(here) == []


def test_to_bring_it_in_again_changes_nothing(tmp_path: Path, success: MakeSuccess) -> None:
    here = _recorded(tmp_path / "here.db", success(0))
    there = _recorded(tmp_path / "there.db", success(2))
    assert adopt(here, there) == 1
    assert adopt(here, there) == 0


def test_a_result_takes_the_place_of_an_error_and_what_both_took_is_counted(
    tmp_path: Path, success: MakeSuccess, problems: Problems, failure: MakeFailure
) -> None:
    rows = range(600)
    failed = [failure(row, key=f"key-id-{row}") for row in rows]
    here = _recorded(tmp_path / "here.db", *failed, success(600))
    there = _recorded(
        tmp_path / "there.db",
        *(success(row) for row in rows),
        failure(600, key="key-id-600"),
    )
    assert adopt(here, there) == 600
    assert None not in _keys(here).values()
    with CheckpointReader.read(here) as checkpoint:
        assert checkpoint.counts().prompt_tokens == 601 * 10
    assert problems(here) == []


def test_a_row_that_both_have_under_different_keys_keeps_its_own_and_shelves_the_other(
    tmp_path: Path, success: MakeSuccess, request_of: MakeRequest
) -> None:
    here = _recorded(tmp_path / "here.db", success(0, key="edited"))
    there = _recorded(tmp_path / "there.db", success(0, key="before"))
    assert adopt(here, there) == 1
    assert _keys(here) == {0: "edited"}
    with Checkpoint.open(here) as checkpoint:
        with checkpoint.placement() as placement:
            placement.place(request_of(0, key="before"))
            placement.apply()
        assert _keys(here) == {0: "before"}


def test_what_is_of_another_input_is_found_by_its_key_and_never_by_its_row(
    tmp_path: Path, success: MakeSuccess, request_of: MakeRequest
) -> None:
    """A comparison of all rows is due, since the present input may have moved them."""
    here = _recorded(tmp_path / "here.db", success(0))
    there = _recorded(tmp_path / "there.db", success(5, row_id="moved"), fingerprint="older")
    assert adopt(here, there) == 1
    assert _keys(here) == {0: "key-id-0"}
    with Checkpoint.open(here) as checkpoint:
        assert checkpoint.fact("fingerprint") == ""
        with checkpoint.placement() as placement:
            for request in (request_of(0), request_of(1, row_id="moved")):
                placement.place(request)
            placement.apply()
    assert _keys(here) == {0: "key-id-0", 1: "key-moved"}


def test_of_another_input_with_nothing_new_no_comparison_is_due(
    tmp_path: Path, success: MakeSuccess
) -> None:
    here = _recorded(tmp_path / "here.db", success(0))
    there = _recorded(tmp_path / "there.db", success(0), fingerprint="older")
    assert adopt(here, there) == 0
    with CheckpointReader.read(here) as checkpoint:
        assert checkpoint.fact("fingerprint") == "f"


def test_rows_that_were_never_a_request_are_left_to_be_read_again(
    tmp_path: Path, success: MakeSuccess, failure: MakeFailure
) -> None:
    here = _recorded(tmp_path / "here.db", success(0))
    there = _recorded(tmp_path / "there.db", failure(1, key=None))
    assert adopt(here, there) == 0
    assert _keys(here) == {0: "key-id-0"}


def test_what_is_known_of_calls_for_pending_rows_is_brought_in_once(
    tmp_path: Path, success: MakeSuccess, invalid: MakeInvalid
) -> None:
    here, there = tmp_path / "here.db", tmp_path / "there.db"
    _recorded(here, success(0), invalid("key-id-2", text="mine"))
    _recorded(there, success(1), invalid("key-id-2", text="theirs"), invalid("key-id-0"))
    with Checkpoint.open(here) as checkpoint:
        checkpoint.write([], unanswered=[Unanswered("both", 5), Unanswered("key-id-1", 9)])
    with Checkpoint.open(there) as checkpoint:
        checkpoint.write(
            [],
            unanswered=[
                Unanswered("both", 5),
                Unanswered("both", 7),
                Unanswered("only", 1),
                Unanswered("key-id-0", 3),
            ],
        )
    adopt(here, there)
    with CheckpointReader.read(here) as joined:
        calls, costs = joined.unanswered()
        assert calls == {"both": 2, "only": 1, "key-id-0": 1, "key-id-1": 1}
        assert costs == {"both": 12, "only": 1, "key-id-0": 3, "key-id-1": 9}
        texts = {key: one.completion.text for key, one in joined.invalid_answers().items()}
    assert texts == {"key-id-2": "mine", "key-id-0": "hm"}


def test_what_an_outcome_of_the_other_has_taken_up_is_known_of_its_calls_already(
    tmp_path: Path, success: MakeSuccess, invalid: MakeInvalid
) -> None:
    here, there = tmp_path / "here.db", tmp_path / "there.db"
    later: dict[str, Any] = {"unanswered_before": 2, "answered_before": 1, "possible_cost": 9}
    _recorded(here, replace(success(0), **later), invalid("key-id-1"))
    _recorded(there, replace(success(1), **later), invalid("key-id-0"))
    with Checkpoint.open(here) as checkpoint:
        checkpoint.write([], unanswered=[Unanswered("key-id-1", 4)])
    with Checkpoint.open(there) as checkpoint:
        checkpoint.write([], unanswered=[Unanswered("key-id-0", 4)] * 3)
    assert adopt(here, there) == 1
    with CheckpointReader.read(here) as joined:
        assert joined.unanswered() == ({"key-id-0": 1}, {"key-id-0": 3})
        assert joined.invalid_answers() == {}
        assert joined.counts().possible_cost == 9 + 9 + 3


def test_what_an_outcome_that_was_set_aside_since_has_taken_up_counts_once(
    tmp_path: Path, success: MakeSuccess, invalid: MakeInvalid, request_of: MakeRequest
) -> None:
    """Its row was edited there after it was answered."""
    later: dict[str, Any] = {"unanswered_before": 1, "answered_before": 1, "possible_cost": 9}
    usage = Usage(20, 10, 6, None)
    here = _recorded(tmp_path / "here.db", invalid("key-id-1"))
    with Checkpoint.open(here) as checkpoint:
        checkpoint.write([], unanswered=[Unanswered("key-id-1", 9)])
    there = _recorded(tmp_path / "there.db", replace(success(1, usage=usage), **later))
    with Checkpoint.open(there) as checkpoint, checkpoint.placement() as placement:
        placement.place(request_of(1, key="edited"))
        placement.apply()
    with CheckpointReader.read(there) as other:
        spent = other.counts()
    adopt(here, there)
    with CheckpointReader.read(here) as joined:
        counts = joined.counts()
    for name in ("attempts", "ambiguous_attempts", "possible_cost", "prompt_tokens"):
        assert getattr(counts, name) == getattr(spent, name), name


def test_what_is_known_of_a_row_that_is_called_again_stays(
    tmp_path: Path, success: MakeSuccess, failure: MakeFailure, invalid: MakeInvalid
) -> None:
    """Both have its error, and sent it again since."""
    error = failure(0, key="key-id-0")
    here = _recorded(tmp_path / "here.db", error)
    there = _recorded(tmp_path / "there.db", error, success(1))
    for path, calls in ((here, 2), (there, 3)):
        with Checkpoint.open(path) as checkpoint:
            checkpoint.write([invalid("key-id-0")], unanswered=[Unanswered("key-id-0", 1)] * calls)
    assert adopt(here, there) == 1
    with CheckpointReader.read(here) as joined:
        assert joined.unanswered() == ({"key-id-0": 3}, {"key-id-0": 3})
        assert {*joined.invalid_answers()} == {"key-id-0"}


def test_pending_rows_of_another_input_are_looked_for_under_other_numbers(
    tmp_path: Path, success: MakeSuccess
) -> None:
    """A file that came before the others gave new numbers to all rows here."""
    here = _recorded(tmp_path / "here.db", success(9))
    there = _recorded(tmp_path / "there.db", fingerprint="older")
    before, after = _asked(0, numbered=True), _asked(2, numbered=True)
    with Checkpoint.open(there) as checkpoint:
        checkpoint.write([], unanswered=[Unanswered(before[2].key, 5, before[2].pending)] * 2)
    assert adopt(here, there) == 0
    with CheckpointReader.read(here) as joined:
        assert joined.fact("fingerprint") == ""
    _place(here, after)
    with CheckpointReader.read(here) as joined:
        assert joined.unanswered() == ({after[2].key: 2}, {after[2].key: 10})


def test_a_damaged_answer_of_no_use_is_told_of_when_it_is_read(
    tmp_path: Path, success: MakeSuccess, invalid: MakeInvalid
) -> None:
    here = _recorded(tmp_path / "here.db", success(0))
    there = _recorded(tmp_path / "there.db", invalid("key-id-1"))
    with contextlib.closing(sqlite3.connect(there)) as connection, connection:
        connection.execute("UPDATE invalid_answers SET response = 'other'")
    adopt(here, there)
    with (
        CheckpointReader.read(here) as joined,
        pytest.raises(StorageError, match="key-id-1 is not what was written"),
    ):
        joined.invalid_answers()


def test_shelved_outcomes_of_the_other_are_brought_in(
    tmp_path: Path, success: MakeSuccess, request_of: MakeRequest
) -> None:
    there = _recorded(tmp_path / "there.db", success(0), success(1))
    with Checkpoint.open(there) as checkpoint, checkpoint.placement() as placement:
        placement.place(request_of(0))
        placement.apply()
    here = _recorded(tmp_path / "here.db", success(0))
    assert adopt(here, there) == 1
    with CheckpointReader.read(here) as joined:
        assert joined.with_outcome([request_of(1)]) == {"key-id-1"}


def test_a_checkpoint_of_another_version_is_left_alone(
    tmp_path: Path, success: MakeSuccess
) -> None:
    here = _recorded(tmp_path / "here.db", success(0))
    (tmp_path / "there.db").write_bytes(b"")
    with pytest.raises(StorageError, match="is no checkpoint"):
        adopt(here, tmp_path / "there.db")


@settings(max_examples=25)
@given(
    base=st.lists(st.integers(0, 9), unique=True),
    mine=st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=8),
    theirs=st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=8),
)
def test_whatever_both_did_with_a_backup_every_result_of_either_is_kept(
    make_path: Callable[[], Path],
    success: MakeSuccess,
    problems: Problems,
    failure: MakeFailure,
    base: list[int],
    mine: list[tuple[int, bool]],
    theirs: list[tuple[int, bool]],
) -> None:
    def outcomes(rows: Sequence[tuple[int, bool]]) -> list[Kept]:
        return [success(row) if well else failure(row, key=f"key-id-{row}") for row, well in rows]

    here = _recorded(make_path(), *outcomes([(row, True) for row in base]))
    there = Path(shutil.copy(here, make_path()))
    for path, since in ((here, mine), (there, theirs)):
        with Checkpoint.open(path) as checkpoint:
            for outcome in outcomes(since):
                checkpoint.write([outcome])
    results = [{row for row, key in _keys(path).items() if key} for path in (here, there)]
    rows = {*_keys(here), *_keys(there)}
    adopt(here, there)
    kept = _keys(here)
    assert {*kept} == rows
    assert {row for row, key in kept.items() if key} == results[0] | results[1]
    assert problems(here) == []


_PROMPTS = ["same", "same", "x", "y"]


def _asked(before: int, *, numbered: bool) -> list[Request]:
    """Return the rows of a file that has some others before it."""
    rows = []
    for n, prompt in enumerate(_PROMPTS):
        body = {"model": "m", "messages": [{"role": "user", "content": prompt}]}
        row_id = str(n + before) if numbered else f"id-{n}"
        key = request_key(row_id, body)
        rows.append(Request(n + before, row_id, key, body, Source("b.jsonl", n + 1)))
    return rows


def _place(path: Path, rows: Sequence[Request]) -> None:
    with Checkpoint.open(path) as checkpoint, checkpoint.placement(1) as placement:
        for request in rows:
            placement.place(request)
        placement.renumber()
        placement.apply()


def _with_result(path: Path) -> set[str | None]:
    with CheckpointReader.read(path) as checkpoint:
        return {o.source for o in checkpoint.outcomes() if o.error_class is None}


@settings(max_examples=40)
@given(
    base=WORK,
    mine=WORK,
    theirs=WORK,
    grown=st.sampled_from(["here", "there", "neither"]),
    numbered=st.booleans(),
)
def test_whatever_both_did_no_result_is_lost_and_each_call_is_counted_once(
    make_path: Callable[[], Path],
    problems: Problems,
    base: Work,
    mine: Work,
    theirs: Work,
    grown: str,
    *,
    numbered: bool,
) -> None:
    """Also where a file that came before gave the rows other numbers in one of them."""
    calls, rows = Calls(), _asked(0, numbered=numbered)
    here = _recorded(make_path())
    worked(here, calls, base, rows)
    there = Path(shutil.copy(here, make_path()))
    of = {"here": (here, mine, rows), "there": (there, theirs, rows)}
    if grown in of:
        path, work, _ = of[grown]
        of[grown] = (path, work, _asked(2, numbered=numbered))
        _place(path, of[grown][2])
        _recorded(path, fingerprint="grown")
    for path, work, asked in of.values():
        worked(path, calls, work, asked)
    results = _with_result(here) | _with_result(there)
    adopt(here, there)
    assert adopt(here, there) == 0
    _place(here, of["here"][2])
    assert problems(here) == []
    assert _with_result(here) == results
    with CheckpointReader.read(here) as joined:
        counts = joined.counts()
        assert counts.attempts == calls.made
        assert counts.prompt_tokens >= 10 * calls.whole
        # Which answers of no use both have is known, what each of them took is not.
        assert brought_no_use(base) or counts.prompt_tokens == 10 * calls.whole


def test_what_an_error_took_that_was_called_again_elsewhere_is_not_added_again(
    tmp_path: Path, problems: Problems
) -> None:
    """Both of its answers were of no use; so was one before the result."""
    calls, rows = Calls(), _asked(0, numbered=False)
    no_use = ErrorClass.INVALID_OUTPUT
    here = _recorded(tmp_path / "here.db")
    worked(here, calls, [(0, [no_use, no_use], False)], rows)
    there = Path(shutil.copy(here, tmp_path / "there.db"))
    third = Path(shutil.copy(here, tmp_path / "third.db"))
    worked(here, calls, [(0, [no_use], True)], rows)
    for row, other in ((1, there), (2, third)):
        worked(other, calls, [(row, [], True)], rows)
        assert adopt(here, other) == 1
    with CheckpointReader.read(here) as joined:
        counts = joined.counts()
        assert counts.attempts == calls.made
        assert counts.prompt_tokens == 10 * calls.whole
    assert problems(here) == []


def test_a_result_that_takes_the_place_of_an_error_counts_what_the_error_took(
    tmp_path: Path, problems: Problems
) -> None:
    calls, rows = Calls(), _asked(0, numbered=False)
    here, there = (_recorded(tmp_path / name) for name in ("here.db", "there.db"))
    worked(here, calls, [(0, [ErrorClass.SERVER_ERROR], False)], rows)
    worked(there, calls, [(0, [], True)], rows)
    assert adopt(here, there) == 1
    assert _keys(here) == {0: rows[0].key}
    with CheckpointReader.read(here) as joined:
        assert joined.counts().attempts == calls.made == 2
    assert problems(here) == []


def test_of_one_call_that_both_have_the_one_counts_that_knows_of_more(
    tmp_path: Path, problems: Problems
) -> None:
    """It was brought together with the outcome of a third one, which is not here."""
    calls, rows = Calls(), _asked(0, numbered=False)
    result = calls.outcome(rows[0], [], well=True)
    here = _recorded(tmp_path / "here.db", result)
    there = _recorded(tmp_path / "there.db", result)
    third = _recorded(tmp_path / "third.db", calls.outcome(rows[0], [], well=True))
    assert adopt(there, third) == 0
    assert adopt(here, there) == 0
    assert adopt(here, third) == 0
    with CheckpointReader.read(here) as joined:
        assert joined.counts().attempts == calls.made == 2
    assert problems(here) == []


def test_a_result_of_a_row_that_got_another_number_here_takes_the_place_of_its_error(
    tmp_path: Path, problems: Problems
) -> None:
    calls, before, after = Calls(), _asked(0, numbered=True), _asked(2, numbered=True)
    here = _recorded(tmp_path / "here.db")
    worked(here, calls, [(2, [ErrorClass.SERVER_ERROR], False)], before)
    there = Path(shutil.copy(here, tmp_path / "there.db"))
    _place(here, after)
    worked(there, calls, [(2, [], True)], before)
    assert adopt(here, there) == 1
    assert _keys(here) == {4: after[2].key}
    with CheckpointReader.read(here) as joined:
        assert joined.counts().attempts == calls.made == 2
    assert problems(here) == []
