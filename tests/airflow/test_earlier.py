"""What the earlier tries of a task left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from batcher.airflow.earlier import nothing_left
from batcher.errors import UsageError
from batcher.job import OutputSpec
from tests.airflow.told import Instance


@pytest.fixture
def output(tmp_path: Path) -> OutputSpec:
    """Return what is said of a run whose directory is not there yet."""
    return OutputSpec(directory=str(tmp_path / "day"))


def test_a_later_try_that_finds_nothing_says_so_and_the_way_out(output: OutputSpec) -> None:
    said = nothing_left(Instance(try_number=2), output)
    assert said is not None
    assert said.startswith(f"This is try 2, and {output.directory} holds no run.")
    assert "Name a directory on a disk that all workers share, or sync_checkpoint" in said


def test_the_first_try_misses_nothing(output: OutputSpec) -> None:
    assert nothing_left(Instance(try_number=1), output) is None


def test_a_try_that_finds_a_checkpoint_misses_nothing(output: OutputSpec, tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    assert nothing_left(Instance(try_number=2), output) is not None
    (tmp_path / "day" / "checkpoint.db").touch()
    assert nothing_left(Instance(try_number=2), output) is None


def test_where_a_copy_is_kept_the_run_itself_says_what_it_takes(tmp_path: Path) -> None:
    output = OutputSpec(directory=str(tmp_path / "day"), sync_checkpoint="s3://labels/copy")
    assert nothing_left(Instance(try_number=2), output) is None


def test_a_directory_that_is_a_url_is_refused() -> None:
    with pytest.raises(UsageError, match="a checkpoint needs a disk of this machine"):
        nothing_left(Instance(try_number=2), OutputSpec(directory="s3://labels/day"))
