"""Runs whose checkpoint is copied to another place, and that go on from there."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batcher.checkpoint import Checkpoint, CheckpointReader, ErrorChoice
from batcher.copies.latest import NAME
from batcher.errors import (
    ConfigurationError,
    Interruption,
    LockedError,
    OutputError,
    StorageError,
    UsageError,
)
from batcher.job import JobSpec, OutputSpec
from batcher.limits import Flow
from batcher.observe import Tally
from batcher.runs.description import Description
from batcher.runs.directory import RunDirectory
from batcher.runs.result import RunResult
from batcher.runs.retry import EarlierRun
from batcher.runs.rows import open_dataset
from batcher.runs.selection import Portion
from batcher.runs.shard import Shard
from batcher.runs.signals import Signals
from batcher.runs.status import status_of
from batcher.runs.stopping import Asked, go_on
from batcher.runs.syncing import syncing
from batcher.wording import utc
from tests.copies.memory import made_success
from tests.simulated import AT_ONCE, Place, Silent


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """Where the copies lie."""
    return tmp_path / "copies"


class Heard(Silent):
    """A watcher that keeps what a user is told."""

    def __init__(self, notices: list[str]) -> None:
        self._notices = notices

    def notice(self, text: str) -> None:
        self._notices.append(text)


class At(Silent):
    """A watcher that does something before the first call."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act

    def started(self, tally: Tally, flow: Callable[[], Flow]) -> None:
        del tally, flow
        self._act()


def _job(place: Place, copies: Path, **flags: Any) -> JobSpec:  # noqa: ANN401 -- tables of a job file
    return place.job(
        **{**flags, "output": {"sync_checkpoint": str(copies), **flags.get("output", {})}}
    )


def _some(place: Place, copies: Path, rows: int) -> RunResult:
    """Call some of the rows."""
    return place.run(_job(place, copies, ceilings={"max_rows": rows}))


def _latest(copies: Path) -> dict[str, Any]:
    latest: dict[str, Any] = json.loads((copies / NAME).read_text("utf-8"))
    return latest


def _summary(result: RunResult) -> str:
    return "\n".join(result.summary.lines())


def test_a_run_whose_directory_is_gone_goes_on_with_the_copy_and_calls_no_recorded_row(
    place: Place, copies: Path
) -> None:
    result = _some(place, copies, 4)
    assert result.copied
    assert f"copy      {copies.as_uri()} (copy " in _summary(result)
    first = {entry.prompt for entry in place.ledger()}
    shutil.rmtree(place.directory.path)
    result = place.run(_job(place, copies))
    assert result.exit_code(OutputSpec()) == 0
    assert len(place.results()) == 10
    # Of the simulator's ledger, which lay in the directory, only the second part is left.
    second = {entry.prompt for entry in place.ledger()}
    assert len(first) == 4
    assert first.isdisjoint(second)
    assert len(second) == 6


def test_where_the_copy_is_and_what_it_has_stands_in_run_json(place: Place, copies: Path) -> None:
    place.run(_job(place, copies))
    copy = _latest(copies)["copy"]
    facts = place.directory.description_facts()["copy"]
    assert isinstance(facts, dict)
    assert facts["url"] == copies.as_uri()
    assert facts["rows"] == copy["rows"] == 10
    assert not _latest(copies)["writer"]["at_work"]


def test_the_status_says_where_the_copy_is_and_what_it_has(place: Place, copies: Path) -> None:
    place.run()
    assert "copy" not in "\n".join(status_of(place.directory).lines())
    place.run(_job(place, copies))
    status = status_of(place.directory)
    made_at = utc(_latest(copies)["copy"]["made_at"])
    assert f"  copy    {copies.as_uri()}: 10 rows, of {made_at}" in status.lines()
    assert status.facts()["copy"] == status.copy
    place.directory.describe({"copy": {"url": copies.as_uri()}})
    assert f"  copy    {copies.as_uri()}: none was made yet" in status_of(place.directory).lines()


