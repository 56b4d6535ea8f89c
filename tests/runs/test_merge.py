"""Runs of one input, joined in one directory."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from batcher.checkpoint import Checkpoint, CheckpointReader, ErrorChoice, RunLock
from batcher.errors import ConfigurationError, LockedError, StorageError, UsageError
from batcher.job import JobSpec
from batcher.runs.diff import diff
from batcher.runs.directory import RunDirectory
from batcher.runs.export import export_run
from batcher.runs.merge import merge_runs
from batcher.runs.merged import Merged
from batcher.runs.selection import Portion, draw
from batcher.runs.shard import Shard
from batcher.runs.sources import SourceRun
from batcher.runs.status import status_of
from batcher.runs.verify import verify
from batcher.simulator import SimulatorConfig, read_ledger
from tests.simulated import AT_ONCE, Place


def _at(place: Place, name: str) -> RunDirectory:
    return RunDirectory(place.folder / name)


def _job(place: Place, directory: RunDirectory, **tables: Any) -> JobSpec:  # noqa: ANN401 -- of a job
    output = {"directory": str(directory.path), **tables.pop("output", {})}
    return place.job(output=output, observe={"report": False}, **tables)


def _run(
    place: Place,
    name: str,
    shard: Shard | None = None,
    simulator: SimulatorConfig = AT_ONCE,
    *,
    retry_errors: bool = False,
    **tables: Any,  # noqa: ANN401 -- of a job
) -> RunDirectory:
    directory = _at(place, name)
    session = place.session(_job(place, directory, **tables), simulator, retry_errors=retry_errors)
    replace(session, portion=Portion(shard=shard)).run()
    return directory


def _shards(place: Place, of: int, *numbers: int) -> list[RunDirectory]:
    return [_run(place, f"{n}", Shard(n, of)) for n in numbers or range(1, of + 1)]


def _merge(place: Place, sources: Sequence[RunDirectory], name: str = "all") -> Merged:
    return merge_runs(sources, _at(place, name))


def _rows(directory: RunDirectory) -> list[int]:
    found: Any = pq.read_table(directory.results).column("row").to_pylist()
    return list(found)


def _asked(*directories: RunDirectory) -> int:
    return sum(len(read_ledger(one.ledger)) for one in directories if one.ledger.exists())


def test_merged_shards_are_a_run_directory_like_any_other(place: Place) -> None:
    shards = _shards(place, 3)
    merged = _merge(place, shards)
    assert merged.exit_code == 0
    lines = list(merged.summary.lines())
    assert lines[:3] == [
        "SIMULATED: these answers come from the simulator; no model was called.",
        "Merged: 3 runs.",
        "  rows      10: 10 results, 0 errors, 0 pending",
    ]
    assert "  attempts  10" in lines
    all_ = _at(place, "all")
    assert _rows(all_) == list(range(10))
    assert verify(all_).sound
    status = status_of(all_)
    assert (status.total, status.state, status.part) == (10, "finished", None)
    facts = json.loads(all_.description.read_text())
    assert (facts["state"], facts["pending"]) == ("finished", 0)
    assert facts["merged"] == [str(one.path) for one in shards]
    assert export_run(all_, place.folder / "out", "jsonl").results == 10
    difference = diff(_run(place, "whole"), all_)
    assert (difference.both, difference.only_a, difference.only_b) == (10, 0, 0)
    assert place.run(_job(place, all_)).summary.tally.attempts == 0


def test_the_report_is_written_as_the_job_wants_it(place: Place) -> None:
    directory = _at(place, "1")
    place.run(place.job(output={"directory": str(directory.path)}))
    merged = _merge(place, [directory])
    assert merged.summary.report == _at(place, "all").report
    assert "glm-4-flash" in _at(place, "all").report.read_text("utf-8")


def test_rows_that_none_has_are_told_and_called_by_a_run_of_the_whole(place: Place) -> None:
    first, stopped = (
        _run(place, "1", Shard(1, 4)),
        _run(place, "3", Shard(3, 4), ceilings={"max_rows": 1}, limits={"concurrency": 1}),
    )
    merged = _merge(place, [first, stopped])
    assert merged.exit_code == 75
    lines = list(merged.summary.lines())
    all_ = _at(place, "all")
    assert f"`batcher run INPUT -o {all_.path}`, with the same job, calls" in lines[1]
    assert lines[2:6] == [
        "  rows      10: 3 results, 0 errors, 7 pending",
        f"            1 pending of shard 3 of 4: rows 5 to 6 ({stopped.path})",
        "            3 pending of rows 2 to 4, in none of these",
        "            3 pending of rows 7 to 9, in none of these",
    ]
    assert json.loads(all_.description.read_text())["state"] == "stopped"
    assert place.run(_job(place, all_)).summary.tally.attempts == 7
    assert (_rows(all_), _asked(first, stopped, all_)) == (list(range(10)), 10)
    assert verify(all_).sound


def test_merging_again_takes_up_what_shards_did_since_and_keeps_what_was_called_there(
    place: Place,
) -> None:
    one = _run(place, "1", Shard(1, 2), ceilings={"max_rows": 2}, limits={"concurrency": 1})
    other = _run(place, "2", Shard(2, 2), SimulatorConfig(latency_s=0, faults={"1301": 1.0}))
    assert _merge(place, [one, other]).exit_code == 75
    all_ = _at(place, "all")
    place.run(_job(place, all_, ceilings={"max_rows": 1}, limits={"concurrency": 1}))
    assert status_of(all_).counts.results == 3
    _run(place, "2", Shard(2, 2), retry_errors=True)
    merged = _merge(place, [one, other])
    counts = merged.summary.counts
    assert (counts.results, counts.error_rows, merged.summary.pending) == (8, 0, 2)
    assert counts.attempts == _asked(one, other, all_) == 13
    before = [file.read_bytes() for file in (all_.results, all_.errors)]
    assert _merge(place, [one, other]).summary.counts == counts
    assert [file.read_bytes() for file in (all_.results, all_.errors)] == before
    _run(place, "1", Shard(1, 2))
    assert _merge(place, [one, other]).exit_code == 0
    assert verify(all_).sound


def test_a_merge_can_be_merged_with_a_further_shard(place: Place) -> None:
    shards = _shards(place, 3)
    _merge(place, shards[:2])
    assert _merge(place, [_at(place, "all"), shards[2]], "more").exit_code == 0
    assert _merge(place, shards).exit_code == 0


def test_rows_that_were_called_in_a_merge_and_in_a_shard_stay_paid_twice_however_often_it_is_made(
    place: Place,
) -> None:
    """A machine that was given up comes back: its shards are run too, and all are merged."""
    shards = _shards(place, 4, 1, 2)
    _merge(place, shards)
    all_ = _at(place, "all")
    place.run(_job(place, all_))
    shards += _shards(place, 4, 3, 4)
    counts = [_merge(place, shards).summary.counts for _ in range(3)]
    assert {each.attempts for each in counts} == {_asked(*shards, all_)} == {15}
    assert counts[0] == counts[1] == counts[2]


def test_a_run_that_is_in_another_source_too_counts_once(place: Place) -> None:
    """With its calls, what it may have spent, its ceilings, and its history."""
    ceilings = {"max_tokens_total": 9_000_000, "max_cost": "200CNY"}
    faulty = SimulatorConfig(latency_s=0, faults={"1301": 1.0})
    one = _run(place, "1", Shard(1, 2), faulty, ceilings=ceilings)
    other = _run(place, "2", Shard(2, 2), ceilings=ceilings)
    _remember(one, spent_tokens=700, killed_calls=3)
    first = _merge(place, [one, other])
    _run(place, "1", Shard(1, 2), retry_errors=True, ceilings=ceilings)
    all_ = _at(place, "all")
    for sources in ([all_, one], [other, one, all_], [one, all_, other]):
        merged = _merge(place, sources, f"{sources[0].path.name} first")
        counts = merged.summary.counts
        assert (counts.results, counts.killed_calls) == (10, 3)
        assert counts.attempts == _asked(one, other, all_)
        assert merged.job.ceilings.max_cost == first.job.ceilings.max_cost == "400CNY"
        with CheckpointReader.read(merged.directory.checkpoint) as checkpoint:
            history = checkpoint.history()
            assert len(history.processes) == 3
            assert sum(moment.results for moment in history.moments) == 10
            assert history.latencies.buckets.total() == 10


def test_what_a_merge_may_have_spent_itself_counts_once_however_often_it_is_made(
    place: Place,
) -> None:
    ceilings = {"max_cost": "200CNY"}
    shards = [_run(place, "1", Shard(1, 2), ceilings=ceilings)]
    _merge(place, shards)
    all_ = _at(place, "all")
    with Checkpoint.open(all_.checkpoint) as checkpoint:
        tokens = checkpoint.fact("spent_tokens")
        assert isinstance(tokens, int)
        checkpoint.remember(spent_tokens=tokens + 500, killed_calls=2)
    for name in ("all", "all", "more", "more"):
        merged = _merge(place, shards if name == "all" else [all_], name)
        assert merged.job.ceilings.max_cost == "200CNY"
        assert merged.summary.counts.killed_calls == 2
        with CheckpointReader.read(merged.directory.checkpoint) as reader:
            assert reader.fact("spent_tokens") == tokens + 500


def test_more_errors_than_allowed_end_a_merge_as_they_end_a_run(place: Place) -> None:
    faulty = SimulatorConfig(latency_s=0, faults={"1301": 1.0})
    assert _merge(place, [_run(place, "1", None, faulty)]).exit_code == 65
    allowed = _run(place, "2", None, faulty, output={"allow_errors": "100%"})
    assert _merge(place, [allowed], "fine").exit_code == 0


def test_an_id_of_two_shards_is_the_first_rows_and_nothing_paid_is_lost(place: Place) -> None:
    rows = [{"id": "x", "prompt": "One."}, {"id": "y", "prompt": "Two."}]
    place.write([*rows, {"id": "x", "prompt": "Three."}, {"id": "y", "prompt": "Two."}])
    shards = _shards(place, 2)
    merged = _merge(place, shards)
    whole = _run(place, "whole")
    for name in ("results", "errors"):
        columns = ["row", "id", *(["response"] if name == "results" else ["message"])]
        mine, theirs = (
            pq.read_table(getattr(one, name)).select(columns) for one in (_at(place, "all"), whole)
        )
        assert mine.equals(theirs)
    assert merged.exit_code == 65
    # One is set aside under its key, the other adds to the sums of the row that asks the same.
    assert merged.summary.counts.attempts == _asked(*shards) == 4
    assert place.run(_job(place, _at(place, "all"))).summary.tally.attempts == 0


def test_a_pending_first_row_has_its_id_and_takes_its_answer_of_the_later_one(
    place: Place,
) -> None:
    rows = [{"id": "x", "prompt": "One."}, {"id": "y", "prompt": "Two."}]
    place.write([*rows, "{bad", {"id": "x", "prompt": "Three."}, {"id": "y", "prompt": "Two."}])
    later = _run(place, "2", Shard(2, 2))
    merged = _merge(place, [later])
    assert [row["id"] for row in pq.read_table(_at(place, "all").errors).to_pylist()] == [
        *("2", "x", "y")
    ]
    assert _rows(_at(place, "all")) == [1]
    assert merged.summary.pending == 1
    assert place.run(_job(place, _at(place, "all"))).summary.tally.attempts == 1


def _merged_without_the_first_of_an_id(place: Place) -> RunDirectory:
    """Merge the later half of an input, where "a" is the id of a row of either half."""
    rows = [("a", "One."), ("b", "Two."), ("a", "Three."), ("c", "Four.")]
    place.write({"id": row_id, "prompt": prompt} for row_id, prompt in rows)
    _merge(place, [_run(place, "2", Shard(2, 2))])
    return _at(place, "all")


def test_a_retry_of_a_merge_calls_no_later_row_of_an_id_and_the_first_one_keeps_it(
    place: Place,
) -> None:
    merged = _merged_without_the_first_of_an_id(place)
    result = place.run(_job(place, merged), only=ErrorChoice(), consent=False)
    assert result.summary.tally.attempts == 0
    assert place.run(_job(place, merged)).summary.tally.attempts == 2
    assert _rows(merged) == [0, 1, 3]


def test_a_later_row_of_an_id_that_is_drawn_first_has_the_answer_that_was_set_aside(
    place: Place,
) -> None:
    merged = _merged_without_the_first_of_an_id(place)
    seed = next(seed for seed in range(100) if 2 in draw(4, 1, seed))
    session = place.session(_job(place, merged), retry_errors=True)
    result = replace(session, portion=Portion(sample=1, seed=seed)).run()
    assert result.summary.tally.attempts == 0
    assert _rows(merged) == [2, 3]
    assert result.summary.counts.attempts == 2


@contextmanager
def _writing(directory: RunDirectory) -> Iterator[None]:
    """Stand for a run that goes on."""
    with RunLock.held(directory.path), Checkpoint.open(directory.checkpoint):
        yield


def test_runs_that_go_on_are_merged_as_they_are_and_one_that_has_not_begun_is_told(
    place: Place,
) -> None:
    running, empty = _shards(place, 2, 1)[0], _at(place, "2")
    empty.create()
    with Checkpoint.open(empty.checkpoint):
        pass
    with _writing(running):
        lines = list(_merge(place, [running, empty]).summary.lines())
    assert any(f"{running.path} goes on (process {os.getpid()}" in line for line in lines)
    assert f"            {empty.path} has not begun" in lines
    with pytest.raises(StorageError, match="never opened its input"):
        _merge(place, [empty], "other")


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"parameters": {"temperature": 0.5}}, "its settings are others (parameters.temperature"),
        ({"sampling": {"samples": 2}}, "its settings are others (sampling.samples: 1 -> 2)"),
        ({"input": ["other.jsonl"]}, "its input is another, or was changed (other.jsonl)"),
    ],
)
def test_runs_that_do_not_go_together_are_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch, tables: dict[str, Any], said: str
) -> None:
    monkeypatch.chdir(place.folder)
    Path("other.jsonl").write_text('{"id": "id-0", "prompt": "Say 0."}\n')
    one, other = _run(place, "1"), _run(place, "2", **tables)
    with pytest.raises(ConfigurationError) as raised:
        _merge(place, [one, other])
    assert f"{other.path} cannot be merged with {one.path}: {said}" in str(raised.value)
    assert not _at(place, "all").path.exists()


def _remember(directory: RunDirectory, **facts: object) -> None:
    with Checkpoint.open(directory.checkpoint) as checkpoint:
        checkpoint.remember(**facts)


def test_simulated_answers_and_real_ones_are_not_merged(place: Place) -> None:
    one, other = _shards(place, 2)
    _remember(other, simulated=False)
    with pytest.raises(ConfigurationError, match="its answers are real, those simulated"):
        _merge(place, [one, other])
    with pytest.raises(ConfigurationError, match="its answers are simulated, those real"):
        _merge(place, [other, one])


def test_costs_in_two_currencies_are_not_merged(place: Place) -> None:
    priced = {"*": {"input": 1.0, "output": 1.0, "currency": "USD"}}
    one = _run(place, "1", Shard(1, 2), prices={"glm-4-flash": priced["*"]})
    other = _run(place, "2", Shard(2, 2))
    _remember(other, prices={"currency": "CNY", "priced_by": "list"})
    with Checkpoint.open(other.checkpoint) as checkpoint:
        assert checkpoint.counts().currency == "CNY"
    with pytest.raises(ConfigurationError, match="it counts its cost in CNY, that one in USD"):
        _merge(place, [one, other])


def test_a_directory_is_named_once_and_is_not_the_output(place: Place) -> None:
    one = _run(place, "1")
    with pytest.raises(UsageError, match="is named twice"):
        _merge(place, [one, RunDirectory(one.path.parent / "." / "1")])
    with pytest.raises(UsageError, match="is one of the runs to merge"):
        _merge(place, [one], "1")
    with pytest.raises(UsageError, match="name the directories"):
        _merge(place, [])
    with pytest.raises(StorageError, match="is this the directory of a run"):
        _merge(place, [_at(place, "none")])


def test_an_output_that_holds_something_else_is_left_as_it_is(place: Place) -> None:
    shards, whole = _shards(place, 2), _run(place, "all")
    with pytest.raises(ConfigurationError, match="is no merge of these, and would be lost"):
        _merge(place, shards)
    assert _rows(whole) == list(range(10))
    _merge(place, shards, "both")
    with pytest.raises(ConfigurationError, match=r"was merged of .*/2 too, and would be lost"):
        _merge(place, shards[:1], "both")
    with RunLock.held(_at(place, "both").path), pytest.raises(LockedError):
        _merge(place, shards, "both")


def test_a_merge_that_was_run_on_with_a_changed_input_is_not_made_anew(place: Place) -> None:
    shards = _shards(place, 2)
    _merge(place, shards)
    all_ = _at(place, "all")
    with place.input.open("a") as file:
        file.write('{"id": "new", "prompt": "New."}\n')
    assert place.run(_job(place, all_)).summary.tally.attempts == 1
    with pytest.raises(ConfigurationError, match=r"has calls of its own.*its input is another"):
        _merge(place, shards)
    assert _rows(all_) == list(range(11))


def test_a_merge_without_calls_of_its_own_is_made_anew_after_its_parts_took_up_an_edited_input(
    place: Place,
) -> None:
    shards = _shards(place, 2)
    _merge(place, shards)
    run = SourceRun.read(_at(place, "all"))
    place.input.write_text(place.input.read_text().replace("Say 1.", "Say it."))
    assert _merge(place, shards).exit_code == 2
    _shards(place, 2)
    assert _merge(place, shards).exit_code == 0
    again = SourceRun.read(_at(place, "all"))
    assert run is not None
    assert again is not None
    assert (again.run, again.counts.attempts) == (run.run, _asked(*shards))
    assert _asked(*shards) == 11
    assert verify(_at(place, "all")).sound


def test_after_the_input_grew_shards_are_merged_and_a_run_calls_what_is_new(place: Place) -> None:
    shards = _shards(place, 2)
    with place.input.open("a") as file:
        file.write('{"id": "new", "prompt": "New."}\n')
    merged = _merge(place, shards)
    assert merged.exit_code == 2
    assert any("the input is not here as it was run" in line for line in merged.summary.lines())
    all_ = _at(place, "all")
    result = place.run(_job(place, all_))
    assert (result.summary.tally.attempts, _rows(all_)) == (1, list(range(11)))
    assert verify(all_).sound


def test_shards_between_which_the_input_grew_are_merged_by_the_way_that_is_named(
    place: Place,
) -> None:
    first = _run(place, "1", Shard(1, 2))
    with place.input.open("a") as file:
        file.write('{"id": "new", "prompt": "New."}\n')
    second = _run(place, "2", Shard(2, 2))
    with pytest.raises(ConfigurationError, match="If the input was changed between them"):
        _merge(place, [first, second])
    _merge(place, [first], "older")
    older = _at(place, "older")
    replace(place.session(_job(place, older)), portion=Portion(limit=1)).run()
    assert _merge(place, [older, second]).exit_code == 0
    assert (_rows(_at(place, "all")), _asked(first, second, older)) == (list(range(11)), 11)


def test_shards_of_copies_of_an_input_are_merged_wherever_they_lay(place: Place) -> None:
    """As on several machines: names and times differ, but no byte."""
    one = _run(place, "1", Shard(1, 2))
    copy = place.folder / "elsewhere" / "copy.jsonl"
    copy.parent.mkdir()
    shutil.copyfile(place.input, copy)
    os.utime(copy, ns=(1, 1))
    other = _run(place, "2", Shard(2, 2), input=[str(copy)])
    assert _merge(place, [one, other]).exit_code == 0
    copy.write_text(copy.read_text().replace("Say 5.", "Say x."))
    edited = _run(place, "3", Shard(2, 2), input=[str(copy)])
    with pytest.raises(ConfigurationError, match="its input is another"):
        _merge(place, [one, edited], "none")


def test_rows_that_came_from_memory_are_kept_with_the_merge(place: Place) -> None:
    """So that the shards' directories can be deleted."""
    rows = [{"id": f"m-{n}", "prompt": f"Say {n}."} for n in range(4)]
    shards = []
    for number in (1, 2):
        shards.append(_at(place, f"m{number}"))
        job = place.job(input=[], output={"directory": str(shards[-1].path)})
        portion = Portion(shard=Shard(number, 2))
        replace(place.session(job), portion=portion, rows=rows).run()
    assert _merge(place, shards).exit_code == 0
    for directory in shards:
        shutil.rmtree(directory.path)
    assert export_run(_at(place, "all"), None, "parquet").results == 4
    job = place.job(input=[], output={"directory": str(_at(place, "all").path)})
    assert replace(place.session(job), rows=rows).run().summary.tally.attempts == 0


