"""The input of a job, opened."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from batcher.errors import InputError, OutputError
from batcher.runs.rows import open_dataset
from tests.simulated import Place


def test_standard_input_lies_in_the_spool_folder(place: Place, tmp_path: Path) -> None:
    dataset = open_dataset(place.job(input=["-"]), tmp_path, io.BytesIO(b'{"prompt": "hi"}\n'))
    assert dataset.files[0].path.parent == tmp_path
    assert dataset.count() == 1


def test_no_directory_is_made_for_files_that_are_not_there(place: Place) -> None:
    place.input.unlink()
    with pytest.raises(InputError, match=r"prompts\.jsonl"):
        place.run()
    assert not place.directory.path.exists()


@pytest.mark.parametrize(
    ("given", "directory"),
    [
        ("in", "in"),
        ("in/", "."),
        (".", "in"),
        ("i*/*.jsonl", "in"),
        ("in", "link"),
        ("**", "in/b"),
        ("in/*.jsonl", "in"),
    ],
)
def test_no_directory_of_a_run_is_made_of_a_folder_of_the_input(
    given: str, directory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in one is no input, or is what a run writes: the next start would have other rows."""
    place = Place(tmp_path)
    (tmp_path / "in" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("in")
    for name in ("in/a.jsonl", "in/b/c.jsonl"):
        (tmp_path / name).write_text('{"prompt": "hi"}\n')
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path / "in" if directory == "." else tmp_path)
    job = place.job(
        input=[f"../{given}" if directory == "." else given], output={"directory": directory}
    )
    with pytest.raises(OutputError, match=r"is within the input .*; name another with -o"):
        place.run(job)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("given", ["in/a.jsonl", "in/a*.jsonl", "in/b"])
def test_a_run_may_have_its_directory_where_its_files_are_named(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So may one beside them: a folder above the input is not looked into."""
    place = Place(tmp_path)
    (tmp_path / "in" / "b").mkdir(parents=True)
    for name in ("in/a.jsonl", "in/b/c.jsonl"):
        (tmp_path / name).write_text('{"prompt": "hi"}\n')
    monkeypatch.chdir(tmp_path)
    for _start in range(2):
        place.run(place.job(input=[given], output={"directory": "in"}))
    assert (tmp_path / "in" / "results.parquet").exists()
