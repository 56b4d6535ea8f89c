"""`batcher status`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from batcher.checkpoint import Checkpoint

Batcher = Callable[..., Result]


def test_a_finished_run_is_told_in_words_and_as_json(batcher: Batcher, finished: Path) -> None:
    words = batcher("status", str(finished))
    assert "prompts.batch: finished, SIMULATED" in words.stdout
    assert "5 of 5 (100.0%)" in words.stdout
    facts = json.loads(batcher("status", str(finished), "--json").stdout)
    assert (facts["state"], facts["rows"], facts["results"], facts["pending"]) == (
        "finished",
        5,
        5,
        0,
    )


def test_a_running_one_names_the_process(batcher: Batcher, finished: Path) -> None:
    with Checkpoint.open(finished / "checkpoint.db"):
        facts = json.loads(batcher("status", str(finished), "--json").stdout)
    assert facts["state"] == "running"
    assert facts["holder"].startswith("process ")


def test_a_stopped_one_says_what_is_pending(batcher: Batcher) -> None:
    batcher("run", "prompts.jsonl", "--simulate", "--sim-latency", "0", "--sim-fault", "1113=1")
    facts = json.loads(batcher("status", "prompts.batch", "--json").stdout)
    assert (facts["state"], facts["pending"]) == ("stopped", 5)


def test_a_directory_without_a_run_ends_with_74(batcher: Batcher, folder: Path) -> None:
    done = batcher("status", str(folder))
    assert done.exit_code == 74
    assert "is this the directory of a run?" in done.stderr
