"""`batcher export`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from batcher.outputs import read_head

Batcher = Callable[..., Result]


def test_parquet_is_made_again_from_the_checkpoint(batcher: Batcher, finished: Path) -> None:
    results = finished / "results.parquet"
    whole = results.read_bytes()
    results.write_bytes(whole[:-20])
    done = batcher("export", str(finished))
    assert done.exit_code == 0
    assert "5 results" in done.stdout
    assert results.read_bytes() == whole


def test_a_single_row_is_no_plural(batcher: Batcher, folder: Path) -> None:
    (folder / "one.jsonl").write_text('{"prompt": "hi"}\n')
    batcher("run", "one.jsonl", "--simulate", "--sim-latency", "0")
    assert batcher("export", "one.batch").stdout.startswith("1 result   ")


@pytest.mark.parametrize("file_format", ["jsonl", "csv"])
def test_other_formats_and_folders_are_at_choice(
    batcher: Batcher, finished: Path, folder: Path, file_format: str
) -> None:
    (folder / "there").mkdir()
    done = batcher("export", str(finished), "--format", file_format, "--to", "there")
    assert done.exit_code == 0
    rows = read_head(folder / "there" / f"results.{file_format}", 9)
    assert [row["id"] for row in rows] == [f"id-{n}" for n in range(5)]


def test_a_changed_input_is_not_joined_with_old_answers(
    batcher: Batcher, finished: Path, folder: Path
) -> None:
    (folder / "prompts.jsonl").write_text(json.dumps({"prompt": "other"}))
    done = batcher("export", str(finished))
    assert done.exit_code == 2
    assert "the input changed since it was run" in done.stderr


def test_a_run_that_was_stopped_has_what_there_is(batcher: Batcher) -> None:
    batcher("run", "prompts.jsonl", "--simulate", "--sim-latency", "0", "--sim-fault", "1113=1")
    done = batcher("export", "prompts.batch")
    assert done.exit_code == 0
    assert "5 pending" in done.stdout


def test_votes_are_written_with_a_row_for_each_prompt(batcher: Batcher, folder: Path) -> None:
    run = ("run", "prompts.jsonl", "--simulate", "--sim-latency", "0", "--samples", "3")
    assert batcher(*run, "--limit", "2").exit_code == 0
    done = batcher("export", "prompts.batch", "--vote", "--format", "jsonl")
    assert done.exit_code == 0
    assert "2 rows   prompts.batch/votes.jsonl" in done.stdout
    assert "3 rows pending" in done.stdout
    rows = read_head(folder / "prompts.batch" / "votes.jsonl", 9)
    assert [(row["id"], row["samples"]) for row in rows] == [("id-0", 3), ("id-1", 3)]


def test_a_run_with_one_answer_a_row_has_nothing_to_vote_on(
    batcher: Batcher, finished: Path
) -> None:
    done = batcher("export", str(finished), "--vote")
    assert done.exit_code == 2
    assert "there is nothing to vote on" in done.stderr
