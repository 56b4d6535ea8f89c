"""The run directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from batcher.errors import OutputError, StorageError, UsageError
from batcher.runs.directory import RunDirectory, run_directory


@pytest.mark.parametrize(
    ("name", "directory"),
    [
        ("data/a.jsonl", "data/a.batch"),
        ("data/a.jsonl.gz", "data/a.batch"),
        ("data/a.ndjson.zst", "data/a.batch"),
        ("data/a.parquet", "data/a.batch"),
        ("data", "data.batch"),
        ("data/", "data.batch"),
        ("s3://bucket/day/a.jsonl.gz", "a.batch"),
        ("s3://bucket/day/", "day.batch"),
        ("s3://bucket", "bucket.batch"),
    ],
)
def test_without_a_name_it_stands_beside_its_one_input(name: str, directory: str) -> None:
    assert run_directory([name], None).path == Path(directory)


@pytest.mark.parametrize("inputs", [["a.jsonl", "b.jsonl"], ["-"], ["*.jsonl"], ["a?.jsonl"]])
def test_for_anything_but_one_file_it_must_be_named(inputs: list[str]) -> None:
    with pytest.raises(UsageError, match="-o"):
        run_directory(inputs, None)
    assert run_directory(inputs, "there").path == Path("there")


def test_it_is_made_for_its_owner_only_with_the_folders_above(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "a" / "b")
    directory.create()
    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
    directory.create()


def test_one_that_cannot_be_made_names_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="name another with -o"):
        RunDirectory(tmp_path / "file" / "x").create()


def test_one_whose_name_is_not_utf_8_is_refused_before_it_is_made(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"out\xff")
    with pytest.raises(OutputError, match=r"out\\xff is not UTF-8; .* another directory with -o"):
        RunDirectory(path).create()
    assert not path.exists()


def test_an_output_that_could_not_be_replaced_is_found_before_any_call(tmp_path: Path) -> None:
    (tmp_path / "results.parquet").mkdir()
    with pytest.raises(OutputError, match="a directory has this name"):
        RunDirectory(tmp_path).create()


def test_run_json_is_written_whole_for_its_owner_only(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.describe({"job": "评论"})
    assert directory.description_facts() == {"job": "评论"}
    assert stat.S_IMODE(directory.description.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_missing_or_torn_run_json_is_an_error_that_asks_for_the_directory(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    with pytest.raises(StorageError, match=r"is .* the directory of a run"):
        directory.description_facts()
    directory.description.write_text('{"job"')
    with pytest.raises(StorageError, match=r"run\.json"):
        directory.description_facts()


def test_a_run_json_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot write .*run\.json"):
        RunDirectory(tmp_path / "missing").describe({})
