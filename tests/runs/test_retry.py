"""Errors of a run that is there, called again with its own job and input."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batcher.checkpoint import Checkpoint, CheckpointReader, ErrorChoice
from batcher.errors import ConfigurationError, ErrorClass, InputError, StorageError, UsageError
from batcher.recorded import Counts
from batcher.runs.result import RunResult
from batcher.runs.retry import EarlierRun, error_classes
from batcher.simulator import SimulatorConfig
from tests.pictures import picture
from tests.simulated import AT_ONCE, Place

FILTERED = ErrorChoice(frozenset({ErrorClass.CONTENT_FILTERED}))
FAILING = replace(AT_ONCE, faults={"1301": 0.4, "1210": 0.3}, seed=1)
Retry = Callable[..., RunResult]


@pytest.fixture
def failed(place: Place) -> Place:
    """A place whose run has results, errors of two classes, and a bad row."""
    rows = [json.dumps({"id": f"id-{n}", "prompt": f"Say {n}."}) for n in range(30)]
    place.write([*rows, "not json"])
    place.run(simulator=FAILING)
    return place


def _retry(
    place: Place, choice: ErrorChoice, simulator: SimulatorConfig = AT_ONCE, **tables: object
) -> RunResult:
    job = EarlierRun.recalled(place.directory).job(tables)
    return place.run(job, simulator, only=choice, consent=False)


def _rows(place: Place, error_class: str) -> list[int]:
    return [row["row"] for row in place.errors() if row["error_class"] == error_class]


def _counts(place: Place) -> Counts:
    with CheckpointReader.read(place.directory.checkpoint) as checkpoint:
        return checkpoint.counts()


def test_only_the_chosen_errors_are_called_and_the_outputs_made_anew(failed: Place) -> None:
    chosen, others = _rows(failed, "content_filtered"), _rows(failed, "bad_request")
    calls = len(failed.ledger())
    assert chosen
    assert others
    assert len(failed.errors()) == len(chosen) + len(others) + 1
    result = _retry(failed, FILTERED)
    called = {entry.prompt for entry in failed.ledger()[calls:]}
    assert called == {f"Say {row}." for row in chosen}
    assert len(failed.ledger()) == calls + len(chosen)
    assert _rows(failed, "content_filtered") == []
    assert _rows(failed, "bad_request") == others
    assert set(chosen) <= {row["row"] for row in failed.results()}
    assert (result.left, result.summary.pending) == (0, 0)
    assert f"{len(chosen)} chosen errors taken up again." in result.summary.lines()


def test_a_condition_chooses_among_the_rows_of_a_class(failed: Place) -> None:
    first, *rest = _rows(failed, "content_filtered")
    _retry(failed, replace(FILTERED, where=f"row <= {first}"))
    assert _rows(failed, "content_filtered") == rest


def test_of_several_samples_those_that_failed_are_called_again(place: Place) -> None:
    job = place.job(sampling={"samples": 3}, parameters={"temperature": 1.0})
    place.run(job, replace(AT_ONCE, faults={"1301": 0.5}, seed=3))
    failed = [(row["row"], row["sample"]) for row in place.errors()]
    first = failed[0][0]
    again = [sample for row, sample in failed if row == first]
    calls = len(place.ledger())
    _retry(place, ErrorChoice(where=f"row = {first}"))
    assert len(place.ledger()) == calls + len(again)
    left = [(row["row"], row["sample"]) for row in place.errors()]
    assert left == [(row, sample) for row, sample in failed if row != first]


def test_what_a_retried_row_took_before_stays_in_the_sums(failed: Place) -> None:
    before = _counts(failed)
    _retry(failed, FILTERED, replace(AT_ONCE, faults={"1301": 1.0}))
    failed_again = _counts(failed)
    assert failed_again.attempts == len(failed.ledger()) > before.attempts
    _retry(failed, FILTERED)
    assert _counts(failed).attempts == len(failed.ledger())
    assert all(row["attempts"] in (1, 3) for row in failed.results())


def test_calling_all_errors_again_by_run_keeps_them_in_the_sums_too(failed: Place) -> None:
    failed.run(retry_errors=True)
    assert _counts(failed).attempts == len(failed.ledger())


def test_a_choice_that_means_no_error_calls_nothing(failed: Place) -> None:
    calls, errors = len(failed.ledger()), failed.errors()
    result = _retry(failed, ErrorChoice(where="row > 1000"))
    assert (len(failed.ledger()), failed.errors()) == (calls, errors)
    assert "No error was chosen; nothing was called." in result.summary.lines()


def test_pending_rows_stay_pending_and_are_named(place: Place) -> None:
    job = place.job(limits={"concurrency": 1}, ceilings={"max_rows": 4})
    place.run(job, replace(AT_ONCE, faults={"1301": 1.0}))
    assert len(place.errors()) == 4
    result = _retry(place, ErrorChoice(), ceilings={"max_rows": None})
    assert (len(place.results()), place.errors()) == (4, [])
    assert result.summary.pending == 6
    assert "`batcher run` goes on with the pending rows" in result.summary.ended
    place.run()
    assert len(place.results()) == 10


def test_a_retry_that_the_provider_stops_says_so_and_leaves_the_errors_as_they_were(
    failed: Place,
) -> None:
    """Every row has an outcome, so it is not pending rows that tell."""
    errors = failed.errors()
    result = _retry(failed, FILTERED, replace(AT_ONCE, faults={"1113": 1.0}))
    assert result.halted is not None
    assert result.left
    assert ErrorClass.BALANCE.rule.hint in result.summary.ended
    assert failed.errors() == errors


def test_until_a_row_has_its_new_outcome_the_old_one_is_recorded(failed: Place) -> None:
    """So a retry that is cut off loses nothing."""
    chosen = _rows(failed, "content_filtered")
    _retry(failed, FILTERED, ceilings={"max_rows": 2})
    assert _rows(failed, "content_filtered") == chosen[2:]


def test_a_retrys_own_limits_are_not_those_of_the_run_from_then_on(failed: Place) -> None:
    _retry(failed, FILTERED, ceilings={"max_rows": 2}, limits={"concurrency": 3})
    job = EarlierRun.recalled(failed.directory).job({})
    assert (job.ceilings.max_rows, job.limits.concurrency) == (None, "auto")


def test_the_job_is_found_again_from_anywhere_with_its_template_inlined(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ask.txt").write_text("Ask {{ prompt }}")
    job = place.job(prompt={"template": "@ask.txt"})
    place.run(job, replace(AT_ONCE, faults={"1301": 1.0}))
    Path("ask.txt").unlink()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    _retry(place, ErrorChoice())
    assert {entry.prompt for entry in place.ledger()} == {f"Ask Say {n}." for n in range(10)}
    assert len(place.results()) == 10


def test_images_beside_the_input_are_found_again_from_anywhere(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    Path("red.png").write_bytes(picture())
    place.write([{"id": "a", "prompt": "What is this?", "image": "red.png"}])
    job = place.job(
        input=["prompts.jsonl"],
        provider={"model": "glm-4v-flash"},
        prompt={"image_columns": ["image"]},
    )
    place.run(job, replace(AT_ONCE, faults={"1301": 1.0}))
    assert _rows(place, "content_filtered") == [0]
    monkeypatch.chdir("/")
    _retry(place, ErrorChoice())
    assert [row["id"] for row in place.results()] == ["a"]


@pytest.mark.parametrize("how", [{"only": ErrorChoice()}, {"retry_errors": True}])
def test_a_row_that_was_bad_for_a_while_has_the_answer_that_was_paid_before(
    place: Place, how: dict[str, Any]
) -> None:
    """Its image was missing when the input had changed, so that its answer was set aside."""
    image = place.folder / "red.png"
    image.write_bytes(picture())
    rows = [{"id": "a", "prompt": "What is this?", "image": "red.png"}]
    place.write(rows)
    job = place.job(provider={"model": "glm-4v-flash"}, prompt={"image_columns": ["image"]})
    place.run(job)
    image.unlink()
    (place.folder / "other.png").write_bytes(picture())
    place.write([*rows, {"id": "b", "prompt": "And this?", "image": "other.png"}])
    place.run(job)
    assert [row["id"] for row in place.results()] == ["b"]
    image.write_bytes(picture())
    result = place.run(job, **how)
    assert [row["id"] for row in place.results()] == ["a", "b"]
    assert (result.summary.tally.attempts, len(place.ledger())) == (0, 2)
    assert (result.summary.pending, result.left) == (0, 0)
    assert "1 chosen error taken up again." in result.summary.ended or "only" not in how


def test_standard_input_is_found_again_where_it_was_kept(place: Place) -> None:
    job = place.job(input=["-"], output={"directory": str(place.directory.path)})
    piped = place.input.read_bytes()
    place.run(job, replace(AT_ONCE, faults={"1301": 1.0}), stdin=piped)
    _retry(place, ErrorChoice())
    assert len(place.results()) == 10


def test_a_changed_input_is_refused_before_any_call(failed: Place) -> None:
    calls = len(failed.ledger())
    failed.write([{"id": "id-0", "prompt": "Something else."}])
    with pytest.raises(InputError, match="the input changed since it was run"):
        _retry(failed, ErrorChoice())
    assert len(failed.ledger()) == calls


def test_simulated_and_real_answers_are_not_mixed(failed: Place) -> None:
    earlier = EarlierRun.recalled(failed.directory)
    earlier.agree(simulated=True)
    with pytest.raises(ConfigurationError, match="holds simulated answers; give --simulate"):
        earlier.agree(simulated=False)
    with pytest.raises(ConfigurationError, match=r"holds real answers.*leave it out"):
        replace(earlier, simulated=False).agree(simulated=True)


def test_a_look_before_it_counts_rows_by_class_and_bad_ones_apart(failed: Place) -> None:
    filtered, refused = _rows(failed, "content_filtered"), _rows(failed, "bad_request")
    lines = list(EarlierRun.recalled(failed.directory).lines(ErrorChoice()))
    assert lines[0] == f"{len(filtered) + len(refused)} error rows would be called again"
    assert f"  {len(filtered)} content_filtered" in lines
    assert lines[-2:] == [
        "1 bad row would be read again, without a call",
        "  1 invalid_row",
    ]


def test_a_look_before_it_says_that_a_duplicate_stays(place: Place) -> None:
    place.write({"id": "same", "prompt": f"Say {n}."} for n in range(2))
    place.run()
    lines = list(EarlierRun.recalled(place.directory).lines(ErrorChoice()))
    assert lines == [
        "0 error rows would be called again",
        "1 duplicate_id row would stay, since the id is another row's",
    ]


def test_a_directory_without_a_run_or_without_its_job_says_what_to_do(
    place: Place,
) -> None:
    with pytest.raises(StorageError, match="is this the directory of a run"):
        EarlierRun.recalled(place.directory)
    place.directory.create()
    with Checkpoint.open(place.directory.checkpoint):
        pass
    with pytest.raises(ConfigurationError, match=r"does not know its job.*--retry-errors"):
        EarlierRun.recalled(place.directory).job({})


def test_the_names_of_classes_are_checked_and_the_nearest_one_is_told() -> None:
    assert error_classes(["throttled", " Bad_Request"]) == {
        ErrorClass.THROTTLED,
        ErrorClass.BAD_REQUEST,
    }
    with pytest.raises(
        UsageError, match=r"'throtled'.*did you mean `throttled`.*Known: invalid_row"
    ):
        error_classes(["throtled"])
