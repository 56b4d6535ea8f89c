"""The real command as a process, ended in every way at any moment, and started again.

The simulator's ledger is the oracle: what it was asked, against what checkpoint and outputs hold.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from batcher.checkpoint import Checkpoint
from batcher.simulator import read_ledger

ROWS = 120
CONCURRENCY = 4
Start = Callable[..., "subprocess.Popen[str]"]
# Far more than any of these runs takes: only a run that hangs meets it.
PATIENCE_S = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [{"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(ROWS)]
    rows.insert(7, {"id": "id-bad"})
    (tmp_path / "prompts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Return a function that starts `batcher run prompts.jsonl --simulate`."""
    started: list[subprocess.Popen[str]] = []

    def run(*options: str, latency: float = 0.02) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "batcher", "run", "prompts.jsonl", "--simulate"]
        command += ["--sim-latency", str(latency), "-c", str(CONCURRENCY), *options]
        process = subprocess.Popen(  # noqa: S603 -- our own interpreter and command
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _arrivals(folder: Path) -> Counter[str]:
    ledger = folder / "prompts.batch" / "simulator.jsonl"
    entries = read_ledger(ledger) if ledger.exists() else []
    return Counter(entry.prompt for entry in entries)


def _wait_for_calls(folder: Path, process: subprocess.Popen[str], calls: int) -> None:
    """Wait until the simulator was asked `calls` times in all, or the process has ended."""
    until = time.monotonic() + PATIENCE_S
    while process.poll() is None and _arrivals(folder).total() < calls:
        assert time.monotonic() < until, "the run makes no progress"
        time.sleep(0.005)


def _recorded(folder: Path) -> set[str]:
    """Return the prompts of the rows whose outcome is in the checkpoint."""
    with Checkpoint.read(folder / "prompts.batch" / "checkpoint.db") as checkpoint:
        ids = [outcome.id for outcome in checkpoint.outcomes() if outcome.key is not None]
    return {f"Say {id_.removeprefix('id-')}." for id_ in ids}


def _finish(start: Start) -> None:
    process = start(latency=0)
    _, errors = process.communicate(timeout=PATIENCE_S)
    # One row of the input is bad.
    assert process.returncode == 65, errors


def _rows(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    directory = folder / "prompts.batch"
    results = pq.read_table(directory / "results.parquet").to_pylist()
    return results, pq.read_table(directory / "errors.parquet").to_pylist()


def _assert_whole(folder: Path) -> None:
    results, errors = _rows(folder)
    assert [row["row"] for row in errors] == [7]
    assert [row["row"] for row in results] == [n for n in range(ROWS + 1) if n != 7]
    assert [row["id"] for row in results] == [f"id-{n}" for n in range(ROWS)]
    assert all(row["response"] for row in results)
    assert set(_arrivals(folder)) == {f"Say {n}." for n in range(ROWS)}


def test_killed_five_times_on_its_way_no_recorded_row_is_called_again(
    folder: Path, start: Start
) -> None:
    """SIGKILL loses at most the calls that were not recorded yet."""
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)  # noqa: T201 -- shown with a failure, to repeat it
    chance = random.Random(seed)  # noqa: S311 -- no secret
    before: tuple[set[str], Counter[str]] = (set(), Counter())
    for turn in range(1, 6):
        process = start()
        _wait_for_calls(folder, process, turn * ROWS // 6 + chance.randrange(CONCURRENCY * 3))
        process.kill()
        process.wait(PATIENCE_S)
        recorded, arrivals = before
        again = {prompt for prompt in recorded if _arrivals(folder)[prompt] > arrivals[prompt]}
        assert not again
        before = _recorded(folder), _arrivals(folder)
    _finish(start)
    recorded, arrivals = before
    assert recorded
    assert not {prompt for prompt in recorded if _arrivals(folder)[prompt] > arrivals[prompt]}
    _assert_whole(folder)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_drains_records_exports_and_the_same_command_goes_on(
    folder: Path, start: Start, number: signal.Signals, code: int
) -> None:
    process = start(latency=0.4)
    _wait_for_calls(folder, process, ROWS // 2)
    process.send_signal(number)
    output, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code
    assert f"Stopped by {number.name}; the same command goes on" in output
    assert "Traceback" not in errors
    results, _ = _rows(folder)
    # Nothing in flight was dropped: every call has its row.
    assert len(results) == _arrivals(folder).total() < ROWS
    _finish(start)
    _assert_whole(folder)
    assert set(_arrivals(folder).values()) == {1}


def test_a_second_signal_stops_at_once(folder: Path, start: Start) -> None:
    """The calls in flight would take a minute; nobody waits for them."""
    process = start(latency=60)
    _wait_for_calls(folder, process, CONCURRENCY)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=PATIENCE_S)
    # Which of the two the process sees first is the kernel's choice.
    assert process.returncode in (130, 143)
    assert "batcher export prompts.batch" in output
    assert "Traceback" not in errors
    _finish(start)
    _assert_whole(folder)


def test_closed_output_streams_stop_no_run(folder: Path) -> None:
    """As when the terminal or the pipe behind a run goes away."""
    command = [sys.executable, "-m", "batcher", "run", "prompts.jsonl", "--simulate"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(  # noqa: S603 -- our own interpreter and command
        [*command, "--sim-latency", "0"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=writer,
        check=False,
        timeout=PATIENCE_S,
    )
    os.close(writer)
    assert done.returncode != 0
    _assert_whole(folder)


def test_two_starts_at_once_make_one_run(folder: Path, start: Start) -> None:
    """The calls of the first would take a minute, so it is there for as long as the second."""
    first = start(latency=60)
    _wait_for_calls(folder, first, CONCURRENCY)
    second = start(latency=0)
    _, errors = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 75
    assert f"process {first.pid}" in errors
    assert _arrivals(folder).total() == CONCURRENCY
    first.kill()
    first.wait(PATIENCE_S)
    _finish(start)
    _assert_whole(folder)


def test_status_and_export_work_while_a_run_goes_on(folder: Path, start: Start) -> None:
    """Half of the rows are answered, the calls for the others would take a minute."""
    half = start(latency=0.4)
    _wait_for_calls(folder, half, ROWS // 2)
    half.terminate()
    half.wait(PATIENCE_S)
    answered = _arrivals(folder).total()
    going_on = start(latency=60)
    _wait_for_calls(folder, going_on, answered + CONCURRENCY)
    status, exported = (
        subprocess.run(  # noqa: S603 -- our own interpreter and command
            [sys.executable, "-m", "batcher", *command],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for command in (["status", "prompts.batch", "--json"], ["export", "prompts.batch"])
    )
    facts = json.loads(status)
    assert (facts["state"], facts["rows"], facts["results"]) == ("running", ROWS + 1, answered)
    assert f"{answered} results" in exported
    assert f"{ROWS - answered} rows pending" in exported
    assert going_on.poll() is None
    going_on.kill()
    going_on.wait(PATIENCE_S)
    _finish(start)
    _assert_whole(folder)