def test_ceilings_and_what_may_have_been_spent_are_those_of_all(place: Place) -> None:
    ceilings = {"max_tokens_total": 1_000, "max_cost": "2.5CNY"}
    shards = [_run(place, f"{n}", Shard(n, 2), ceilings=ceilings) for n in (1, 2)]
    _remember(shards[0], spent_tokens=700, killed_calls=3)
    merged = _merge(place, shards)
    assert (merged.job.ceilings.max_tokens_total, merged.job.ceilings.max_cost) == (2_000, "5CNY")
    assert merged.summary.counts.killed_calls == 3
    with CheckpointReader.read(shards[1].checkpoint) as checkpoint:
        counts = checkpoint.counts()
    with CheckpointReader.read(_at(place, "all").checkpoint) as checkpoint:
        spent = counts.prompt_tokens + counts.completion_tokens
        assert checkpoint.fact("spent_tokens") == 700 + spent
    _merge(place, shards)
    with CheckpointReader.read(_at(place, "all").checkpoint) as checkpoint:
        assert checkpoint.fact("spent_tokens") == 700 + spent
    free = _run(place, "free", Shard(1, 2))
    assert _merge(place, [free, shards[1]], "less").job.ceilings.max_cost is None


def test_that_calls_after_a_copy_are_in_no_count_is_said_of_a_merge_however_often_it_is_made(
    place: Place,
) -> None:
    """In its summary, and by its status."""
    shards = _shards(place, 2)
    _remember(shards[0], cut_short=1)
    said = "went on with a copy made on the way: what was called after it is called again, and is "
    _merge(place, shards)
    _remember(_at(place, "all"), cut_short=3)
    for name, sources in (("all", shards), ("more", [_at(place, "all"), *shards])):
        merged = _merge(place, sources, name)
        assert merged.summary.counts.cut_short == 3
        assert any(f"            {said}in no count" == line for line in merged.summary.lines())
        assert f"          {said}in no count" in status_of(merged.directory).lines()
    assert not any(said in line for line in _merge(place, shards[1:], "none").summary.lines())