def test_a_copy_of_another_input_is_given_back_and_the_way_out_named(
    place: Place, copies: Path, tmp_path: Path
) -> None:
    place.run(_job(place, copies))
    other = tmp_path / "other.jsonl"
    other.write_text('{"prompt": "Say something else."}\n')
    fresh = tmp_path / "fresh"
    job = _job(place, copies, input=[str(other)], output={"directory": str(fresh)})
    with pytest.raises(ConfigurationError, match="for another run, name another place with --sync"):
        place.run(job, consent=False)
    assert not (fresh / "checkpoint.db").exists()
    assert not _latest(copies)["writer"]["at_work"]
    assert _latest(copies)["copy"]["rows"] == 10


def test_that_calls_after_a_copy_are_in_no_count_is_said(place: Place, copies: Path) -> None:
    _some(place, copies, 4)
    with Checkpoint.open(place.directory.checkpoint) as checkpoint:
        checkpoint.remember(cut_short=1)
    said = "went on with a copy made on the way: what was called after it is called again"
    assert said in "\n".join(status_of(place.directory).lines())
    assert said in _summary(place.run(_job(place, copies)))


def test_a_finished_run_sends_no_second_copy(place: Place, copies: Path) -> None:
    place.run(_job(place, copies))
    before = _latest(copies)["copy"]
    place.run(_job(place, copies))
    assert _latest(copies)["copy"] == before
    assert len(place.ledger()) == 10


def test_standard_input_comes_along(place: Place, copies: Path) -> None:
    rows = "".join(f'{{"prompt": "Say {n}."}}\n' for n in range(5)).encode()
    output = {"directory": str(place.directory.path)}
    job = _job(place, copies, input=["-"], output=output)
    place.run(job, stdin=rows)
    shutil.rmtree(place.directory.path)
    result = place.run(job, stdin=b"")
    assert result.summary.counts.results == 5
    assert place.ledger() == []
    assert (place.directory.path / "stdin.jsonl").read_bytes() == rows


def test_a_directory_that_lost_its_checkpoint_alone_gets_it_back(
    place: Place, copies: Path
) -> None:
    place.run(_job(place, copies))
    place.directory.checkpoint.unlink()
    place.run(_job(place, copies))
    assert len(place.ledger()) == 10


def test_one_that_lost_it_before_there_was_a_copy_is_refused_as_ever(
    place: Place, copies: Path
) -> None:
    place.run()
    place.directory.checkpoint.unlink()
    with pytest.raises(OutputError, match="but no checkpoint"):
        place.run(_job(place, copies))
    assert not _latest(copies)["writer"]["at_work"]


def test_a_run_that_was_carried_on_elsewhere_brings_both_together(
    place: Place, copies: Path, tmp_path: Path
) -> None:
    """Here two rows were recorded after the last copy; they are not called again."""
    _some(place, copies, 3)
    kept = tmp_path / "kept"
    shutil.copytree(place.directory.path, kept)
    shutil.rmtree(place.directory.path)
    place.run(_job(place, copies, ceilings={"max_rows": 2}))
    elsewhere = {entry.prompt for entry in place.ledger()}
    shutil.rmtree(place.directory.path)
    shutil.copytree(kept, place.directory.path)
    place.run(place.job(ceilings={"max_rows": 2}))
    here = [entry.prompt for entry in place.ledger()]
    notices: list[str] = []
    replace(place.session(_job(place, copies)), watcher=Heard(notices)).run()
    assert any("set aside as checkpoint.aside-1.db" in text for text in notices)
    after = [entry.prompt for entry in place.ledger()][len(here) :]
    assert {*after}.isdisjoint({*here, *elsewhere})
    assert len(place.results()) == 10


def test_hosts_that_come_back_with_less_than_the_copy_has_add_nothing_and_leave_nothing_aside(
    place: Place, copies: Path, tmp_path: Path
) -> None:
    """What they have are errors after answers of no use, which were called again elsewhere."""
    job = _job(place, copies, output={"fields": {"label": ["pos", "neg"]}})
    failed = place.run(job, replace(AT_ONCE, faults={"broken_json": 1.0}))
    assert failed.summary.counts.repairs == 20
    kept = tmp_path / "kept"
    shutil.copytree(place.directory.path, kept)
    for _ in range(2):
        shutil.rmtree(place.directory.path)
        place.run(job, retry_errors=True)
        shutil.rmtree(place.directory.path)
        shutil.copytree(kept, place.directory.path)
        result = place.run(job)
        counts = result.summary.counts
        assert (counts.attempts, counts.repairs, counts.results) == (40, 20, 10)
        assert [*place.directory.path.glob("checkpoint.aside-*")] == []


