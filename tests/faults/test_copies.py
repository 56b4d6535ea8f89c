"""The host of a run is lost, or is not the only one, or the store of its copies is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from batcher.checkpoint import CheckpointReader
from batcher.simulator import read_ledger
from tests.faults.case import Case, case
from tests.faults.children import Child, Parent, until
from tests.faults.oracle import Moment
from tests.faults.strace import halt_after_rename, spoilt, traced

# So many rows that a run is far from its end when the signal comes, and how to call the rest.
MANY, FAST = 200, ("-c", "50")


def _synced(copies: Path, every: str = "1s") -> tuple[str, ...]:
    return "--sync-checkpoint", str(copies), "--sync-every", every


def _latest(copies: Path) -> dict[str, Any]:
    """Return what `latest.json` says, nothing where there is none."""
    try:
        latest: dict[str, Any] = json.loads((copies / "latest.json").read_bytes())
    except FileNotFoundError:
        return {}
    return latest


def _fetched(copies: Path, to: Path) -> bool:
    """Copy the copy that counts, if there is one; its writer may put another in its place."""
    while (copy := _latest(copies).get("copy")) is not None:
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(copies / copy["name"], to)
            return True
    return False


def _copied(copies: Path, folder: Path) -> dict[str, object]:
    """Return the outcome of each row that the copy has that counts, by its prompt."""
    path = folder / "looked-at.db"
    if not _fetched(copies, path):
        return {}
    with CheckpointReader.read(path) as checkpoint:
        return {
            f"Say {outcome.id.removeprefix('id-')}.": outcome.error_class or outcome.response
            for outcome in checkpoint.outcomes()
            if outcome.key is not None
        }


def _wait_for_copy(child: Child, copies: Path, folder: Path, rows: int = 0) -> None:
    """Wait until the copy has more rows than that, or the process has ended."""
    until(lambda: not child.running or len(_copied(copies, folder)) > rows, "a copy")


def _halt_after_writing(child: Child, copies: Path) -> None:
    """Let a process stand still when it is about to write no more before it looks there again."""
    part = copies / f".latest.json.{child.pid}.part"
    halt_after_rename(child, part, copies.with_name("strace"))


def _lose_directory(run: Case, copies: Path) -> None:
    """Delete the run directory: what counts from now on is what the copy has."""
    shutil.rmtree(run.directory)
    recorded = _copied(copies, run.folder)
    run.moments.append(Moment(recorded, read_ledger(run.folder / "ledger.jsonl")))


def test_52_a_killed_run_whose_directory_is_deleted_calls_no_row_that_is_in_the_copy(
    parent: Parent, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(f"{seed} copies")  # noqa: S311 -- no secret
    copies = tmp_path / "copies"
    with case(parent, tmp_path, *_synced(copies), rows=60, latency=0.4) as run:
        for _ in range(4):
            child = run.start()
            _wait_for_copy(child, copies, tmp_path, len(_copied(copies, tmp_path)))
            time.sleep(chance.uniform(0, 1.2))
            child.kill()
            run.ended(child)
            _lose_directory(run, copies)
        assert len(run.moments[-1].recorded) > 0
        run.finish()
        assert run.complaints == []
    assert _latest(copies)["copy"]["rows"] == 61


def test_52_a_run_that_was_sent_sigterm_is_gone_on_with_without_any_call_twice(
    parent: Parent, tmp_path: Path
) -> None:
    """The last copy is made when all calls have ended."""
    copies = tmp_path / "copies"
    with case(parent, tmp_path, *_synced(copies, "1h"), rows=MANY, latency=0.4) as run:
        child = run.start()
        run.wait_for_calls(child, 12)
        child.signal(signal.SIGTERM)
        assert run.ended(child) == 143, child.err
        assert not _latest(copies)["writer"]["at_work"]
        assert len(_copied(copies, tmp_path)) == run.calls() < run.rows
        _lose_directory(run, copies)
        run.finish(*FAST)
        assert run.calls() == run.rows
        assert run.complaints == []


def test_52_a_run_that_is_killed_before_any_answer_keeps_to_its_ceiling_where_its_disk_is_whole(
    parent: Parent, tmp_path: Path
) -> None:
    """The copy knows as many outcomes as the directory: none. What was in flight, only that."""
    copies = tmp_path / "copies"
    ceiling = ("--max-tokens-total", "25000", "-p", "max_tokens=10000")
    with case(parent, tmp_path, *_synced(copies), *ceiling, latency=600) as run:
        # Without the bad row, whose outcome takes no call.
        good = [line for line in run.input.read_text().splitlines() if "id-bad" not in line]
        run.input.write_text("\n".join(good))
        child = run.start()
        run.wait_for_calls(child, 2)
        until(lambda: _latest(copies).get("copy"), "a copy")
        child.kill()
        run.ended(child)
        for _ in range(2):
            child = run.start()
            assert run.ended(child) == 75, child.err
        assert run.calls() == 2
        with CheckpointReader.read(run.directory / "checkpoint.db") as checkpoint:
            assert checkpoint.counts().killed_calls >= 2
            assert checkpoint.counts().cut_short == 0
        assert run.complaints == []


def _all_answered(child: Child) -> bool:
    return '"calls_ended"' in child.err or not child.running


@pytest.mark.parametrize("moment", ["as it begins", "once all is answered"])
def test_52_a_signal_at_either_end_of_the_calls_leaves_the_copy_current_and_says_nothing_else(
    parent: Parent, tmp_path: Path, seed: int, moment: str
) -> None:
    """While the first copy is made, and before the last one is."""
    chance = random.Random(f"{seed} {moment}")  # noqa: S311 -- no secret
    with case(parent, tmp_path, rows=12, latency=0.01) as run:
        for n in range(10):
            copies, directory = tmp_path / f"copies-{n}", tmp_path / f"run-{n}.batch"
            child = run.start(*_synced(copies, "1h"), "-o", str(directory))
            if moment == "as it begins":
                until((directory / "run.json").exists, "the run to begin")
            else:
                until(partial(_all_answered, child), "the last answer")
            time.sleep(chance.uniform(0, 0.02))
            child.signal(signal.SIGTERM)
            # It may have been done before.
            assert child.wait() in (143, 65), child.err
            assert "not current" not in child.err
            assert "NOT CURRENT" not in child.out
            latest = _latest(copies)
            assert not latest["writer"]["at_work"]
            with CheckpointReader.read(directory / "checkpoint.db") as checkpoint:
                # There is none where it came before the copies began.
                copied = latest["copy"]["rows"] if latest["copy"] else 0
                assert copied == checkpoint.counts().rows


def test_53_a_second_host_waits_for_a_living_one_and_who_was_followed_stops(
    parent: Parent, tmp_path: Path
) -> None:
    """The first one stands still, and is taken for dead: another machine's would be."""
    copies = tmp_path / "copies"
    options = _synced(copies)
    with case(parent, tmp_path, *options, rows=40, latency=0.4) as run:
        assert run.start("--max-rows", "8").wait() == 75
        assert len(_copied(copies, tmp_path)) == 8
        with run.unanswered():
            first = run.start()
            until(lambda: _latest(copies)["writer"]["at_work"], "the first to begin")
            elsewhere = tmp_path / "elsewhere.batch"
            second = run.start("-o", str(elsewhere))
            assert second.wait() == 75
            assert "another run keeps its copy at" in second.err
            assert f"process {first.pid} on" in second.err
            assert not (elsewhere / "checkpoint.db").exists()
            # Between its look at the place and its writing there it would not see who followed.
            _halt_after_writing(first, copies)
            latest = _latest(copies)
            far = {"host": "far", "boot": "far", "seen": time.time() - 3600}
            latest["writer"] |= far
            (copies / "latest.json").write_text(json.dumps(latest))
            # Its copy speaks of a living process of this machine, as no other machine's would.
            _forget_owner(copies / latest["copy"]["name"], latest, copies)
            here = run.directory
            second = run.start("-o", str(elsewhere))
            until(lambda: _latest(copies)["writer"]["host"] != "far", "the second to take over")
        first.signal(signal.SIGCONT)
        assert first.wait() == 75, first.err
        assert "has taken over this run by its copy" in first.out
        assert second.wait() == 65, second.err
        assert _latest(copies)["copy"]["rows"] == 41
        # Whoever goes on in the first directory has what both recorded.
        calls = run.calls()
        assert run.start().wait() == 65
        assert run.calls() == calls
        assert sorted(path.name for path in here.glob("checkpoint.aside-*")) == [
            "checkpoint.aside-1.db"
        ]


