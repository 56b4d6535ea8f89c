"""The process is sent signals, or loses those who listen."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from batcher.simulator import read_ledger
from tests.faults.case import FINISHED, case
from tests.faults.children import ENVIRONMENT, PATIENCE_S, Parent


def test_05_a_run_whose_calls_hang_ends_25_s_after_sigterm(parent: Parent, tmp_path: Path) -> None:
    """It waits 20 s for the calls in flight."""
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
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_05_a_signal_drains_records_and_exports_and_the_same_command_goes_on(
    parent: Parent, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with case(parent, tmp_path, rows=24, latency=0.4) as run:
        child = run.start()
        run.wait_for_calls(child, run.rows // 2)
        child.signal(number)
        assert run.ended(child) == code, child.err
        assert f"Stopped by {number.name}; the same command goes on" in child.out
        # Nothing in flight was dropped: every call has its row.
        assert len(pq.read_table(run.directory / "results.parquet")) == run.calls() < run.rows
        run.finish()
        assert run.calls() == run.rows
        assert run.complaints == []


def test_05_a_second_signal_stops_at_once(parent: Parent, tmp_path: Path) -> None:
    """The calls in flight would take ten minutes; nobody waits for them."""
    with case(parent, tmp_path, latency=600) as run:
        child = run.start()
        run.wait_for_calls(child, run.concurrency)
        since = time.monotonic()
        child.signal(signal.SIGINT)
        child.signal(signal.SIGTERM)
        # Which of the two the process sees first is the kernel's choice.
        assert run.ended(child) in (130, 143), child.err
        # Less than the first signal alone allows.
        assert time.monotonic() - since < 15
        assert f"batcher export {run.directory}" in child.out
        assert run.complaints == []


TERM, HUP, INT = signal.SIGTERM, signal.SIGHUP, signal.SIGINT


@pytest.mark.parametrize("storm", [[TERM], [HUP], [INT], [HUP, TERM, INT]], ids=str)
@pytest.mark.parametrize("calls", [1, 20])
def test_06_a_storm_of_signals_ends_a_run_in_order(
    parent: Parent, tmp_path: Path, storm: list[signal.Signals], calls: int
) -> None:
    with case(parent, tmp_path, rows=40, latency=0.1) as run:
        child = run.start()
        run.wait_for_calls(child, calls)
        for number in itertools.chain.from_iterable([storm] * 200):
            child.signal(number)
        assert run.ended(child) in {128 + number for number in storm}, child.err
        run.finish()
        assert run.complaints == []


@pytest.mark.parametrize("number", [TERM, HUP, INT])
def test_06_a_storm_of_signals_from_the_start_on_ends_a_run_before_its_first_call(
    parent: Parent, tmp_path: Path, number: signal.Signals
) -> None:
    """Until it heeds signals it ends as any process does."""
    with case(parent, tmp_path, rows=40, latency=0.1) as run:
        child = run.start(halted=True)
        child.resume()
        for _ in range(200):
            child.signal(number)
        assert run.ended(child) in (128 + number, -number), child.err
        assert run.calls() == 0
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
        # All was done; only to say so may have failed.
        assert done.returncode in (FINISHED, 128 + signal.SIGPIPE)
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
