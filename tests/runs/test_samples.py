"""Runs with several samples a row, and starts with some of the rows, from input to outputs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from batcher.errors import ConfigurationError
from batcher.job import JobSpec
from batcher.runs.result import RunResult
from batcher.runs.selection import Portion, draw
from batcher.runs.status import status_of
from batcher.runs.verify import verify
from tests.simulated import AT_ONCE, Place, Silent


class Listener(Silent):
    """A watcher that keeps what it is told in words."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)


def _job(place: Place, samples: int) -> JobSpec:
    return place.job(sampling={"samples": samples}, parameters={"temperature": 0.8})


def _samples(place: Place) -> list[tuple[int, str, int]]:
    return [(row["row"], row["id"], row["sample"]) for row in place.results()]


def _begin(place: Place, portion: Portion, job: JobSpec | None = None) -> RunResult:
    return replace(place.session(job), portion=portion).run()


def test_each_row_is_asked_for_each_sample_and_has_a_row_for_it(place: Place) -> None:
    result = place.run(_job(place, 3))
    assert _samples(place) == [(n, f"id-{n}", sample) for n in range(10) for sample in range(3)]
    assert [row["prompt"] for row in place.results()[3:6]] == ["Say 1."] * 3
    assert Counter(entry.prompt for entry in place.ledger()) == {f"Say {n}.": 3 for n in range(10)}
    assert "  rows      10 rows x 3 samples: 30 results, 0 errors, 0 pending" in list(
        result.summary.lines()
    )
    assert verify(place.directory).sound
    status = status_of(place.directory)
    assert (status.total, status.pending, status.state) == (30, 0, "finished")
    assert (status.facts()["rows"], status.facts()["samples"]) == (10, 3)
    assert "  rows    30 of 10 rows x 3 samples (100.0%)" in list(status.lines())


def test_more_samples_keep_the_answers_there_are_and_fewer_set_theirs_aside(place: Place) -> None:
    """And back to more, nothing is paid twice."""
    keys = []
    for samples, calls in ((1, 10), (5, 50), (3, 50), (5, 50)):
        place.run(_job(place, samples))
        assert (len(place.results()), len(place.ledger())) == (10 * samples, calls)
        assert verify(place.directory).sound
        keys.append({row["key"] for row in place.results()})
    assert keys[0] < keys[2] < keys[1] == keys[3]
    assert [change.gives_up for change in place.asked] == [False, True]
    assert "sampling.samples: 1 -> 5" in place.asked[0].text
    assert "40 samples to be called; 10 samples with answer or error kept" in place.asked[0].text
    assert "20 recorded answers without a row any more" in place.asked[1].text


def test_fewer_samples_are_not_set_aside_without_consent(place: Place) -> None:
    place.run(_job(place, 2))
    with pytest.raises(ConfigurationError, match="Give --yes"):
        place.run(_job(place, 1), consent=False)
    place.run(_job(place, 2))
    assert (len(place.results()), len(place.ledger())) == (20, 20)


def test_a_bad_row_is_an_error_for_each_of_its_samples(place: Place) -> None:
    """So that results, errors and pending samples are rows x samples."""
    place.write([{"id": "a", "prompt": "one"}, "not json", {"id": "a", "prompt": "again"}])
    result = place.run(_job(place, 3))
    errors = [(row["row"], row["sample"], row["error_class"]) for row in place.errors()]
    assert errors == [
        *((1, sample, "invalid_row") for sample in range(3)),
        *((2, sample, "duplicate_id") for sample in range(3)),
    ]
    assert (result.summary.counts.results, result.summary.counts.error_rows) == (3, 6)
    assert result.summary.pending == 0
    assert verify(place.directory).sound


def test_a_run_that_stopped_within_a_row_goes_on_with_its_other_samples(place: Place) -> None:
    job = place.job(sampling={"samples": 4}, limits={"concurrency": 1})
    stopped = place.run(job, replace(AT_ONCE, fail_after=(6, "1113")))
    assert (stopped.summary.counts.rows, stopped.summary.pending) == (6, 34)
    assert _samples(place)[-1] == (1, "id-1", 1)
    place.run(job)
    assert len(place.results()) == 40
    assert len([entry for entry in place.ledger() if entry.status == 200]) == 40


def test_samples_at_temperature_0_are_called_and_said_to_be_of_little_use(place: Place) -> None:
    watcher = Listener()
    cold = place.job(sampling={"samples": 2}, parameters={"temperature": 0})
    replace(place.session(cold), watcher=watcher).run()
    assert [notice for notice in watcher.notices if "at temperature 0" in notice]
    assert len(place.results()) == 20


def test_the_first_rows_alone_end_a_start_and_the_rest_is_called_by_the_next(place: Place) -> None:
    first = _begin(place, Portion(limit=4))
    assert (first.summary.pending, first.summary.tally.total) == (0, 4)
    assert first.summary.ended == (
        "Done: the first 4 of 10 rows. The same command without this choice goes on with the rest."
    )
    assert [row["row"] for row in place.results()] == [0, 1, 2, 3]
    assert place.directory.description_facts()["chosen"] == "the first 4 of 10 rows"
    rest = place.run()
    assert (rest.summary.pending, rest.summary.ended) == (0, "Done.")
    assert len(place.results()) == len(place.ledger()) == 10
    assert place.asked == []


def test_a_sample_grows_to_a_larger_one_and_to_all_rows(place: Place) -> None:
    for size, before in ((3, 0), (6, 6)):
        drawn = _begin(place, Portion(sample=size, seed=7), _job(place, 2))
        assert (drawn.summary.pending, drawn.summary.tally.total) == (0, 2 * size)
        assert drawn.summary.tally.done_before == before
        assert sorted({row["row"] for row in place.results()}) == list(draw(10, size, 7))
        assert len(place.ledger()) == 2 * size
    whole = place.run(_job(place, 2))
    assert (whole.summary.pending, len(place.ledger())) == (0, 20)


def test_more_rows_than_there_are_are_all_of_them(place: Place) -> None:
    for portion in (Portion(limit=11), Portion(sample=11)):
        assert _begin(place, portion).summary.ended == "Done."
    assert len(place.ledger()) == 10


def test_chosen_rows_that_an_earlier_start_called_are_done(place: Place) -> None:
    _begin(place, Portion(sample=5))
    again = _begin(place, Portion(sample=5))
    assert (again.summary.tally.attempts, again.summary.tally.done_before) == (0, 5)
    assert (again.summary.pending, len(place.ledger())) == (0, 5)


def test_chosen_rows_that_are_left_by_a_stop_are_pending(place: Place) -> None:
    session = place.session(
        place.job(limits={"concurrency": 1}), replace(AT_ONCE, fail_after=(2, "1113"))
    )
    stopped = replace(session, portion=Portion(limit=5)).run()
    assert (stopped.summary.pending, stopped.summary.tally.total) == (3, 5)
    assert stopped.halted is not None