def _hidden(log: Path, *paths: str) -> tuple[str, ...]:
    """Return the options of strace that hide files."""
    chosen = [word for path in paths for word in ("-P", path)]
    opening = ("-e", "trace=openat", "-e", "inject=openat:error=ENOENT")
    return ("-f", "-o", str(log), *chosen, *opening)


def test_53_a_second_host_waits_for_a_living_one_where_neither_tells_which_it_is(
    parent: Parent, tmp_path: Path
) -> None:
    """As under systemd's ProcSubset=pid; and the process of the one is not shown to the other."""
    boot = "/proc/sys/kernel/random/boot_id"
    options = _synced(tmp_path / "copies")
    with case(parent, tmp_path, *options, concurrency=1, latency=600) as run:
        first = run.start(halted=True)
        second = run.start("-o", str(tmp_path / "elsewhere.batch"), halted=True)
        with traced(first, *_hidden(tmp_path / "first", boot)):
            run.wait_for_calls(first, 1)
            stat = f"/proc/{first.pid}/stat"
            with traced(second, *_hidden(tmp_path / "second", boot, stat)):
                assert second.wait() == 75, second.err
            assert f"process {first.pid} on" in second.err
            assert "run the same command again in" in second.err
            assert run.calls() == 1
            assert first.running
        assert spoilt(tmp_path / "first")
        assert spoilt(tmp_path / "second")


