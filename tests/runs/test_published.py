"""What a start that records nothing leaves as it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batcher.checkpoint import Checkpoint, CheckpointReader, adopt
from batcher.limits import Flow
from batcher.observe import Tally
from batcher.runs.directory import RunDirectory
from batcher.runs.published import PUBLISHED
from tests.simulated import AT_ONCE, Place, Silent


def inodes(place: Place) -> dict[str, int]:
    """Return what tells the files that were published from others of their names."""
    directory = place.directory
    paths = (directory.results, directory.errors, directory.report)
    return {path.name: path.stat().st_ino for path in paths if path.exists()}


def held(place: Place) -> dict[str, int]:
    """Return the same, and hold on to these files: no other gets the number of one."""
    for name in inodes(place):
        os.link(place.directory.path / name, place.folder / f"held-{name}")
    return inodes(place)


def test_a_start_that_records_nothing_leaves_the_files_themselves(place: Place) -> None:
    first = place.run()
    before = held(place)
    again = place.run()
    assert inodes(place) == before
    assert again.summary.counts == first.summary.counts
    assert (again.summary.pending, again.summary.report) == (0, place.directory.report)


@pytest.mark.parametrize("change", [Path.unlink, Path.touch, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("name", ["results.parquet", "errors.parquet", "report.html"])
def test_a_file_that_is_not_as_it_was_left_is_made_again(
    name: str, change: Callable[[Path], object], place: Place
) -> None:
    place.run()
    before = held(place)
    change(place.directory.path / name)
    place.run()
    assert inodes(place)[name] != before[name]
    assert len(place.results()) == 10


def test_rows_that_are_recorded_are_published(place: Place) -> None:
    place.run()
    rows = [{"id": f"n{number}", "prompt": f"say {number}"} for number in range(3)]
    place.write(rows)
    place.run()
    assert [row["id"] for row in place.results()] == ["n0", "n1", "n2"]


def test_what_a_killed_process_recorded_is_published_by_the_next(place: Place) -> None:
    """Also where it recorded as many outcomes as there were before."""
    place.run()
    before = held(place)
    with Checkpoint.open(place.directory.checkpoint) as checkpoint:
        # As it is from when a process begins until it has published what it has.
        assert checkpoint.fact(PUBLISHED) is not None
        checkpoint.remember(**{PUBLISHED: None})
    place.run()
    assert inodes(place).keys() == before.keys()
    assert all(inodes(place)[name] != inode for name, inode in before.items())


def test_what_was_adopted_since_is_published(place: Place, tmp_path: Path) -> None:
    """Also where a result took the place of an error, so that there are as many outcomes."""
    place.run(simulator=replace(AT_ONCE, faults={"1301": 1.0}))
    before = held(place)
    assert place.results() == []
    elsewhere = RunDirectory(tmp_path / "elsewhere")
    place.run(place.job(output={"directory": str(elsewhere.path)}))
    assert adopt(place.directory.checkpoint, elsewhere.checkpoint) == 10
    place.run()
    assert inodes(place)["results.parquet"] != before["results.parquet"]
    assert len(place.results()) == 10


def test_while_a_process_works_nothing_is_known_to_be_published(place: Place) -> None:
    place.run()

    class Looking(Silent):
        def started(self, tally: Tally, flow: Callable[[], Flow]) -> None:
            del tally, flow
            with CheckpointReader.read(place.directory.checkpoint) as checkpoint:
                seen.append(checkpoint.fact(PUBLISHED))

    seen: list[object] = []
    replace(place.session(), watcher=Looking()).run()
    assert seen == [None]


def test_another_version_publishes_anew(place: Place) -> None:
    place.run()
    before = held(place)
    with Checkpoint.open(place.directory.checkpoint) as checkpoint:
        fact: Any = checkpoint.fact(PUBLISHED)
        checkpoint.remember(**{PUBLISHED: {**fact, "version": "0.0.0"}})
    place.run()
    assert inodes(place)["results.parquet"] != before["results.parquet"]


def test_another_job_has_another_report_of_the_same_results(place: Place) -> None:
    place.run()
    before = held(place)
    place.run(place.job(observe={"lang": "zh"}))
    assert inodes(place)["results.parquet"] == before["results.parquet"]
    assert 'lang="zh' in place.directory.report.read_text("utf-8")
