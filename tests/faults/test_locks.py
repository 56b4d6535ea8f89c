"""Two processes and one run directory."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.case import FINISHED, Case, case
from tests.faults.children import Child, Parent, until
from tests.faults.strace import attach

LOCKED = 75
RACES, SHARDS = 200, 10


@pytest.mark.parametrize("shard", range(SHARDS))
def test_45_of_two_starts_at_once_one_makes_all_calls_and_the_other_none(
    parent: Parent, tmp_path: Path, shard: int
) -> None:
    for race in range(RACES // SHARDS):
        folder = tmp_path / f"{shard}-{race}"
        folder.mkdir()
        with case(parent, folder, rows=4, concurrency=1, latency=0.05) as run:
            both = [run.start(halted=True) for _ in range(2)]
            for child in both:
                child.resume()
            codes = sorted(child.wait() for child in both)
            assert codes == [FINISHED, LOCKED], [child.err for child in both]
            (loser,) = (child for child in both if child.wait() == LOCKED)
            assert "another run" in loser.err
            assert "Traceback" not in "".join(child.err for child in both)
            assert run.calls() == run.rows
            run.finish()
            assert run.complaints == []


@contextmanager
def _holder(run: Case, *strace: str) -> Iterator[Child]:
    """Start a run that is there for as long as the block: its calls hang."""
    child = run.start(halted=True)
    tracer = attach(child, *strace)
    run.wait_for_calls(child, 1)
    yield child
    child.kill()
    tracer.wait()


def test_46_where_flock_lies_a_second_start_still_finds_the_first(
    parent: Parent, tmp_path: Path
) -> None:
    lying = ("-f", "-o", str(tmp_path / "log"), "-e", "trace=flock", "-e", "inject=flock:retval=0")
    with case(parent, tmp_path, concurrency=1, latency=600) as run, _holder(run, *lying) as first:
        second = run.start(halted=True)
        tracer = attach(second, *lying)
        assert second.wait() == LOCKED, second.err
        tracer.wait()
        assert f"{first.pid}" in second.err
        assert run.calls() == 1
        assert first.running


def test_46_where_flock_lies_the_run_of_a_killed_process_is_taken_over(
    parent: Parent, tmp_path: Path
) -> None:
    lying = ("-f", "-o", str(tmp_path / "log"), "-e", "trace=flock", "-e", "inject=flock:retval=0")
    with case(parent, tmp_path, concurrency=1, latency=0.1) as run:
        with _holder(run, *lying):
            pass
        child = run.start(halted=True)
        tracer = attach(child, *lying)
        assert child.wait() == FINISHED, child.err
        tracer.wait()


@pytest.mark.parametrize("error", ["ENOLCK", "EOPNOTSUPP"])
@pytest.mark.parametrize("syscalls", ["flock", "fcntl"])
def test_46_where_nothing_can_be_locked_the_run_ends_before_the_first_call(
    parent: Parent, tmp_path: Path, syscalls: str, error: str
) -> None:
    with case(parent, tmp_path) as run:
        child = run.start(halted=True)
        inject = f"inject={syscalls}:error={error}"
        log = str(tmp_path / "log")
        tracer = attach(child, "-f", "-o", log, "-e", f"trace={syscalls}", "-e", inject)
        assert run.ended(child) in (73, 74), child.err
        tracer.wait()
        assert run.calls() == 0
        run.finish()
        assert run.complaints == []


def test_47_the_lock_of_a_killed_process_is_taken_over(parent: Parent, tmp_path: Path) -> None:
    with case(parent, tmp_path, concurrency=2, latency=0.1) as run:
        child = run.start()
        run.wait_for_calls(child, 4)
        child.kill()
        assert run.ended(child) == -signal.SIGKILL
        assert (run.directory / "lock").exists()
        run.finish()
        assert run.complaints == []


def test_47_a_pid_that_another_process_has_now_holds_no_lock(
    parent: Parent, tmp_path: Path
) -> None:
    with case(parent, tmp_path, concurrency=2, latency=0.1) as run:
        child = run.start()
        run.wait_for_calls(child, 4)
        child.kill()
        assert run.ended(child) == -signal.SIGKILL
        with _process_with(child.pid):
            run.finish()
        assert run.complaints == []


@contextmanager
def _process_with(pid: int) -> Iterator[None]:
    """Have a process of this very number for the length of the block."""
    last = Path("/proc/sys/kernel/ns_last_pid")
    if not os.access(last, os.W_OK):
        pytest.skip("only root may choose the number of the next process")

    def started() -> subprocess.Popen[bytes] | None:
        last.write_text(f"{pid - 1}")
        process = subprocess.Popen(["sleep", "600"])  # noqa: S607 -- any will do
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
        return None

    found: list[subprocess.Popen[bytes]] = []

    def tried() -> bool:
        if process := started():
            found.append(process)
        return bool(found)

    # Others may start processes meanwhile.
    until(tried, f"a process with the number {pid}")
    yield
    found[0].kill()
    found[0].wait()