def test_a_directory_of_another_run_is_refused_before_any_call(
    place: Place, copies: Path, tmp_path: Path
) -> None:
    place.run(_job(place, copies))
    other = str(tmp_path / "other.batch")
    place.run(place.job(output={"directory": other}))
    with pytest.raises(ConfigurationError, match="of different runs"):
        place.run(_job(place, copies, output={"directory": other}))
    assert not _latest(copies)["writer"]["at_work"]


def test_two_hosts_do_not_work_on_one_run(place: Place, copies: Path) -> None:
    place.run(_job(place, copies))
    latest = _latest(copies)
    latest["writer"] |= {"host": "far", "boot": "far", "at_work": True}
    (copies / NAME).write_text(json.dumps(latest), "utf-8")
    with pytest.raises(LockedError, match=r"process \d+ on far, since"):
        place.run(_job(place, copies))
    assert len(place.ledger()) == 10


def test_whose_run_is_taken_over_makes_no_more_calls_and_ends_with_rows_pending(
    place: Place, copies: Path
) -> None:
    def taken_over() -> None:
        # The first copy is on its way; the next writing is for a minute later.
        while (latest := _latest(copies))["copy"] is None:
            time.sleep(0.001)
        latest["writer"]["token"] = "other"  # noqa: S105 -- no secret
        latest["writer"]["host"] = "far"
        (copies / NAME).write_text(json.dumps(latest), "utf-8")

    result = replace(place.session(_job(place, copies)), watcher=At(taken_over)).run()
    if result.summary.pending:
        assert result.exit_code(OutputSpec()) == 75
    assert result.copied is False
    assert "NOT CURRENT" in _summary(result)
    assert _latest(copies)["writer"]["host"] == "far"
    # It is over now: what was recorded here is brought together with what is there.
    latest = _latest(copies)
    latest["writer"]["at_work"] = False
    (copies / NAME).write_text(json.dumps(latest), "utf-8")
    place.run(_job(place, copies))
    prompts = [entry.prompt for entry in place.ledger()]
    assert sorted(prompts) == sorted({*prompts})
    assert len(place.results()) == 10


def test_a_run_whose_copy_cannot_be_made_loses_nothing_and_ends_with_74(
    place: Place, copies: Path
) -> None:
    """Here the place is taken away while the run goes on."""

    def gone() -> None:
        # The first copy may be on its way.
        while not copies.is_file():
            shutil.rmtree(copies, ignore_errors=True)
            with contextlib.suppress(OSError):
                copies.write_text("no directory any more")

    result = replace(place.session(_job(place, copies)), watcher=At(gone)).run()
    assert result.copied is False
    assert result.exit_code(OutputSpec()) == StorageError.exit_code
    assert "NOT CURRENT" in _summary(result)
    assert len(place.results()) == 10
    copies.unlink()
    assert place.run(_job(place, copies)).exit_code(OutputSpec()) == 0
    assert len(place.ledger()) == 10
    assert _latest(copies)["copy"]["rows"] == 10


def test_a_place_that_cannot_be_used_is_told_before_the_first_call(
    place: Place, copies: Path
) -> None:
    copies.write_text("no directory")
    with pytest.raises(OutputError, match="copies is a file; name a folder"):
        place.run(_job(place, copies))
    assert place.ledger() == []


@pytest.mark.parametrize("below", ["", "copies"])
def test_a_copy_in_the_run_directory_itself_is_refused_before_that_is_made(
    place: Place, below: str
) -> None:
    """It would be lost with the checkpoint that it is to outlive."""
    with pytest.raises(UsageError, match="is the run directory, or within it"):
        place.run(_job(place, place.directory.path / below))
    assert not place.directory.path.exists()


