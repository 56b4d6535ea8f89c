"""Each I/O call of a short run fails, or is the last thing that the process does."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.faults.case import FINISHED, Case, case
from tests.faults.children import Parent
from tests.faults.strace import BROKEN, FULL, KILLED, Point, points, spoiling, spoilt, traced

# Before a call that changes nothing the disk is as it is before the next one that does, so a
# process is killed at these only; they are also the ones that a full disk can refuse.
CHANGING = frozenset({
    *("openat", "mkdir", "write", "pwrite64", "ftruncate", "fallocate", "fsync", "fdatasync"),
    *("rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat"),
})  # fmt: skip
LOOKING = frozenset({
    *("read", "pread64", "lseek", "newfstatat", "fstat", "statx", "statfs", "fstatfs", "access"),
    *("faccessat", "faccessat2", "getdents64", "flock", "close", "chmod", "fchmod", "readlink"),
})  # fmt: skip
SHARDS = 30
KILLED_CODE = -9
# How an I/O error may end a run: unharmed, unable to create its files, or in the middle of it.
STORAGE_CODES = {FINISHED, 73, 74}
# The input is the user's, not ours: where it cannot be read, the usage is wrong.
INPUT_CODES = {*STORAGE_CODES, 2}
DEEP = 3
CHAINS = 40


# What is synced when depends on the clock too, so a call may not come in every run.
TRIES = 4


def _short_run(parent: Parent, folder: Path) -> AbstractContextManager[Case]:
    folder.mkdir()
    return case(parent, folder, rows=6, concurrency=1)


@pytest.fixture(scope="session")
def recorded(parent: Parent, tmp_path_factory: pytest.TempPathFactory) -> list[Point]:
    """Return the I/O calls of a short undisturbed run, in their order."""
    folder = tmp_path_factory.mktemp("recorded")
    with _short_run(parent, folder / "case") as run:
        log = folder / "log"
        trace = f"trace={','.join(sorted(CHANGING | LOOKING))}"
        child = run.start(halted=True, one_thread=True)
        with traced(child, "-y", "-o", str(log), "-e", trace):
            assert run.ended(child) == FINISHED
        return list(points(log, run.folder, CHANGING | LOOKING))


def _spoilt_run(run: Case, point: Point, fault: str) -> int | None:
    """Run until the end with one call spoilt; return the exit code, None if it was not reached."""
    log = run.folder / "strace"
    child = run.start(halted=True, one_thread=True)
    with traced(child, *spoiling(point, fault, log)):
        code = run.ended(child)
    return code if code == KILLED_CODE or spoilt(log) else None


def _complaints(parent: Parent, folder: Path, point: Point, fault: str) -> list[str]:
    """Spoil one call of a run, finish the run, and return what is wrong."""
    for _ in range(TRIES):
        with _short_run(parent, folder) as run:
            code = _spoilt_run(run, point, fault)
            run.finish()
        shutil.rmtree(folder)
        if code is not None:
            break
    allowed = INPUT_CODES if point.path == run.input.name else STORAGE_CODES
    wrong = list(run.complaints)
    if code is None:
        wrong.append("the call was not reached")
    elif fault == KILLED and code != KILLED_CODE:
        wrong.append(f"not killed, but ended with {code}")
    elif fault != KILLED and code not in allowed:
        wrong.append(f"ended with {code}")
    return [f"{point}: {complaint}" for complaint in wrong]


def _sweep(parent: Parent, folder: Path, recorded: list[Point], fault: str) -> None:
    """Spoil each of these calls, of a run of its own."""
    wrong = [
        complaint
        for number, point in enumerate(recorded)
        for complaint in _complaints(parent, folder / str(number), point, fault)
    ]
    assert not wrong, "\n".join(wrong)


def _shard(recorded: list[Point], shard: int, syscalls: frozenset[str]) -> list[Point]:
    chosen = [point for point in recorded if point.syscall in syscalls][shard::SHARDS]
    assert chosen
    print(f"{len(chosen)} calls of {len(recorded)}")  # noqa: T201 -- shown with a failure
    return chosen


def test_01_the_calls_to_be_spoilt_are_those_of_a_whole_run(recorded: list[Point]) -> None:
    """From the first directory to the last line, and what is counted has no gap."""
    # Before the directory is made, only the input is looked for, and what would be in its way.
    first = next(at for at, point in enumerate(recorded) if point.syscall == "mkdir")
    looked = {point.path.partition("/")[0] for point in recorded[:first]}
    assert looked <= {"prompts.jsonl", "prompts.batch"}
    assert recorded[-1].path == "said.out"
    assert {"prompts.batch/results.parquet.tmp", "prompts.batch/checkpoint.db"} <= {
        point.path for point in recorded
    }
    counts = Counter(point.syscall for point in recorded)
    assert len({(point.syscall, point.number) for point in recorded}) == len(recorded)
    assert counts["fdatasync"] + counts["fsync"] > 10
    assert counts["pwrite64"] > 30


@pytest.mark.parametrize("shard", range(SHARDS))
def test_01_killed_at_any_call_that_changes_a_file_nothing_recorded_is_lost(
    parent: Parent, tmp_path: Path, recorded: list[Point], shard: int
) -> None:
    chosen = _shard(recorded, shard, CHANGING)
    _sweep(parent, tmp_path, chosen, KILLED)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_12_an_io_error_at_any_call_ends_in_order_or_does_no_harm(
    parent: Parent, tmp_path: Path, recorded: list[Point], shard: int
) -> None:
    chosen = _shard(recorded, shard, CHANGING | LOOKING)
    _sweep(parent, tmp_path, chosen, BROKEN)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_13_a_disk_full_from_any_call_on_ends_in_order_or_does_no_harm(
    parent: Parent, tmp_path: Path, recorded: list[Point], shard: int
) -> None:
    able = CHANGING - {"unlink", "unlinkat"}
    _sweep(parent, tmp_path, _shard(recorded, shard, able), FULL)


@pytest.mark.parametrize("chain", range(CHAINS))
def test_03_killed_again_and_again_while_it_recovers_a_run_converges(
    parent: Parent, tmp_path: Path, recorded: list[Point], seed: int, chain: int
) -> None:
    chance = random.Random(f"{seed}/recovery/{chain}")  # noqa: S311 -- no secret
    changing = [point for point in recorded if point.syscall in CHANGING]
    with _short_run(parent, tmp_path / "case") as run:
        # The first one leaves something to recover; runs after it have fewer calls to make.
        draws = [chance.choice(changing), *chance.choices(changing[: len(changing) // 2], k=DEEP)]
        codes = [_spoilt_run(run, point, KILLED) for point in draws]
        run.finish()
    assert not run.complaints, (draws, codes, run.complaints)
