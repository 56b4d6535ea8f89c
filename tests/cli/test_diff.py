"""`batcher diff`: its words, JSON and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
from click.testing import Result

Batcher = Callable[..., Result]


def _other(batcher: Batcher) -> str:
    options = ("--simulate", "--sim-latency", "0", "--param", "temperature=0.5", "-o", "other")
    batcher("run", "prompts.jsonl", *options, "--sim-fault", "1301=1", "--max-rows", "2")
    batcher("run", "prompts.jsonl", *options)
    return "other"


def test_two_runs_are_told_apart_in_a_table_and_a_file(batcher: Batcher, finished: Path) -> None:
    done = batcher("diff", str(finished), _other(batcher), "--to", "diff.parquet")
    assert done.exit_code == 0
    assert "A  prompts.batch  (" in done.stdout
    assert "5 rows in both, 0 only in A, 0 only in B\n  2 error in B only\n" in done.stdout
    assert "  content_filtered" in done.stdout
    assert done.stdout.endswith("\nEach row: diff.parquet\n")
    assert pq.read_table("diff.parquet").num_rows == 5


def test_as_json_it_is_one_object(batcher: Batcher, finished: Path) -> None:
    facts = json.loads(batcher("diff", str(finished), _other(batcher), "--json").stdout)
    assert facts["rows"]["error_in_b_only"] == 2
    assert facts["b"]["error_classes"] == {"content_filtered": 2}
    assert facts["fields"]["response"]["compared"] == 3


def test_a_directory_without_a_run_ends_with_74(batcher: Batcher, finished: Path) -> None:
    done = batcher("diff", str(finished), ".")
    assert done.exit_code == 74
    assert "is this the directory of a run?" in done.stderr


def test_its_own_files_are_not_written_over(batcher: Batcher, finished: Path) -> None:
    done = batcher("diff", str(finished), str(finished), "--to", f"{finished}/results.parquet")
    assert done.exit_code == 73
