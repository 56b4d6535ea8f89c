"""URLs as files; the disk of this machine stands for a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from batcher.errors import InputError
from batcher.inputs.urls import expanded
from batcher.storage import Address, never


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        *("day=2/a.jsonl", "day=10/a.jsonl", "day=10/b.jsonl", "day=10/deep/a.jsonl", "a.jsonl"),
        *(".hidden/a.jsonl", "day=2/.a.jsonl", "old.batch/a.jsonl", "old.batch/deep/a.jsonl"),
        *("run/checkpoint.db", "run/a.jsonl", "run/deep/a.jsonl", "note.txt"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def found(tree: Path, given: str) -> tuple[list[str], str]:
    files, kind = expanded(Address.of(f"file://{tree}/{given}"), _is_input, never)
    return [str(Path(file.address.path).relative_to(tree)) for file in files], kind


def _is_input(name: str) -> bool:
    return name.endswith(".jsonl")


def test_a_file_stands_for_itself_wherever_it_is(tree: Path) -> None:
    assert found(tree, "note.txt") == (["note.txt"], "file")
    assert found(tree, ".hidden/a.jsonl") == ([".hidden/a.jsonl"], "file")


def test_a_folder_stands_for_all_below_it_part_by_part(tree: Path) -> None:
    files = ["a.jsonl", "day=10/a.jsonl", "day=10/b.jsonl", "day=10/deep/a.jsonl", "day=2/a.jsonl"]
    assert found(tree, "") == ([*files, "note.txt"], "folder")


@pytest.mark.parametrize(
    ("given", "files"),
    [
        ("*.jsonl", ["a.jsonl"]),
        ("day=*/[ab].jsonl", ["day=10/a.jsonl", "day=10/b.jsonl", "day=2/a.jsonl"]),
        ("day=?/*", ["day=2/a.jsonl"]),
        ("day=*/deep/*.jsonl", ["day=10/deep/a.jsonl"]),
        ("day=10/**", ["day=10/a.jsonl", "day=10/b.jsonl", "day=10/deep/a.jsonl"]),
        ("**/deep/a.jsonl", ["day=10/deep/a.jsonl"]),
        ("*/a.jsonl", ["day=10/a.jsonl", "day=2/a.jsonl"]),
        ("old.batch/*.jsonl", ["old.batch/a.jsonl"]),
        (".hidden/*", [".hidden/a.jsonl"]),
        (".*/*", [".hidden/a.jsonl"]),
        ("*.csv", []),
        ("no/*.jsonl", []),
    ],
)
def test_a_glob_stands_for_what_matches(tree: Path, given: str, files: list[str]) -> None:
    assert found(tree, given) == (files, "glob")


def test_what_a_run_put_there_is_no_input_of_the_next(tree: Path) -> None:
    for name in ("results.parquet", "errors.parquet"):
        for folder in ("out", "day=10/out"):
            (tree / folder).mkdir(exist_ok=True)
            (tree / folder / name).write_bytes(b"")
    (tree / "day=2" / "results.parquet").write_bytes(b"")
    assert [name for name in found(tree, "")[0] if name.endswith(".parquet")] == [
        "day=2/results.parquet"
    ]
    assert found(tree, "*/*.parquet") == (["day=2/results.parquet"], "glob")
    assert found(tree, "**/*.parquet") == (["day=2/results.parquet"], "glob")
    spelt = ["out/errors.parquet", "out/results.parquet"]
    assert found(tree, "out") == (spelt, "folder")
    assert found(tree, "out/*") == (spelt, "glob")


@pytest.mark.parametrize("given", ["run", "old.batch"])
def test_what_a_run_left_is_no_input(tree: Path, given: str) -> None:
    with pytest.raises(InputError, match="is the directory of a run; name one of its files"):
        found(tree, given)


@pytest.mark.parametrize(
    ("given", "said"),
    [("b.jsonl", "did you mean `a.jsonl`"), ("dai=10", "did you mean `day=10`"), ("x.csv", "$")],
)
def test_what_is_not_there_is_told_what_may_be_meant(tree: Path, given: str, said: str) -> None:
    with pytest.raises(InputError, match=f"no such file: file://.*/{given}.*{said}"):
        found(tree, given)