def _forget_owner(path: Path, latest: dict[str, Any], copies: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE owner SET host = 'far', boot = 'far'")
    latest["copy"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    latest["copy"]["size"] = path.stat().st_size
    (copies / "latest.json").write_text(json.dumps(latest))


def _piped(latest: Path) -> None:
    """Put a pipe in place of what the writer reads."""
    pipe = latest.with_name("pipe")
    os.mkfifo(pipe)
    pipe.replace(latest)


def _gone(copies: Path) -> bool:
    """Put a file in place of the folder; its writer may make the folder again."""
    with contextlib.suppress(FileNotFoundError):
        copies.rename(copies.with_name(f"gone-{time.monotonic_ns()}"))
    with contextlib.suppress(IsADirectoryError):
        copies.write_text("a file")
    return copies.is_file()


def test_54_a_store_that_hangs_does_not_hold_up_the_end_after_sigterm(
    parent: Parent, tmp_path: Path
) -> None:
    """Nobody reads from the pipe that the copy is to be looked up in."""
    copies = tmp_path / "copies"
    with case(parent, tmp_path, *_synced(copies), rows=MANY, latency=0.4) as run:
        with run.unanswered():
            child = run.start()
            until(lambda: _latest(copies).get("copy"), "a copy")
            # Else it might be about to put something in the place of the pipe.
            _halt_after_writing(child, copies)
            named = (copies / "latest.json").read_bytes()
            _piped(copies / "latest.json")
            child.signal(signal.SIGCONT)
        run.wait_for_calls(child, 12)
        since = time.monotonic()
        child.signal(signal.SIGTERM)
        assert run.ended(child) == 143, child.err
        # The promise itself is a time.
        assert time.monotonic() - since < 25
        assert "NOT CURRENT" in child.out
        (copies / "latest.json").unlink()
        (copies / "latest.json").write_bytes(named)
        run.finish(*FAST)
        assert run.calls() == run.rows
        assert run.complaints == []


@pytest.mark.parametrize("when", ["from the start", "by the way"])
def test_54_a_store_that_is_gone_costs_no_row(parent: Parent, tmp_path: Path, when: str) -> None:
    copies = tmp_path / "copies"
    with case(parent, tmp_path, *_synced(copies), rows=24, latency=0.4) as run:
        if when == "from the start":
            copies.write_text("a file")
            child = run.start()
            assert run.ended(child) == 73
            assert run.calls() == 0
        else:
            with run.unanswered():
                child = run.start()
                until(lambda: _latest(copies).get("copy"), "a copy")
                until(lambda: _gone(copies), "the store to be gone")
            assert run.ended(child) == 74, child.err
            assert "The copy of the checkpoint is not current" in child.err
            assert "NOT CURRENT" in child.out
        copies.unlink()
        run.finish()
        assert run.calls() == run.rows
        assert run.complaints == []
