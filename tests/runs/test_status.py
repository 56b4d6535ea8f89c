"""How far a run is."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest

from batcher.checkpoint import Checkpoint
from batcher.errors import StorageError
from batcher.runs.remembered import dataset_of, input_facts
from batcher.runs.status import status_of
from tests.simulated import AT_ONCE, Place


def test_a_stopped_run_counts_what_is_pending(place: Place) -> None:
    job = place.job(limits={"concurrency": 1})
    place.run(job, replace(AT_ONCE, fail_after=(4, "1113")))
    status = status_of(place.directory)
    assert (status.state, status.total, status.counts.rows, status.pending) == ("stopped", 10, 4, 6)


def test_errors_are_shown_by_class_with_their_hint(place: Place) -> None:
    place.run(simulator=replace(AT_ONCE, faults={"1301": 1.0}))
    status = status_of(place.directory)
    assert status.facts()["error_classes"] == {"content_filtered": 10}
    assert any("10 content_filtered: " in line for line in status.lines())
    assert status.state == "finished"


def test_a_finished_run_is_told_of_even_when_its_input_is_gone(place: Place) -> None:
    """Its rows were counted and remembered."""
    place.run()
    place.input.unlink()
    assert status_of(place.directory).total == 10


@pytest.mark.parametrize("gone", [True, False], ids=["gone", "damaged"])
def test_rows_that_cannot_be_counted_hide_nothing_of_what_was_paid(
    place: Place, *, gone: bool
) -> None:
    place.run()
    facts = place.directory.description_facts()
    place.directory.describe({**facts, "rows": None})
    damaged = place.input.with_suffix(".jsonl.gz")
    with Checkpoint.open(place.directory.checkpoint) as checkpoint:
        dataset = dataset_of(checkpoint.fact("input"))
        file = replace(dataset.files[0], place=damaged, name="a.gz", compression="gzip")
        checkpoint.remember(input=input_facts(replace(dataset, files=(file,))))
    if not gone:
        damaged.write_bytes(gzip.compress(b"x" * 99)[:-9])
    status = status_of(place.directory)
    assert (status.state, status.total, status.pending) == ("stopped", None, None)
    assert (status.facts()["rows"], status.facts()["results"]) == (None, 10)
    lines = list(status.lines())
    assert "  rows    10 of an unknown number" in lines
    assert any(line.startswith("          cannot read a.gz: ") for line in lines)


def test_what_it_cost_is_told_in_the_currency_of_its_prices(place: Place) -> None:
    place.run()
    status = status_of(place.directory)
    assert "  cost    0.0000 CNY by the prices of 2026-07-01" in status.lines()
    counts = replace(status.counts, cost=2_500_000_000, possible_cost=5, unpriced=0)
    status = replace(status, counts=counts)
    (line,) = [line for line in status.lines() if line.startswith("  cost ")]
    assert line.startswith("  cost    2.50 CNY by the prices of 2026-07-01, at most 0.0001 more")
    facts = status.facts()
    assert (facts["cost"], facts["currency"]) == (2.5, "CNY")


def test_an_empty_input_is_finished_at_once(place: Place) -> None:
    place.write([])
    place.run()
    status = status_of(place.directory)
    assert (status.state, status.total) == ("finished", 0)
    assert any("0 of 0 (100.0%)" in line for line in status.lines())


def test_a_directory_without_a_checkpoint_holds_no_run(place: Place) -> None:
    with pytest.raises(StorageError, match="is this the directory of a run"):
        status_of(place.directory)
