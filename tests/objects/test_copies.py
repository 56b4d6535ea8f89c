"""Runs that keep their checkpoint in a bucket, and lose the disk they ran on."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from batcher.checkpoint import CheckpointReader
from batcher.errors import StorageError
from tests.objects.conftest import Lines, Place
from tests.objects.door import Asked, Door, Verdict
from tests.objects.store import Bucket

# Far more than anything here takes; what hangs meets it.
PATIENCE_S = 300
ROWS = 400
EVERY = ("--sync-every", "1s")
# So that a run is under way for longer than a copy and the pause after it.
SLOWLY = ("--sim-latency", "1", "-c", "16")


def wait_for(happened: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture
def prompts(bucket: Bucket, lines: Lines) -> str:
    """Return the URL of an input."""
    bucket.put("in/prompts.jsonl", lines(ROWS))
    return f"{bucket.url}/in/prompts.jsonl"


def latest(bucket: Bucket) -> dict[str, Any]:
    """Return what `latest.json` says, nothing where there is none."""
    content = bucket.get("copy/latest.json")
    said: dict[str, Any] = json.loads(content) if content else {}
    return said


def copied(bucket: Bucket, folder: Path) -> set[str]:
    """Return the prompts of the rows that the copy has which counts."""
    copy = latest(bucket).get("copy")
    content = copy and bucket.get(f"copy/{copy['name']}")
    if not content:
        # It was replaced between the two questions, or there is none yet.
        return set()
    path = folder / "looked-at.db"
    path.write_bytes(content)
    with contextlib.suppress(StorageError), CheckpointReader.read(path) as checkpoint:
        return {f"say {outcome.id.removeprefix('r')}" for outcome in checkpoint.outcomes()}
    return set()


def lost(place: Place) -> Counter[str]:
    """Delete the run directory; return what was called there."""
    called = place.calls()
    shutil.rmtree(place.path / "run")
    return called


def test_a_killed_run_from_bucket_to_bucket_goes_on_without_its_disk_and_repeats_no_copied_row(
    prompts: str, bucket: Bucket, place: Place
) -> None:
    options = ("--to", f"{bucket.url}/out", "--sync-checkpoint", f"{bucket.url}/copy", *EVERY)
    process = place.started(prompts, *options, *SLOWLY)
    wait_for(lambda: copied(bucket, place.path) or process.poll() is not None)
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    known = copied(bucket, place.path)
    first = lost(place)
    assert 0 < len(known) < ROWS
    again = place.run(prompts, *options)
    assert again.returncode == 0, again.stderr
    assert "Going on with copy" in again.stderr
    second = place.calls()
    # The ledger: nothing that was in the copy was called again, and all else was.
    assert known.isdisjoint(second)
    assert len(second) == ROWS - len(known)
    assert {*first} | {*second} == {f"say {n}" for n in range(ROWS)}
    results = place.path / "results.parquet"
    results.write_bytes(bucket.get("out/results.parquet") or b"")
    assert pq.read_table(results).num_rows == ROWS
    copy = latest(bucket)["copy"]
    # Arrow's mark of a folder may stand beside them.
    kept = {f"copy/{copy['name']}", "copy/latest.json"}
    assert {*bucket.keys("copy/")} - {"copy/"} == kept
    assert copy["rows"] == ROWS


def test_rows_on_standard_input_come_along(bucket: Bucket, place: Place, lines: Lines) -> None:
    options = ("-", "--sync-checkpoint", f"{bucket.url}/copy")
    process = place.started(*options, stdin=subprocess.PIPE)
    process.communicate(lines(20).decode(), timeout=PATIENCE_S)
    assert process.returncode == 0
    assert len(lost(place)) == 20
    again = place.run(*options)
    assert again.returncode == 0, again.stderr
    assert place.calls() == Counter()
    assert "20 results" in again.stdout


def test_a_store_that_fails_for_a_while_is_told_of_and_costs_nothing(
    prompts: str, bucket: Bucket, behind: Place, gate: Door
) -> None:
    def failing(asked: Asked) -> Verdict:
        sent = asked.method in ("PUT", "POST") and "/copy/checkpoint" in asked.place
        return "fail" if sent else "pass"

    process = behind.started(prompts, "--sync-checkpoint", f"{bucket.url}/copy", *EVERY, *SLOWLY)
    wait_for(lambda: copied(bucket, behind.path))
    gate.judge = failing
    said, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 74, errors
    assert "The copy of the checkpoint is not current: cannot write s3://" in errors
    assert "NOT CURRENT" in said
    gate.judge = lambda _asked: "pass"
    again = behind.run(prompts, "--sync-checkpoint", f"{bucket.url}/copy")
    assert again.returncode == 0, again.stderr
    assert set(behind.calls().values()) == {1}
    assert latest(bucket)["copy"]["rows"] == ROWS


def test_a_signal_ends_a_run_whose_store_takes_no_copy(
    prompts: str, bucket: Bucket, behind: Place, gate: Door
) -> None:
    def silent(asked: Asked) -> Verdict:
        return "hang" if "/copy/" in asked.place else "pass"

    process = behind.started(prompts, "--sync-checkpoint", f"{bucket.url}/copy", *EVERY, *SLOWLY)
    wait_for(lambda: copied(bucket, behind.path))
    gate.judge = silent
    since = time.monotonic()
    process.send_signal(signal.SIGTERM)
    said, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 143, errors
    # The promise itself is a time.
    assert time.monotonic() - since < 25
    assert "NOT CURRENT" in said
    gate.over.set()
    gate.judge = lambda _asked: "pass"
    again = behind.run(prompts, "--sync-checkpoint", f"{bucket.url}/copy")
    assert again.returncode == 0, again.stderr
    assert set(behind.calls().values()) == {1}


def test_two_hosts_do_not_work_on_one_run(prompts: str, bucket: Bucket, place: Place) -> None:
    options = ("--sync-checkpoint", f"{bucket.url}/copy", *EVERY)
    process = place.started(prompts, *options, *SLOWLY)
    wait_for(lambda: latest(bucket))
    second = place.command("run", prompts, "-o", "second", "--simulate", *options)
    assert second.returncode == 75
    assert (
        f"another run keeps its copy at {bucket.url}/copy: process {process.pid}" in second.stderr
    )
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 143
    assert place.command("run", prompts, "-o", "second", "--simulate", *options).returncode == 0