@pytest.mark.parametrize("error", [RuntimeError(), Interruption(signal.SIGTERM)], ids=repr)
def test_a_run_that_fails_copies_what_it_has(
    place: Place, copies: Path, error: BaseException
) -> None:
    """Whatever the reason: the next host must not pay for it again."""
    place.directory.create()
    output = OutputSpec(sync_checkpoint=copies.as_uri())

    def fail() -> None:
        with (
            syncing(output, place.directory, None, lambda _text: None, go_on) as kept,
            Checkpoint.open(place.directory.checkpoint) as checkpoint,
        ):
            dataset = open_dataset(place.job(), place.directory.path, io.BytesIO())
            with kept.calls(checkpoint, dataset, Description(place.directory, {}), Asked()):
                while _latest(copies)["copy"] is None:
                    time.sleep(0.001)
                checkpoint.write([made_success(0)])
                raise error

    with pytest.raises(type(error)):
        fail()
    assert _latest(copies)["copy"]["rows"] == 1
    assert not _latest(copies)["writer"]["at_work"]


class Told(Signals):
    """Told to end as the loop of the calls begins, or once they have ended and it is closed."""

    def __init__(self, *, before: bool) -> None:
        super().__init__()
        self._before = before

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        with super().held():
            if self._before:
                signal.raise_signal(signal.SIGTERM)
            yield
            if not self._before:
                signal.raise_signal(signal.SIGTERM)


class Finished(Silent):
    """A watcher that has the process told to end when all calls have ended."""

    def finished(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def test_a_run_that_is_told_to_end_before_its_first_call_copies_what_is_there_and_says_no_more(
    place: Place, copies: Path
) -> None:
    """An earlier process was killed after its last copy; the disk goes with this one."""
    place.run(place.job(ceilings={"max_rows": 4}))
    notices: list[str] = []
    session = replace(place.session(_job(place, copies)), watcher=Heard(notices))
    with pytest.raises(Interruption) as ended:
        replace(session, stopping=Told(before=True)).run()
    assert ended.value.number is signal.SIGTERM
    assert (len(place.ledger()), notices) == (4, [])
    latest = _latest(copies)
    assert (latest["copy"]["rows"], latest["writer"]["at_work"]) == (4, False)


@pytest.mark.parametrize(
    ("watcher", "stopping"),
    [(Finished(), Signals()), (Silent(), Told(before=False))],
    ids=["when the calls have ended", "when their loop is closed"],
)
def test_a_run_that_is_told_to_end_after_its_last_answer_copies_and_writes_all(
    place: Place, copies: Path, watcher: Silent, stopping: Signals
) -> None:
    session = replace(place.session(_job(place, copies)), watcher=watcher, stopping=stopping)
    result = session.run()
    assert (result.interrupted, result.copied) == (signal.SIGTERM, True)
    assert result.exit_code(OutputSpec()) == 143
    latest = _latest(copies)
    assert (latest["copy"]["rows"], latest["writer"]["at_work"]) == (10, False)
    assert len(place.results()) == 10


def test_a_retry_keeps_the_copy_of_its_run_current(place: Place, copies: Path) -> None:
    place.write([{"prompt": "one"}, {"prompt": 1}])
    place.run(_job(place, copies))
    before = _latest(copies)["copy"]
    run = EarlierRun.recalled(place.directory)
    place.run(run.job({}), only=ErrorChoice())
    after = _latest(copies)["copy"]
    assert after["lineage"][0][0] == before["lineage"][0][0]
    with CheckpointReader.read(place.directory.checkpoint) as checkpoint:
        assert after["rows"] == checkpoint.counts().rows


def test_each_shard_keeps_its_copies_apart(place: Place, copies: Path) -> None:
    """So one job serves for all, also where one of them is called again."""
    for number in (1, 2):
        session = place.session(_job(place, copies))
        replace(session, portion=Portion(shard=Shard(number, 2))).run()
    assert sorted(path.name for path in copies.iterdir()) == ["1-of-2", "2-of-2"]
    assert [_latest(copies / f"{n}-of-2")["copy"]["rows"] for n in (1, 2)] == [5, 5]
    shard = RunDirectory(place.folder / "prompts.1-of-2.batch")
    place.run(EarlierRun.recalled(shard).job({}), only=ErrorChoice())
    assert sorted(path.name for path in copies.iterdir()) == ["1-of-2", "2-of-2"]
