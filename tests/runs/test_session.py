"""A run from its input to its outputs, again and again."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batcher.checkpoint import Checkpoint, CheckpointReader, RunLock
from batcher.errors import (
    ConfigurationError,
    ErrorClass,
    LockedError,
    OutputError,
    StorageError,
    UsageError,
)
from tests.simulated import AT_ONCE, Place


def test_every_row_gets_its_answer_by_one_call(place: Place) -> None:
    result = place.run()
    assert [row["row"] for row in place.results()] == list(range(10))
    assert all(row["response"] for row in place.results())
    assert place.errors() == []
    assert sorted(entry.prompt for entry in place.ledger()) == [f"Say {n}." for n in range(10)]
    assert (result.summary.pending, result.summary.unexported) == (0, None)
    assert next(result.summary.lines()).startswith("SIMULATED")


def test_a_finished_run_makes_no_calls_and_leaves_its_outputs_as_they_were(place: Place) -> None:
    place.run()
    calls = len(place.ledger())
    before = place.directory.results.read_bytes(), place.directory.errors.read_bytes()
    result = place.run()
    assert len(place.ledger()) == calls
    assert before == (place.directory.results.read_bytes(), place.directory.errors.read_bytes())
    assert result.summary.tally.attempts == 0
    assert place.asked == []


def test_bad_rows_become_errors_and_the_others_are_called(place: Place) -> None:
    place.write(
        [
            {"id": "a", "prompt": "one"},
            "not json",
            {"id": "b"},
            {"id": "a", "prompt": "again"},
            {"id": "c", "prompt": "two"},
        ]
    )
    place.run()
    assert [row["id"] for row in place.results()] == ["a", "c"]
    errors = place.errors()
    assert [row["error_class"] for row in errors] == [
        "invalid_row",
        "invalid_row",
        "duplicate_id",
    ]
    assert [row["source_line"] for row in errors] == [2, 3, 4]
    assert errors[0]["source_text"] == "not json"
    assert f"{place.input}:4" in errors[2]["message"]
    assert f"{place.input}:1" in errors[2]["message"]
    assert len(place.ledger()) == 2


def test_bad_rows_are_the_same_after_a_second_run_and_cost_nothing(place: Place) -> None:
    place.write([{"id": "a", "prompt": "one"}, "[]", {"id": "a", "prompt": "two"}])
    place.run()
    before = place.errors()
    place.run(retry_errors=True)
    kept = [(row["row"], row["error_class"], row["message"]) for row in place.errors()]
    assert kept == [(row["row"], row["error_class"], row["message"]) for row in before]
    assert len(place.ledger()) == 1


def test_rows_refused_for_good_are_called_again_only_when_asked_to(place: Place) -> None:
    refusing = replace(AT_ONCE, faults={"1301": 1.0})
    place.run(simulator=refusing)
    assert {row["error_class"] for row in place.errors()} == {"content_filtered"}
    assert {row["code"] for row in place.errors()} == {"1301"}
    assert len(place.ledger()) == 10
    place.run()
    assert len(place.ledger()) == 10
    place.run(retry_errors=True)
    assert len(place.ledger()) == 20
    assert (len(place.results()), place.errors()) == (10, [])


def test_an_empty_balance_stops_the_run_and_leaves_the_rest_pending(place: Place) -> None:
    job = place.job(limits={"concurrency": 1})
    result = place.run(job, replace(AT_ONCE, fail_after=(4, "1113")))
    assert result.halted is not None
    assert result.halted.exit_code == ErrorClass.BALANCE.rule.exit_code
    assert ErrorClass.BALANCE.rule.hint in result.halted.reason
    assert len(place.results()) == 4
    assert (result.summary.pending, place.errors()) == (6, [])
    assert "recharge" in " ".join(result.summary.lines())
    assert len(place.ledger()) == 5
    place.run(job)
    assert len(place.results()) == 10
    assert len(place.ledger()) == 11


def test_an_edited_row_alone_is_called_again_and_an_undone_edit_costs_nothing(place: Place) -> None:
    rows = [{"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(10)]
    place.run()
    answers = {row["id"]: row["response"] for row in place.results()}
    place.write([*rows[:3], {"id": "id-3", "prompt": "Say something else."}, *rows[4:]])
    place.run()
    assert [entry.prompt for entry in place.ledger()[10:]] == ["Say something else."]
    assert place.asked[0].gives_up
    assert "the input files changed" in place.asked[0].text
    assert "9 rows with answer or error kept" in place.asked[0].text
    place.write(rows)
    place.run()
    assert len(place.ledger()) == 11
    assert {row["id"]: row["response"] for row in place.results()} == answers


def test_an_input_that_grew_is_told_of_and_only_its_new_rows_are_called(place: Place) -> None:
    place.run()
    place.write({"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(12))
    place.run()
    assert [change.gives_up for change in place.asked] == [False]
    assert len(place.ledger()) == 12
    assert len(place.results()) == 12


def test_without_consent_a_changed_job_makes_no_call_and_keeps_what_there_is(place: Place) -> None:
    place.run()
    before = place.directory.results.read_bytes()
    hotter = place.job(parameters={"temperature": 0.9})
    with pytest.raises(ConfigurationError, match="--yes"):
        place.run(hotter, consent=False)
    assert "parameters.temperature: None -> 0.9" in place.asked[0].text
    place.run()
    assert len(place.ledger()) == 10
    assert place.directory.results.read_bytes() == before


def test_real_and_simulated_answers_are_never_mixed(place: Place) -> None:
    place.run()
    session = place.session()
    real = replace(session, callee=replace(session.callee, simulator=None))
    with pytest.raises(ConfigurationError, match="is of a simulated run and this one is real"):
        real.run()


def test_a_parquet_input_keeps_its_columns_and_their_types(place: Place) -> None:
    path = place.folder / "prompts.parquet"
    table = pa.table(
        {
            "prompt": pa.array(["one", "two"]),
            "price": pa.array([1, None], pa.decimal128(9, 2)),
            "response": pa.array([b"x", b"y"]),
        }
    )
    pq.write_table(table, path)
    place.run(place.job(input=[str(path)]))
    results = pq.read_table(place.directory.results)
    assert results.column("price").type == pa.decimal128(9, 2)
    assert results.column("input_response").to_pylist() == [b"x", b"y"]
    assert results.column("id").to_pylist() == ["0", "1"]


def test_standard_input_is_kept_so_that_the_run_can_go_on_without_it(place: Place) -> None:
    job = place.job(
        input=["-"], output={"directory": str(place.directory.path)}, limits={"concurrency": 1}
    )
    stdin = place.input.read_bytes()
    place.run(job, replace(AT_ONCE, fail_after=(3, "1113")), stdin=stdin)
    place.run(job, stdin=b"")
    assert len(place.results()) == 10
    assert len(place.ledger()) == 11


def test_standard_input_that_is_refused_leaves_the_kept_one(place: Place) -> None:
    job = place.job(input=["-"], output={"directory": str(place.directory.path)})
    place.run(job, stdin=place.input.read_bytes())
    with pytest.raises(ConfigurationError, match="--yes"):
        place.run(job, stdin=b'{"id": "new", "prompt": "other"}\n', consent=False)
    place.run(job, stdin=b"")
    assert len(place.results()) == 10
    assert len(place.ledger()) == 10


@pytest.mark.parametrize("name", ["results.parquet", "log.jsonl", "run.json", "stdin.jsonl"])
def test_a_directory_that_holds_what_is_not_ours_is_left_alone(place: Place, name: str) -> None:
    """So is one whose checkpoint was lost: its rows would be paid again without a word."""
    place.directory.path.mkdir()
    stranger = place.directory.path / name
    stranger.write_text("mine")
    with pytest.raises(OutputError, match=name):
        place.run()
    assert stranger.read_text() == "mine"
    assert [path.name for path in place.directory.path.iterdir()] == [name]


def test_an_input_is_never_written_over(place: Place) -> None:
    place.run()
    results = place.directory.results
    before = results.read_bytes()
    job = place.job(input=[str(results)], output={"directory": str(place.directory.path)})
    with pytest.raises(OutputError, match="would be overwritten"):
        place.run(job)
    assert results.read_bytes() == before


def test_standard_input_goes_with_no_other_input(place: Place) -> None:
    job = place.job(input=["-", str(place.input)], output={"directory": str(place.directory.path)})
    with pytest.raises(UsageError, match="standard input"):
        place.run(job)


def test_a_locked_directory_is_left_alone(place: Place) -> None:
    place.directory.create()
    with RunLock.held(place.directory.path), pytest.raises(LockedError, match=str(os.getpid())):
        place.run()
    assert not place.directory.checkpoint.exists()


def test_files_of_a_run_are_for_their_owner_only(place: Place) -> None:
    place.run()
    assert stat.S_IMODE(place.directory.path.stat().st_mode) == 0o700
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in place.directory.path.iterdir()}
    assert modes
    assert set(modes.values()) == {0o600}


def test_run_json_says_what_ran_and_how_it_ended_and_holds_no_key(place: Place) -> None:
    place.run()
    text = place.directory.description.read_text()
    facts = json.loads(text)
    assert (facts["state"], facts["rows"], facts["results"], facts["errors"]) == (
        "finished",
        10,
        10,
        0,
    )
    assert facts["job"]["provider"]["model"] == "glm-4-flash"
    assert facts["simulated"] is True
    assert "this-key-opens" not in text


def test_failed_attempts_are_logged_without_the_prompt(place: Place) -> None:
    place.run(simulator=replace(AT_ONCE, faults={"1301": 1.0}))
    text = place.directory.log.read_text()
    events = [json.loads(line) for line in text.splitlines()]
    failed = [event for event in events if event["event"] == "attempt_failed"]
    assert len(failed) == 10
    assert {event["code"] for event in failed} == {"1301"}
    assert "Say" not in text


def test_streams_and_signed_tokens_make_the_same_answers(place: Place, tmp_path: Path) -> None:
    place.run()
    plain = [row["response"] for row in place.results()]
    job = place.job(
        provider={"model": "glm-4-flash", "stream": True},
        output={"directory": str(tmp_path / "other")},
    )
    place.run(job)
    table = pq.read_table(tmp_path / "other" / "results.parquet")
    assert table.column("response").to_pylist() == plain


@pytest.mark.parametrize("fault", ["500", "1305", "reset", "truncated", "network_error", "empty"])
def test_passing_faults_cost_no_row(place: Place, fault: str) -> None:
    """The rows are 10 and the rate 30 %; a second seed would serve as well."""
    result = place.run(simulator=replace(AT_ONCE, faults={fault: 0.3}, seed=4))
    assert (len(place.results()), place.errors()) == (10, [])
    assert result.summary.tally.retries == len(place.ledger()) - 10 > 0


def test_a_run_that_could_not_remember_its_job_remembers_no_input_and_goes_on_after_that(
    place: Place,
) -> None:
    """As by a kill right there; then a file came behind the others."""
    folder = place.folder / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_text('{"prompt": "x"}\n')
    job = place.job(input=[str(folder)], output={"directory": str(place.directory.path)})
    place.directory.path.mkdir()
    path = place.directory.checkpoint
    with Checkpoint.open(path):
        pass
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TRIGGER killed BEFORE INSERT ON facts WHEN NEW.name = 'job' "
            "BEGIN SELECT RAISE(ABORT, 'killed'); END"
        )
    with pytest.raises(StorageError, match="killed"):
        place.run(job)
    with CheckpointReader.read(path) as checkpoint:
        assert checkpoint.fact("fingerprint") is None
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER killed")
    (folder / "b.jsonl").write_text('{"prompt": "y"}\n')
    assert place.run(job).summary.counts.results == 2