def test_a_merge_of_a_version_that_knew_of_less_is_merged(place: Place) -> None:
    shards = _shards(place, 2)
    _merge(place, shards)
    all_ = _at(place, "all")
    with CheckpointReader.read(all_.checkpoint) as checkpoint:
        known: Any = checkpoint.fact("merged")
    for spent in known["spent"].values():
        del spent["cut_short"]
    _remember(all_, merged=known)
    _remember(shards[1], cut_short=1)
    assert _merge(place, [all_, *shards], "more").summary.counts.cut_short == 1


def test_errors_of_a_merge_are_retried_in_it(place: Place) -> None:
    faulty = SimulatorConfig(latency_s=0, faults={"1301": 1.0})
    shards = [_run(place, "1", Shard(1, 2), faulty), _run(place, "2", Shard(2, 2))]
    _merge(place, shards)
    all_ = _at(place, "all")
    result = place.run(_job(place, all_), only=ErrorChoice())
    assert (result.summary.counts.results, result.summary.tally.attempts) == (10, 5)
    assert _merge(place, shards).summary.counts.results == 10


def test_a_damaged_shard_is_named_and_the_merge_that_is_there_stays(place: Place) -> None:
    shards = _shards(place, 2)
    _merge(place, shards)
    content = shards[1].checkpoint.read_bytes()
    shards[1].checkpoint.write_bytes(content[: len(content) // 2])
    with pytest.raises(StorageError, match=f"{shards[1].path}"):
        _merge(place, shards)
    assert verify(_at(place, "all")).sound
