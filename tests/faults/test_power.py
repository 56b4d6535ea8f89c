"""Loss of power: at every moment of a recorded run, with any of the unsynced sectors there.

Rows 10, 11 and 21 of the matrix. The images are rebuilt from the child's own calls (`disk.py`),
opened with the product, and searched for the rows it had called safe.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from batcher.checkpoint import Checkpoint, checkpoint_problems
from batcher.errors import StorageError
from batcher.recorded import record as flat
from tests.faults.disk import Disk, Operation, build
from tests.faults.recorded import outcome
from tests.faults.recording import record

ROOT = Path(__file__).parents[2]
# (rows, characters an answer): many small commits; and a log that is moved into the database.
RUNS = {"small": (60, 100), "long log": (88, 60_000)}
# Memory, so that syncing the images costs nothing.
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 -- made private below
Files = dict[str, bytes]


def _recorded(folder: Path, run: str, *options: str) -> list[Operation]:
    rows, size = RUNS[run]
    directory = folder / "run"
    directory.mkdir()
    child = [sys.executable, "-m", "tests.faults.recorded", str(directory / "checkpoint.db")]
    sizes = ["--rows", str(rows), "--size", str(size)]
    # `-m` finds the tests in the repository.
    return record(["env", f"PYTHONPATH={ROOT}", *child, *sizes, *options], directory, folder)


def _moments(
    operations: list[Operation], images: Callable[[Disk], Iterator[Files]], every: int
) -> Iterator[tuple[set[int], Files]]:
    """Yield images after every so many operations, each with the rows that were safe by then."""
    disk, safe = Disk({}), set[int]()
    last: Files | None = None
    for number, operation in enumerate(operations):
        if operation.kind == "ack":
            safe.add(int(operation.path))
        else:
            disk.do(operation)
        # Around a sync something is always at stake.
        if number % every and operation.kind not in ("sync", "ack", "unlink"):
            continue
        for files in islice(images(disk), 1 if operation.kind == "ack" else None):
            if files != last or operation.kind == "ack":
                yield set(safe), files
            last = files


def _lost(directory: Path, safe: set[int], size: int) -> set[int]:
    """Return the safe rows that are not in the checkpoint of `directory` as they were."""
    path = directory / "checkpoint.db"
    try:
        with Checkpoint.open(path, shared=False) as checkpoint:
            found = {recorded.row: recorded for recorded in checkpoint.outcomes()}
            # It goes on as if nothing had been.
            checkpoint.write([outcome(10_000, size)])
    except StorageError:
        return safe
    assert list(checkpoint_problems(path)) == []
    return {row for row in safe if found.get(row) != flat(outcome(row, size))}


def _all_lost(
    operations: list[Operation],
    folder: Path,
    run: str,
    images: Callable[[Disk], Iterator[Files]],
    every: int = 1,
) -> tuple[int, set[int]]:
    """Return how many images were opened, and every row that one of them has lost."""
    lost: set[int] = set()
    opened = 0
    for safe, files in _moments(operations, images, every):
        opened += 1
        with TemporaryDirectory(dir=FAST) as image:
            build(files, folder / "run", Path(image))
            lost |= _lost(Path(image), safe, RUNS[run][1])
    return opened, lost


def _ends(disk: Disk) -> Iterator[Files]:
    """What is surely there, and what programs see."""
    yield disk.safe()
    yield disk.seen()


@pytest.mark.parametrize("run", RUNS)
def test_10_no_row_that_was_called_safe_is_lost_whenever_the_power_goes(
    tmp_path: Path, run: str
) -> None:
    operations = _recorded(tmp_path, run)
    acks = [operation for operation in operations if operation.kind == "ack"]
    assert len(acks) == RUNS[run][0]
    images, lost = _all_lost(operations, tmp_path, run, _ends, every=1 if run == "small" else 60)
    print(f"{len(operations)} operations, {images} images")  # noqa: T201 -- shown by -s
    assert lost == set()
    assert images > len(acks)


@pytest.mark.parametrize("run", RUNS)
def test_11_torn_and_reordered_writes_leave_what_was_called_safe(
    tmp_path: Path, run: str, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 -- no secret

    def torn(disk: Disk) -> Iterator[Files]:
        yield disk.torn(chance)
        yield disk.torn(chance)

    operations = _recorded(tmp_path, run)
    images, lost = _all_lost(operations, tmp_path, run, torn, every=3 if run == "small" else 60)
    assert lost == set()
    assert images > RUNS[run][0]


@pytest.mark.parametrize(("run", "without"), [("small", "sync"), ("long log", "synchronous")])
def test_10_a_checkpoint_that_does_not_sync_is_caught(
    tmp_path: Path, run: str, without: str
) -> None:
    """The harness can fail: without the log's fsync, or with SQLite's synchronous=OFF."""
    operations = _recorded(tmp_path, run, "--without", without)
    _, lost = _all_lost(operations, tmp_path, run, _ends, every=25)
    assert lost


def _batcher(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "batcher", *arguments]


def test_21_a_published_file_is_the_old_one_or_the_new_one_whenever_the_power_goes(
    tmp_path: Path, seed: int
) -> None:
    """Also where a rename has not reached the disk, or has before all else."""
    chance = random.Random(seed)  # noqa: S311 -- no secret
    directory = tmp_path / "prompts.batch"
    run = _batcher("run", "prompts.jsonl", "--simulate", "--sim-latency", "0", "--yes")
    rows = [f'{{"id": "id-{n}", "prompt": "Say {n}."}}\n' for n in range(20)]
    (tmp_path / "prompts.jsonl").write_text("".join(rows[:10]))
    subprocess.run(run, cwd=tmp_path, check=True, capture_output=True)  # noqa: S603 -- our own command
    before = {str(path): path.read_bytes() for path in directory.iterdir()}
    (tmp_path / "prompts.jsonl").write_text("".join(rows))
    operations = record(run, directory, tmp_path)
    after = {str(path): path.read_bytes() for path in directory.iterdir()}
    disk = Disk(before)
    seen = set()
    for operation in operations:
        if operation.kind == "ack":
            continue
        disk.do(operation)
        for files in (disk.safe(), disk.seen(), disk.torn(chance), disk.torn(chance)):
            for name in ("results.parquet", "errors.parquet"):
                path = str(directory / name)
                assert files[path] in (before[path], after[path])
                seen.add((name, files[path] == after[path]))
    assert ("results.parquet", False) in seen
    assert ("results.parquet", True) in seen
    assert (
        disk.safe()[str(directory / "results.parquet")] == after[str(directory / "results.parquet")]
    )
