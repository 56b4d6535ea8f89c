"""The disk is full, forbidden, limited or slow."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batcher.checkpoint import CheckpointReader
from batcher.checkpoint.group_commit import MAX_ROWS
from tests.faults.case import FINISHED, Case, case
from tests.faults.children import Parent
from tests.faults.children import parent as open_parent
from tests.faults.strace import traced

NOBODY = 65_534
CANNOT_CREATE, IO_ERROR = 73, 74
KIB = 1024


def _job(folder: Path, largest_answer: int) -> str:
    """Write a job that reserves so much of the disk for each call at once; return its file."""
    job = folder / "job.toml"
    job.write_text(f"[limits]\nmax_response_bytes = {largest_answer}\n")
    return str(job)


@contextmanager
def _disk(folder: Path, options: str) -> Iterator[tuple[Parent, Path]]:
    """Give a parent a small disk of its own; yield it, and where its children see the disk."""
    disk = folder / "disk"
    disk.mkdir()
    mount = f'mount -t tmpfs -o {options} tmpfs "$0" && exec "$@"'
    with open_parent("unshare", "-Urm", "sh", "-c", mount, str(disk)) as parent:
        yield parent, disk


def _make_room(parent: Parent, disk: Path) -> None:
    inside = ["nsenter", "-t", str(parent.pid), "-U", "-m", "--preserve-credentials"]
    remount = ["mount", "-o", "remount,size=256m,nr_inodes=0", str(disk)]
    subprocess.run([*inside, *remount], check=True)  # noqa: S603 -- our own command


def _whole_answers(run: Case) -> set[str]:
    return {call.prompt for call in run.moments[-1].ledger if call.sent and call.status == 200}


@pytest.mark.parametrize("options", ["size=64k", "size=1m", "nr_inodes=2", "nr_inodes=8"])
def test_14_on_a_disk_too_small_the_run_ends_in_order_and_finishes_where_there_is_room(
    tmp_path: Path, options: str
) -> None:
    job = _job(tmp_path, 16 * KIB)
    with (
        _disk(tmp_path, options) as (parent, disk),
        case(parent, tmp_path, "--job", job, rows=3000, directory=disk / "run") as run,
    ):
        child = run.start()
        code = run.ended(child)
        assert code in (CANNOT_CREATE, IO_ERROR), child.err
        assert "space" in child.err or "room" in child.err
        # Nothing that was received is dropped.
        assert _whole_answers(run) <= run.moments[-1].recorded.keys()
        _make_room(parent, disk)
        run.finish()
        assert run.complaints == []


@pytest.mark.parametrize(
    ("largest_answer", "size"), [(KIB, "2m"), (16 * KIB, "2m"), (256 * KIB, "3m")]
)
def test_14_a_disk_that_fills_in_mid_run_drops_nothing_that_was_received(
    tmp_path: Path, largest_answer: int, size: str
) -> None:
    job = _job(tmp_path, largest_answer)
    with (
        _disk(tmp_path, f"size={size}") as (parent, disk),
        case(parent, tmp_path, "--job", job, rows=5000, directory=disk / "run") as run,
    ):
        child = run.start()
        assert run.ended(child) == IO_ERROR, child.err
        assert len(_whole_answers(run)) > 100
        assert _whole_answers(run) <= run.moments[-1].recorded.keys()
        _make_room(parent, disk)
        run.finish()
        assert run.complaints == []


@pytest.mark.parametrize("limit", [0, 100, 1000, 4096, 10_000, 33_000, 50_000, 80_000])
def test_15_files_that_may_not_grow_stop_the_run_in_order_or_it_finishes(
    parent: Parent, tmp_path: Path, limit: int
) -> None:
    with case(parent, tmp_path, rows=100) as run:
        child = run.start(limits={"RLIMIT_FSIZE": limit})
        assert run.ended(child) in (CANNOT_CREATE, IO_ERROR, FINISHED), child.err
        run.finish()
        assert run.complaints == []


@pytest.fixture
def public() -> Iterator[Path]:
    """Return a folder that every user may look into; those of pytest are its user's only."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def test_16_where_no_directory_can_be_made_the_run_ends_before_the_first_call(
    parent: Parent, public: Path
) -> None:
    closed = public / "closed"
    closed.mkdir(0o555)
    with case(parent, public, directory=closed / "run") as run:
        child = run.start(user=NOBODY)
        assert run.ended(child) == CANNOT_CREATE, child.err
        assert f"{run.directory}" in child.err
        assert "-o" in child.err
        assert run.calls() == 0
        closed.chmod(0o755)
        run.finish()
        assert run.complaints == []


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_16_a_directory_that_may_not_be_written_ends_the_run_before_the_first_call(
    parent: Parent, public: Path, mode: int
) -> None:
    with case(parent, public) as run:
        run.directory.mkdir()
        run.directory.chmod(mode)
        child = run.start(user=NOBODY)
        assert run.ended(child) == CANNOT_CREATE, child.err
        assert f"{run.directory}" in child.err
        assert run.calls() == 0
        run.directory.chmod(0o700)
        run.finish()
        assert run.complaints == []


def test_16_a_place_for_results_that_may_not_be_written_ends_it_before_the_first_call(
    parent: Parent, public: Path
) -> None:
    """As a folder of this machine that a URL names."""
    closed = public / "closed"
    closed.mkdir(0o555)
    with case(parent, public, "--to", closed.as_uri()) as run:
        run.directory.mkdir()
        os.chown(run.directory, NOBODY, NOBODY)
        child = run.start(user=NOBODY)
        assert run.ended(child) == CANNOT_CREATE, child.err
        assert f"cannot write {closed.as_uri()}/.batcher-trial-" in child.err
        assert "--to" in child.err
        assert run.calls() == 0
        run.finish()
        assert run.complaints == []
        found = sorted(path.name for path in closed.iterdir())
        assert found == ["errors.parquet", "report.html", "results.parquet"]


def test_16_the_finished_run_of_another_user_is_left_as_it_is(parent: Parent, public: Path) -> None:
    with case(parent, public) as run:
        run.finish()
        before = {path: path.read_bytes() for path in run.directory.iterdir()}
        run.directory.chmod(0o755)
        child = run.start(user=NOBODY)
        assert run.ended(child) == CANNOT_CREATE, child.err
        assert {path: path.read_bytes() for path in run.directory.iterdir()} == before
        assert run.complaints == []


def test_17_a_slow_disk_slows_the_calls_down_and_what_is_unrecorded_stays_bounded(
    parent: Parent, tmp_path: Path
) -> None:
    """Every fourth fsync takes 2 s, and answers come as fast as they can."""
    with case(parent, tmp_path, rows=2500, concurrency=8) as run:
        child = run.start(halted=True)
        slow = "inject=fdatasync,fsync:delay_exit=2000000:when=1+4"
        log = str(tmp_path / "log")
        most = 0
        with traced(child, "-f", "-o", log, "-e", "trace=fdatasync,fsync", "-e", slow):
            run.wait_for_calls(child, 1)
            with CheckpointReader.read(run.directory / "checkpoint.db") as checkpoint:
                while child.running:
                    # Calls first: what is recorded meanwhile makes it fewer, never more.
                    calls = run.calls()
                    most = max(most, calls - checkpoint.counts().rows)
            assert run.ended(child) == FINISHED
        assert 0 < most <= MAX_ROWS + 2 * run.concurrency
        run.finish()
        assert run.complaints == []
