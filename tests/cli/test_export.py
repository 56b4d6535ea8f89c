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


def test_partitions_are_named_by_the_pattern_that_finds_them(
    batcher: Batcher, finished: Path, folder: Path
) -> None:
    done = batcher("export", str(finished), "--to", "parts", "--partition-rows", "2")
    assert done.exit_code == 0
    assert "5 results   parts/results-*-of-00003.parquet" in done.stdout
    assert len(list((folder / "parts").glob("results-*-of-00003.parquet"))) == 3


def test_a_dataset_says_where_its_errors_are(batcher: Batcher, finished: Path) -> None:
    done = batcher("export", str(finished), "--format", "hf")
    assert done.exit_code == 0
    assert "5 results   prompts.batch/hf/data/train-*-of-00001.parquet" in done.stdout
    assert "0 errors    not in a dataset: see prompts.batch/errors.parquet" in done.stdout


def test_a_card_that_was_edited_ends_with_73_and_the_way_out(
    batcher: Batcher, finished: Path
) -> None:
    batcher("export", str(finished), "--format", "hf")
    card = finished / "hf" / "README.md"
    card.write_text(f"{card.read_text('utf-8')}Mine.\n", "utf-8")
    done = batcher("export", str(finished), "--format", "hf")
    assert done.exit_code == 73
    assert "move it away, export again" in done.stderr
    assert card.read_text("utf-8").endswith("Mine.\n")


def test_the_batch_format_has_the_names_of_the_provider(batcher: Batcher, finished: Path) -> None:
    done = batcher("export", str(finished), "--format", "batch")
    assert done.exit_code == 0
    assert "prompts.batch/output.jsonl" in done.stdout
    assert "prompts.batch/error.jsonl" in done.stdout


def test_a_partition_has_at_least_a_row(batcher: Batcher, finished: Path) -> None:
    assert batcher("export", str(finished), "--partition-rows", "0").exit_code == 2
