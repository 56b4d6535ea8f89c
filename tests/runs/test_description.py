"""What `run.json` comes to say."""

from __future__ import annotations

from pathlib import Path

from batcher.runs.description import Description, counted_rows
from batcher.runs.directory import RunDirectory


def test_facts_are_added_and_changed_and_each_time_the_file_is_whole(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    description = Description(directory, {"state": "running", "pid": 1})
    assert directory.description_facts() == {"state": "running", "pid": 1}
    description.add(state="finished", rows=3)
    assert directory.description_facts() == {"state": "finished", "pid": 1, "rows": 3}


def test_the_rows_of_this_very_input_are_remembered_and_those_of_no_other(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    assert counted_rows(directory, "abc") is None
    description = Description(directory, {"fingerprint": "abc"})
    assert counted_rows(directory, "abc") is None
    description.add(rows=3)
    assert counted_rows(directory, "abc") == 3
    assert counted_rows(directory, "other") is None
