"""The process is killed, stopped, starved and sent signals."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from batcher.simulator import read_ledger
from tests.faults.case import FINISHED, case
from tests.faults.children import ENVIRONMENT, PATIENCE_S, Parent
from tests.faults.torture import chains

KILLS, SHARDS = 200, 10
MIB = 1024 * 1024


@pytest.mark.parametrize("shard", range(SHARDS))
def test_02_killed_at_any_moment_a_run_loses_no_more_than_its_calls_in_flight(
    parent: Parent, tmp_path: Path, seed: int, shard: int
) -> None:
    complaints: list[str] = []
    kills = 0
    for chain in chains(parent, tmp_path, f"{seed}/{shard}"):
        complaints += [f"{chain.name}: {complaint}" for complaint in chain.complaints]
        kills += chain.kills
        if kills >= KILLS // SHARDS:
            break
    assert complaints == []


@pytest.mark.parametrize("room_mib", [0, 1, 4, 16, 32, 64, 128])
def test_04_without_memory_a_run_ends_in_order_and_loses_nothing(
    parent: Parent, tmp_path: Path, room_mib: int
) -> None:
    """Each child starts with the memory of its parent, and may have so much more."""
    size = int(Path(f"/proc/{parent.pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    with case(parent, tmp_path) as run:
        child = run.start(limits={"RLIMIT_AS": size + room_mib * MIB})
        assert run.ended(child) in (FINISHED, 70, 74), child.err
        run.finish()
        assert run.complaints == []


def test_05_a_run_whose_calls_hang_ends_25_s_after_sigterm(parent: Parent, tmp_path: Path) -> None:
    """It waits 20 s for the calls in flight; half of the rows are answered before."""
    with case(parent, tmp_path, rows=12, latency=600) as run:
        child = run.start()
        run.wait_for_calls(child, run.concurrency)
        since = time.monotonic()
        child.signal(signal.SIGTERM)
        assert run.ended(child) == 143, child.err
        # The promise itself is a time.
        assert time.monotonic() - since < 25
        assert run.calls() == run.concurrency
        assert "the same command goes on" in child.out
        assert run.complaints == []


@pytest.mark.parametrize(
    "storm",
    [
        [signal.SIGTERM],
        [signal.SIGHUP],
        [signal.SIGHUP, signal.SIGTERM, signal.SIGINT],
        [signal.SIGINT],
    ],
    ids=lambda storm: "+".join(number.name for number in storm),
)
@pytest.mark.parametrize("calls", [0, 1, 20])
def test_06_a_storm_of_signals_ends_a_run_in_order(
    parent: Parent, tmp_path: Path, storm: list[signal.Signals], calls: int
) -> None:
    with case(parent, tmp_path, rows=40, latency=0.1) as run:
        child = run.start()
        run.wait_for_calls(child, calls)
        for number in itertools.chain.from_iterable([storm] * 200):
            child.signal(number)
        # A process that has not begun to heed signals ends as any does.
        assert run.ended(child) in {c for n in storm for c in (128 + n, -n)}, child.err
        run.finish()
        assert run.complaints == []


@pytest.mark.parametrize("closed", [["stdout"], ["stderr"], ["stdout", "stderr"]])
def test_06_closed_output_streams_stop_no_run(
    parent: Parent, tmp_path: Path, closed: list[str]
) -> None:
    """As when the terminal or the pipe behind a run goes away."""
    with case(parent, tmp_path) as run:
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(  # noqa: S603 -- our own interpreter and command
            [sys.executable, "-m", "batcher", *run.arguments()],
            stdin=subprocess.DEVNULL,
            stdout=writer if "stdout" in closed else subprocess.PIPE,
            stderr=writer if "stderr" in closed else subprocess.PIPE,
            env=ENVIRONMENT,
            check=False,
            timeout=PATIENCE_S,
        )
        os.close(writer)
        # All was done; only to say so may have failed (120 is Python's own word for that).
        assert done.returncode in (FINISHED, 1, 74, 120)
        assert b"Traceback" not in (done.stderr or b"")
        assert sorted(run.moment().recorded) == sorted(run.prompts)
        calls = run.calls()
        run.finish()
        assert run.calls() == calls == run.rows


def test_07_stopped_for_longer_than_a_timeout_a_run_retries_without_a_burst(
    parent: Parent, tmp_path: Path
) -> None:
    """What was in flight expires while the process stands still; it was answered, unseen."""
    with case(parent, tmp_path, "--timeout", "1", rows=20, latency=0.1) as run:
        child = run.start()
        run.wait_for_calls(child, run.concurrency)
        child.signal(signal.SIGSTOP)
        stopped = run.calls()
        time.sleep(1.2)
        assert run.calls() <= max(stopped, run.concurrency)
        child.signal(signal.SIGCONT)
        assert run.ended(child, expired=2) == FINISHED, child.err
        run.finish()
        assert run.complaints == []
        ledger = read_ledger(run.folder / "ledger.jsonl")
        assert max(call.in_flight for call in ledger) <= run.concurrency
        assert len(ledger) > run.rows


def test_08_too_few_descriptors_cut_the_concurrency_and_fail_no_row(
    parent: Parent, tmp_path: Path
) -> None:
    with case(parent, tmp_path, rows=300, concurrency=200, latency=0.05) as run:
        child = run.start(limits={"RLIMIT_NOFILE": 64})
        assert run.ended(child) == FINISHED, child.err
        assert "open files" in child.err
        ledger = read_ledger(run.folder / "ledger.jsonl")
        assert len(ledger) == run.rows
        assert 1 < max(call.in_flight for call in ledger) < 64
        run.finish()
        assert run.complaints == []
