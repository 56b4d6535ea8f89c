"""The history of a run: what is recorded and how calls flowed, second by second, in steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.checkpoint import Checkpoint, CheckpointReader
from batcher.errors import ErrorClass, Halt, Problem
from batcher.history import Beat, Ended, History
from batcher.records import (
    AnsweredBy,
    Attempt,
    Completion,
    Failure,
    Outcome,
    Source,
    Success,
    Usage,
)

START = 1_700_000_000
SOURCE = Source("prompts.jsonl", 1)
THROTTLED, SERVER_ERROR = ErrorClass.THROTTLED, ErrorClass.SERVER_ERROR


def _success(row: int, at: float, *, latency: float = 1.5, tokens: int = 10) -> Success:
    completion = Completion("hi", None, None, "stop", "m", Usage(100, tokens))
    attempt = Attempt(1, "r", at - latency, latency)
    return Success(row, f"id-{row}", f"key-{row}", completion, (attempt,), at, SOURCE, cost=7)


def _failure(row: int, at: float) -> Failure:
    problem = Problem(ErrorClass.BAD_REQUEST, "no")
    return Failure(row, f"id-{row}", f"key-{row}", problem, (), at, SOURCE)


def _beat(at: int, **values: object) -> Beat:
    quiet = Beat(at, attempts=0, failures={}, in_flight=0, limit=8, paused=0.0)
    return quiet._replace(**values)  # type: ignore[arg-type] # fields of Beat


def _process(
    path: Path,
    start: int,
    outcomes: Sequence[Outcome] = (),
    beats: Sequence[Beat] = (),
    ended: Ended | None = Ended.DONE,
) -> None:
    with Checkpoint.open(path / "checkpoint.db") as checkpoint:
        checkpoint.begin_process(start)
        checkpoint.write(outcomes, beats=beats)
        if ended is not None:
            checkpoint.end_process(ended)


def _history(path: Path, steps: int = 400) -> History:
    with CheckpointReader.read(path / "checkpoint.db") as checkpoint:
        return checkpoint.history(steps)


def test_a_run_that_made_no_calls_has_no_history(tmp_path: Path) -> None:
    with Checkpoint.open(tmp_path / "checkpoint.db") as checkpoint:
        assert checkpoint.history() == History()
        assert checkpoint.history().seconds == 0


def test_what_is_recorded_counts_in_the_second_in_which_it_ended(tmp_path: Path) -> None:
    outcomes: list[Outcome] = [
        _success(0, START + 0.2),
        _success(1, START + 0.9),
        _failure(2, START + 1.0),
    ]
    _process(tmp_path, START, outcomes, [_beat(START + 1)])
    first, second = _history(tmp_path).moments
    assert (first.at, first.second, first.results, first.errors) == (0, START, 2, 0)
    assert (first.prompt_tokens, first.completion_tokens, first.cost) == (200, 20, 14)
    assert (second.at, second.results, second.errors, second.cost) == (1, 0, 1, 0)


def test_beats_of_a_second_are_one_moment(tmp_path: Path) -> None:
    """Sums of attempts and pauses, the most calls in flight, and the limit of then."""
    beats = [
        _beat(START, attempts=3, failures={THROTTLED: 2}, in_flight=8),
        _beat(START, attempts=2, failures={THROTTLED: 1, SERVER_ERROR: 1}, in_flight=4, limit=4),
        _beat(START, paused=0.5, limit=4, waiting="endpoint down for 3 s"),
    ]
    _process(tmp_path, START, (), beats)
    history = _history(tmp_path)
    (moment,) = history.moments
    assert (moment.attempts, moment.in_flight, moment.paused) == (5, 8, 0.5)
    assert moment.failures == {THROTTLED: 3, SERVER_ERROR: 1}
    assert history.waiting == "endpoint down for 3 s"


def test_latencies_and_tokens_are_those_of_calls(tmp_path: Path) -> None:
    """Answers that another row's call brought have none."""
    shared = replace(_success(1, START), attempts=(), answered_by=AnsweredBy.DUPLICATE)
    _process(tmp_path, START, [_success(0, START, latency=2.0, tokens=50), shared])
    history = _history(tmp_path)
    assert history.latencies.buckets.total() == 1
    assert history.latencies.quantile(0.5) == pytest.approx(2.0, rel=0.01)
    assert history.completion_tokens.quantile(0.5) == pytest.approx(50, rel=0.01)
    assert history.prompt_tokens.quantile(0.5) == pytest.approx(100, rel=0.01)
    assert sum(moment.results for moment in history.moments) == 2


def test_time_between_processes_takes_no_room(tmp_path: Path) -> None:
    """A night, a kill, and a process that found nothing to do."""
    night = START + 36_000
    _process(tmp_path, START, [_success(0, START)], [_beat(START + 9)], ended=None)
    _process(tmp_path, night, [_success(1, night + 3)], [_beat(night + 4)])
    _process(tmp_path, night + 100)
    history = _history(tmp_path)
    assert [(p.number, p.seconds, p.ended) for p in history.processes] == [
        (1, 10, None),
        (2, 5, "done"),
        (3, 1, "done"),
    ]
    assert history.seconds == 16
    at = {moment.second: moment.at for moment in history.moments}
    assert (at[START], at[START + 9], at[night + 3], at[night + 4]) == (0, 9, 13, 14)


def test_a_clock_that_was_set_back_loses_nothing(tmp_path: Path) -> None:
    _process(tmp_path, START, [_success(0, START - 60)], [_beat(START + 1)])
    assert [(m.at, m.results) for m in _history(tmp_path).moments] == [(0, 1), (1, 0)]


@settings(max_examples=40, deadline=None)
@given(
    ends=st.lists(st.integers(0, 5000), min_size=1, max_size=30),
    steps=st.integers(1, 50),
    split=st.integers(0, 30),
)
def test_in_however_many_steps_the_sums_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, ends: list[int], steps: int, split: int
) -> None:
    path = tmp_path_factory.mktemp("history")
    outcomes = [_success(row, START + at) for row, at in enumerate(sorted(ends))]
    beats = [_beat(START + at, attempts=1, failures={THROTTLED: 1}) for at in sorted(ends)]
    for part in (slice(0, split), slice(split, None)):
        if outcomes[part]:
            first = int(outcomes[part][0].finished_at)
            _process(path, first, outcomes[part], beats[part])
    history = _history(path, steps)
    assert sum(moment.results for moment in history.moments) == len(ends)
    assert sum(moment.attempts for moment in history.moments) == len(ends)
    failures: Counter[ErrorClass] = Counter()
    for moment in history.moments:
        failures.update(moment.failures)
    assert failures == {THROTTLED: len(ends)}
    assert len(history.moments) <= steps + len(history.processes)
    places = [moment.at for moment in history.moments]
    assert places == sorted(set(places))
    assert all(place < history.seconds for place in places)


def test_why_a_process_stopped_itself_is_kept(tmp_path: Path) -> None:
    halts = [Halt("A ceiling."), Halt("No balance.", 77, ErrorClass.BALANCE), None]
    for at, halt in enumerate(halts):
        with Checkpoint.open(tmp_path / "checkpoint.db") as checkpoint:
            checkpoint.begin_process(START + at)
            checkpoint.end_process(Ended.HALTED, halt=halt)
    assert [(p.error_class, p.reason) for p in _history(tmp_path).processes] == [
        (None, "A ceiling."),
        (ErrorClass.BALANCE, "No balance."),
        (None, None),
    ]
