"""`batcher merge`: its words and exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Batcher = Callable[..., Result]
SIMULATE = ("--simulate", "--sim-latency", "0", "--no-report")


def _shard(batcher: Batcher, number: int, *options: str) -> str:
    done = batcher("run", "prompts.jsonl", "--shard", f"{number}/2", *SIMULATE, *options)
    assert done.exit_code in (0, 65), done.stderr
    return f"prompts.{number}-of-2.batch"


def test_shards_become_one_run(batcher: Batcher) -> None:
    done = batcher("merge", _shard(batcher, 1), _shard(batcher, 2), "-o", "all")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[1:3] == [
        "Merged: 2 runs.",
        "  rows      5: 5 results, 0 errors, 0 pending",
    ]
    assert done.stdout.splitlines()[-2:] == [
        "  results   all/results.parquet",
        "  errors    all/errors.parquet",
    ]
    assert batcher("verify", "all").exit_code == 0
    again = batcher("run", "prompts.jsonl", "-o", "all", *SIMULATE)
    assert "in this process 0," in again.stdout


def test_pending_rows_end_with_75_and_are_told(batcher: Batcher) -> None:
    done = batcher("merge", _shard(batcher, 2), "-o", "all")
    assert done.exit_code == 75
    assert "`batcher run INPUT -o all`, with the same job, calls just those" in done.stdout
    assert "2 pending of rows 0 to 1, in none of these" in done.stdout
    assert batcher("run", "prompts.jsonl", "-o", "all", *SIMULATE).exit_code == 0


def test_error_rows_end_with_65_as_they_end_a_run(batcher: Batcher) -> None:
    shards = [_shard(batcher, number, "--sim-fault", "1301=1") for number in (1, 2)]
    assert batcher("merge", *shards, "-o", "all").exit_code == 65


def test_runs_that_do_not_go_together_end_with_78(batcher: Batcher) -> None:
    other = _shard(batcher, 2, "-p", "temperature=0.5")
    done = batcher("merge", _shard(batcher, 1), other, "-o", "all")
    assert done.exit_code == 78
    assert "prompts.2-of-2.batch cannot be merged with prompts.1-of-2.batch" in done.stderr
    assert not Path("all").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-o", "all"), "Missing argument 'DIR...'"),
        ((".",), "Missing option '-o'"),
        (("nothing", "-o", "all"), "does not exist"),
    ],
)
def test_what_is_missing_is_said(batcher: Batcher, arguments: tuple[str, ...], said: str) -> None:
    done = batcher("merge", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_directory_without_a_run_ends_with_74(batcher: Batcher) -> None:
    done = batcher("merge", ".", "-o", "all")
    assert done.exit_code == 74
    assert "is this the directory of a run?" in done.stderr


def test_a_url_is_no_run_directory(batcher: Batcher) -> None:
    done = batcher("merge", _shard(batcher, 1), "-o", "s3://bucket/all")
    assert done.exit_code == 2
    assert "the run directory cannot be s3://bucket/all" in done.stderr
    assert not Path("s3:").exists()
