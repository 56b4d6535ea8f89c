"""The tutorial, typed as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text("utf-8")


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample data and jobs, where every block of the tutorial was typed in turn."""
    folder = tmp_path_factory.mktemp("tutorial")
    for name in ("sample_data", "jobs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.batch"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
    for kind, block in re.findall(r"```(sh|python)\n(.*?)```", TUTORIAL, re.DOTALL):
        command = ["bash", "-euc"] if kind == "sh" else [sys.executable, "-c"]
        done = subprocess.run(  # noqa: S603 -- our own document
            [*command, block],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    return folder


def _column(path: Path, name: str) -> list[Any]:
    return pq.read_table(path)[name].to_pylist()


def test_the_first_label_has_typed_columns(typed: Path) -> None:
    results = pq.read_table(typed / "first.batch/results.parquet")
    assert results.num_rows == 20
    assert set(results["out.sentiment"].to_pylist()) <= {"positive", "negative", "neutral"}
    assert str(results.schema.field("out.confidence").type) == "double"


def test_broken_answers_were_asked_for_again(typed: Path) -> None:
    results = pq.read_table(typed / "broken.batch/results.parquet")
    errors = pq.read_table(typed / "broken.batch/errors.parquet")
    assert results.num_rows + errors.num_rows == 200
    assert max(_column(typed / "broken.batch/results.parquet", "repairs")) >= 1
    assert set(errors["error_class"].to_pylist()) <= {"invalid_output"}


def test_two_prompts_are_compared_on_the_same_rows(typed: Path) -> None:
    assert pq.read_table(typed / "a-b.parquet").num_rows == 50


def test_the_votes_have_one_row_a_prompt(typed: Path) -> None:
    votes = pq.read_table(typed / "vote.batch/votes.parquet")
    assert votes.num_rows == pq.read_table(typed / "vote.batch/results.parquet").num_rows / 5
    agreement = _column(typed / "vote.batch/votes.parquet", "agreement.label")
    assert 0 < min(agreement) < max(agreement) == 1


def test_results_are_the_input_of_a_second_step(typed: Path) -> None:
    assert pq.read_table(typed / "reasons.batch/results.parquet").num_rows == 30


def test_the_second_run_takes_what_the_cache_has(typed: Path) -> None:
    column = _column(typed / "two.batch/results.parquet", "answered_by")
    assert (column.count("cache"), column.count("call")) == (40, 20)


def test_the_dataset_has_its_card(typed: Path) -> None:
    assert (typed / "dataset/README.md").read_text("utf-8").startswith("---\n")
    assert len(list((typed / "dataset/data").glob("train-*.parquet"))) == 2


def test_python_wrote_its_results(typed: Path) -> None:
    assert pq.read_table(typed / "python.batch/results.parquet").num_rows == 2
