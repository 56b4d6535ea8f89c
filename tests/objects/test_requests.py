"""What a start costs in requests, where the input is a folder of many small objects."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.objects.conftest import Lines, Place
from tests.objects.door import Asked, Door
from tests.objects.store import Bucket

FILES = 50


@pytest.fixture
def folder(bucket: Bucket, lines: Lines) -> str:
    """Return the URL of a folder of objects of one row each."""
    for number in range(FILES):
        bucket.put(f"in/{number:03}.jsonl", lines(1, first=number))
    return f"{bucket.url}/in/"


def by_object(gate: Door) -> Counter[tuple[str, str]]:
    """Return how often each object was asked for, and how."""
    return Counter((one.method, one.place) for one in gate.asked if one.place.endswith(".jsonl"))


def test_where_nothing_is_to_be_done_the_listings_say_it(
    folder: str, behind: Place, gate: Door
) -> None:
    assert behind.run(folder).returncode == 0
    gate.asked.clear()
    again = behind.run(folder)
    assert again.returncode == 0, again.stderr
    # The last file is read to its end, to see that there is no row behind those that are done.
    last = f"{folder.removeprefix('s3:/')}{FILES - 1:03}.jsonl"
    assert set(by_object(gate)) == {("HEAD", last), ("GET", last)}
    assert len(gate.asked) < FILES / 2
    assert set(behind.calls().values()) == {1}


def test_of_a_folder_that_grew_the_old_files_are_read_for_the_results_alone(
    folder: str, bucket: Bucket, behind: Place, gate: Door, lines: Lines
) -> None:
    assert behind.run(folder).returncode == 0
    bucket.put(f"in/{FILES:03}.jsonl", lines(1, first=FILES))
    gate.asked.clear()
    grown = behind.run(folder)
    assert grown.returncode == 0, grown.stderr
    assert "1 file was added" in grown.stderr
    asked = by_object(gate)
    place = folder.removeprefix("s3:/")
    for name in (f"{place}{number:03}.jsonl" for number in range(FILES - 1)):
        # For the types of their columns, for their rows, and for the examples in the report.
        assert asked["GET", name] == 3
        # Before and after each; and whether it is as it was, once for the results and the report.
        assert asked["HEAD", name] == 2 * 3 + 2
    assert set(behind.calls().values()) == {1}


def test_a_time_that_only_listings_tell_to_a_fraction_of_a_second_is_no_change(
    folder: str, behind: Place, gate: Door
) -> None:
    """As of MinIO, whose HEAD tells whole seconds like all others'."""

    def finer(asked: Asked, said: bytes) -> bytes:
        listing = "list-type" in asked.query
        return said.replace(b".000Z</LastModified>", b".123Z</LastModified>") if listing else said

    gate.change = finer
    assert behind.run(folder).returncode == 0
    # Each object is asked for by itself, not listed.
    exported = behind.command("export", "run")
    assert exported.returncode == 0, exported.stderr
