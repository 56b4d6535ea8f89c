"""The real command as a process, and other commands beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from batcher.simulator import read_ledger

ROWS, ANSWERED, CONCURRENCY = 9, 5, 2
BATCHER = [sys.executable, "-m", "batcher"]
RUN = [*BATCHER, "run", "prompts.jsonl", "--simulate", "-c", f"{CONCURRENCY}", "-y"]
# Far more than any of these runs takes: only a run that hangs meets it.
PATIENCE_S = 300


def _write(folder: Path, rows: int) -> None:
    lines = (json.dumps({"id": f"id-{n}", "prompt": f"Say {n}."}) for n in range(rows))
    (folder / "prompts.jsonl").write_text("".join(f"{line}\n" for line in lines))


def _wait_for_calls(folder: Path, calls: int) -> None:
    ledger = folder / "prompts.batch" / "simulator.jsonl"
    until = time.monotonic() + PATIENCE_S
    while len(read_ledger(ledger)) < calls:
        assert time.monotonic() < until, "the run makes no progress"
        time.sleep(0.01)


def test_status_and_export_work_while_a_run_goes_on(tmp_path: Path) -> None:
    """Some rows are answered, the calls for the others would take a minute."""
    _write(tmp_path, ANSWERED)
    subprocess.run([*RUN, "--sim-latency", "0"], cwd=tmp_path, check=True)  # noqa: S603 -- ours
    _write(tmp_path, ROWS)
    with subprocess.Popen([*RUN, "--sim-latency", "60"], cwd=tmp_path) as going_on:  # noqa: S603
        _wait_for_calls(tmp_path, ANSWERED + CONCURRENCY)
        status, exported = (
            subprocess.run(  # noqa: S603 -- our own command
                [*BATCHER, *command], cwd=tmp_path, capture_output=True, text=True, check=True
            ).stdout
            for command in (["status", "prompts.batch", "--json"], ["export", "prompts.batch"])
        )
        still_there = going_on.poll() is None
        going_on.kill()
    facts = json.loads(status)
    assert (facts["state"], facts["rows"], facts["results"]) == ("running", ROWS, ANSWERED)
    assert f"{ANSWERED} results" in exported
    assert f"{ROWS - ANSWERED} pending" in exported
    assert still_there
