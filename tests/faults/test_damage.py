"""Damaged files: a checkpoint with a flipped bit or a lost end, and Parquet files likewise.

Rows 18 to 20 of the matrix. A damaged checkpoint is named, or the damage lies where nothing is
read; a run never goes on from it as if all were well.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from batcher.checkpoint import checkpoint_problems
from batcher.errors import BatcherError
from batcher.runs.export import export_run
from batcher.runs.verify import verify
from batcher.simulator import SimulatorConfig
from tests.simulated import Place

ROWS = 60
FLIPS = 120


@pytest.fixture(scope="module")
def half_done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with 40 rows recorded, then stopped by the provider; ids are numbers."""
    place = Place(tmp_path_factory.mktemp("half") / "place")
    place.folder.mkdir()
    place.write({"prompt": f"Say {n}.", "note": "x" * 60} for n in range(ROWS))
    job = place.job(limits={"concurrency": 1})
    result = place.run(job, SimulatorConfig(latency_s=0, fail_after=(40, "1113")))
    assert result.halted is not None
    kept = place.folder.with_name("kept")
    shutil.copytree(place.folder, kept)
    return kept


@pytest.fixture
def place(half_done: Path) -> Place:
    """The half-done run, at the place where it was made."""
    return _restored(half_done)


def _restored(half_done: Path) -> Place:
    place = Place(half_done.with_name("place"))
    shutil.rmtree(place.folder)
    shutil.copytree(half_done, place.folder)
    return place


def _answers(place: Place) -> dict[int, str]:
    return {row["row"]: row["response"] for row in place.results()}


def _disturbed(place: Place) -> str | None:
    """Run a damaged directory to its end; return what it says, or None where all is well."""
    before = Counter(entry.prompt for entry in place.ledger())
    try:
        place.run(place.job(limits={"concurrency": 1}))
    except BatcherError as error:
        return str(error)
    after = Counter(entry.prompt for entry in place.ledger())
    assert len(after) == ROWS
    # One call of the first run was refused; nothing that was answered is called again.
    assert (after - before).total() == ROWS - 40
    assert sorted(_answers(place)) == list(range(ROWS))
    return None


@pytest.mark.parametrize("compared", [False, True], ids=["as it was", "input touched"])
def test_18_a_flipped_bit_in_the_checkpoint_is_named_or_without_consequence(
    half_done: Path, seed: int, *, compared: bool
) -> None:
    """Whether the input is known to be unchanged, or all keys are compared."""
    chance = random.Random(seed)  # noqa: S311 -- no secret
    place = _restored(half_done)
    sound = place.directory.checkpoint.read_bytes()
    assert _disturbed(place) is None
    expected = _answers(place)
    named = 0
    for number in range(FLIPS):
        place = _restored(half_done)
        if compared:
            place.input.touch()
        offset, bit = chance.randrange(len(sound)), chance.randrange(8)
        damaged = bytearray(sound)
        damaged[offset] ^= 1 << bit
        place.directory.checkpoint.write_bytes(damaged)
        said = _disturbed(place)
        if said is None:
            assert _answers(place) == expected, f"flip {number}: bit {bit} at {offset}"
        else:
            assert "checkpoint.db" in said or "input" in said, said
            named += 1
    print(f"{named} of {FLIPS} flipped bits were named")  # noqa: T201 -- shown by -s
    assert named


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_18_a_truncated_checkpoint_is_named(place: Place, share: float) -> None:
    """One of no bytes is as good as none, and there are outputs: it is not begun anew silently."""
    path = place.directory.checkpoint
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share))
    calls = len(place.ledger())
    said = _disturbed(place)
    assert said is not None
    assert "checkpoint" in said
    # Where only the end of the last page lacks, it is found when that is read.
    assert len(place.ledger()) == calls or share == 0.99


def test_18_verify_finds_a_flipped_bit_in_every_answer(
    place: Place, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 -- no secret
    sound = place.directory.checkpoint.read_bytes()
    path = tmp_path / "checkpoint.db"
    for answer in _answers(place).values():
        start = sound.index(answer.encode()[:20])
        damaged = bytearray(sound)
        damaged[start + chance.randrange(20)] ^= 1 << chance.randrange(7)
        path.write_bytes(damaged)
        assert any("is not what was written" in problem for problem in checkpoint_problems(path))


@pytest.mark.parametrize("name", ["results.parquet", "errors.parquet"])
def test_19_a_truncated_parquet_file_is_named_and_made_again(place: Place, name: str) -> None:
    path = place.directory.path / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    verification = verify(place.directory)
    assert verification.checkpoint == ()
    (problem,) = verification.outputs
    assert problem.startswith(f"{name} is damaged")
    export_run(place.directory, None, "parquet")
    assert path.read_bytes() == whole
    assert verify(place.directory).sound


def test_20_a_flipped_bit_in_the_data_of_a_parquet_file_is_found_and_mended(
    place: Place, seed: int
) -> None:
    """Every page has its checksum; headers of pages have none, and say nothing of the values."""
    chance = random.Random(seed)  # noqa: S311 -- no secret
    path = place.directory.results
    whole = path.read_bytes()
    column = pq.ParquetFile(path).metadata.row_group(0).column(_column(path, "response"))
    start = column.dictionary_page_offset or column.data_page_offset
    expected, found = pq.read_table(path), 0
    for _ in range(200):
        damaged = bytearray(whole)
        offset = start + chance.randrange(column.total_compressed_size)
        damaged[offset] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        if verify(place.directory).sound:
            assert pq.read_table(path).equals(expected), offset
        else:
            found += 1
    assert found > 50
    export_run(place.directory, None, "parquet")
    assert path.read_bytes() == whole
    assert verify(place.directory).sound


def _column(path: Path, name: str) -> int:
    names: list[str] = pq.ParquetFile(path).schema_arrow.names
    return names.index(name)
