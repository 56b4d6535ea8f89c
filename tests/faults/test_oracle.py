"""An oracle that sees nothing would pass everything: each broken promise is seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from batcher.checkpoint import Checkpoint
from batcher.simulator import LedgerEntry
from tests.faults.case import FINISHED, NOTHING, case
from tests.faults.children import Parent
from tests.faults.oracle import Moment, broken, unfinished

ANSWERS = {"Say 0.": "zero", "Say 1.": "one"}


def _call(prompt: str, status: int | None = 200, fault: str | None = None) -> LedgerEntry:
    return LedgerEntry("here", 1, 0.0, 1, prompt=prompt, status=status, fault=fault)


def _moment(recorded: Mapping[str, object], *calls: LedgerEntry) -> Moment:
    return Moment(recorded, calls)


WHOLE = _moment(ANSWERS, *map(_call, ANSWERS))


def test_an_undisturbed_run_breaks_no_promise() -> None:
    assert list(broken(NOTHING, WHOLE, concurrency=1)) == []
    assert list(broken(WHOLE, WHOLE, concurrency=1)) == []
    assert list(unfinished(WHOLE, [*ANSWERS], list(ANSWERS.items()))) == []


def test_a_recorded_row_that_is_called_again_is_seen() -> None:
    after = _moment(ANSWERS, *WHOLE.ledger, _call("Say 1."))
    assert [*broken(WHOLE, after, concurrency=4)] == [
        "promise 1: 'Say 1.' was recorded, and is called again"
    ]


def test_a_recorded_row_that_is_lost_or_changed_is_seen() -> None:
    lost = _moment({"Say 0.": "zero"}, *WHOLE.ledger)
    assert [*broken(WHOLE, lost, concurrency=4)] == [
        "promise 1: 'Say 1.' was recorded, and is lost"
    ]
    changed = _moment(ANSWERS | {"Say 1.": "two"}, *WHOLE.ledger)
    assert [*broken(WHOLE, changed, concurrency=4)] == [
        "promise 1: the outcome of 'Say 1.' was recorded, and has changed"
    ]


def test_more_lost_answers_than_calls_in_flight_are_seen() -> None:
    after = _moment({}, *WHOLE.ledger)
    assert list(broken(NOTHING, after, concurrency=2)) == []
    assert [*broken(NOTHING, after, concurrency=1)] == [
        "promise 2: 2 answers are lost where 1 calls were in flight"
    ]


def test_a_row_called_twice_without_need_is_seen() -> None:
    twice = _moment(ANSWERS, *WHOLE.ledger, _call("Say 1."))
    assert [*broken(NOTHING, twice, concurrency=4)] == [
        "promise 4: 'Say 1.' was called 2 times by one process"
    ]
    assert list(broken(NOTHING, twice, concurrency=4, expired=1)) == []
    retried = _moment(ANSWERS, *WHOLE.ledger, _call("Say 1.", 500), _call("Say 0.", None, "reset"))
    assert list(broken(NOTHING, retried, concurrency=4)) == []


def test_a_row_missing_or_published_twice_is_seen() -> None:
    published = [("Say 0.", "zero"), ("Say 0.", "zero")]
    assert [*unfinished(WHOLE, [*ANSWERS], published)] == [
        "promise 6: 'Say 0.' is published 2 times",
        "promise 6: 'Say 1.' is published 0 times",
    ]


def test_an_answer_that_is_not_the_recorded_one_is_seen() -> None:
    published = [("Say 0.", "zero"), ("Say 1.", "two")]
    assert [*unfinished(WHOLE, [*ANSWERS], published)] == [
        "promise 6: 'Say 1.' is published with another outcome than is recorded"
    ]


def test_a_row_that_is_not_recorded_or_was_never_called_is_seen() -> None:
    last = _moment({"Say 0.": "zero"}, _call("Say 0."))
    assert [*unfinished(last, [*ANSWERS], list(ANSWERS.items()))] == [
        "promise 6: 'Say 1.' is not recorded",
        "promise 4: 'Say 1.' was never called",
    ]


def test_rows_taken_out_of_a_real_checkpoint_are_seen(parent: Parent, tmp_path: Path) -> None:
    """As if their commit had not been brought to disk: the run calls them again."""
    with case(parent, tmp_path, rows=6, concurrency=2) as run:
        assert run.ended(run.start()) == FINISHED
        with Checkpoint.open(run.directory / "checkpoint.db") as checkpoint:
            checkpoint._writer.execute("DELETE FROM outcomes WHERE row < 2")
        run.finish()
        assert sorted(run.complaints) == [
            f"promise 1: 'Say {n}.' was recorded, and is called again (exit {FINISHED})"
            for n in range(2)
        ]


def test_a_damaged_output_is_seen(parent: Parent, tmp_path: Path) -> None:
    with case(parent, tmp_path, rows=2, concurrency=2) as run:
        run.finish()
        results = run.directory / "results.parquet"
        results.write_bytes(results.read_bytes()[:-20])
        with pytest.raises(pa.ArrowInvalid, match="Parquet"):
            run.published()
