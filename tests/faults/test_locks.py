"""Two processes and one run directory."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.case import FINISHED, case
from tests.faults.children import Parent, until
from tests.faults.strace import traced

LOCKED = 75
RACES, SHARDS = 200, 10


@pytest.mark.parametrize("shard", range(SHARDS))
def test_45_of_two_starts_at_once_one_makes_all_calls_and_the_other_none(
    parent: Parent, tmp_path: Path, shard: int
) -> None:
    with case(parent, tmp_path, rows=3, concurrency=1, latency=0.05) as first:
        for race in range(RACES // SHARDS):
            run = replace(first, directory=tmp_path / f"{shard}-{race}.batch")
            before = run.calls()
            both = [run.start(halted=True) for _ in range(2)]
            for child in both:
                child.resume()
            # The signals may be a moment apart; the winner is there for much longer.
            said = {child.wait(): child.err for child in both}
            assert sorted(said) == [FINISHED, LOCKED], said
            assert "another" in said[LOCKED]
            assert run.calls() == before + run.rows
        first.finish()
        assert first.calls() == (1 + RACES // SHARDS) * first.rows


def _injecting(folder: Path, syscall: str, what: str) -> tuple[str, ...]:
    options = ("-f", "-o", str(folder / "strace"), "-e", f"trace={syscall}")
    return (*options, "-e", f"inject={syscall}:{what}")


def test_46_where_flock_lies_a_second_start_still_finds_the_first(
    parent: Parent, tmp_path: Path
) -> None:
    lying = _injecting(tmp_path, "flock", "retval=0")
    with case(parent, tmp_path, concurrency=1, latency=600) as run:
        first, second = run.start(halted=True), run.start(halted=True)
        with traced(first, *lying):
            run.wait_for_calls(first, 1)
            with traced(second, *lying):
                assert second.wait() == LOCKED, second.err
            assert f"{first.pid}" in second.err
            assert run.calls() == 1
            assert first.running


def test_46_where_flock_lies_the_run_of_a_killed_process_is_taken_over(
    parent: Parent, tmp_path: Path
) -> None:
    lying = _injecting(tmp_path, "flock", "retval=0")
    with case(parent, tmp_path, concurrency=1, latency=0.1) as run:
        first, second = run.start(halted=True), run.start(halted=True)
        with traced(first, *lying):
            run.wait_for_calls(first, 3)
            first.kill()
        assert run.ended(first) == -signal.SIGKILL
        with traced(second, *lying):
            assert run.ended(second) == FINISHED, second.err
        assert run.complaints == []


@pytest.mark.parametrize(
    ("syscall", "error"), [("flock", "ENOLCK"), ("flock", "EOPNOTSUPP"), ("fcntl", "ENOLCK")]
)
def test_46_where_nothing_can_be_locked_the_run_ends_before_the_first_call(
    parent: Parent, tmp_path: Path, syscall: str, error: str
) -> None:
    with case(parent, tmp_path) as run:
        child = run.start(halted=True)
        with traced(child, *_injecting(tmp_path, syscall, f"error={error}")):
            assert run.ended(child) in (73, 74), child.err
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
