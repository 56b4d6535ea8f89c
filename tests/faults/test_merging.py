"""A merge that is killed, or whose disk fails, at any of its calls of the system."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from batcher.checkpoint import CheckpointReader
from batcher.runs.directory import RunDirectory
from batcher.runs.verify import verify
from tests.faults.children import ENVIRONMENT, Child, Parent
from tests.faults.parent import Order
from tests.faults.strace import BROKEN, FULL, KILLED, Point, points, spoiling, traced

CHANGING = ("pwrite64", "write", "fsync", "fdatasync", "ftruncate", "rename", "unlink", "link")
ROWS, KILLED_CODE, IO_ERROR = 40, -9, 74
# Of calls that do the same again and again, so many are tried.
SAME = 6


def _start(parent: Parent, folder: Path, *arguments: str, halted: bool = False) -> Child:
    output = str(folder / "output")
    order = Order(
        arguments=list(arguments),
        output=output,
        environment=ENVIRONMENT,
        halted=halted,
        one_thread=halted,
    )
    return parent.start(order)


def _merge(parent: Parent, folder: Path, *, halted: bool = False) -> Child:
    shards = [str(folder / name) for name in ("1", "2")]
    return _start(parent, folder, "merge", *shards, "-o", str(folder / "all"), halted=halted)


@pytest.fixture(scope="module")
def prepared(parent: Parent, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two shards; the second one went on after they were merged into `all`."""
    folder = tmp_path_factory.mktemp("shards")
    prompts = folder / "prompts.jsonl"
    rows = ({"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(ROWS))
    prompts.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    def run(number: int, *options: str) -> int:
        place = ("-o", str(folder / str(number)), "--shard", f"{number}/2", "--no-report")
        simulator = ("--simulate", "--sim-latency", "0")
        child = _start(parent, folder, "run", str(prompts), *place, *simulator, *options)
        return child.wait()

    assert (run(1), run(2, "--max-rows", "5")) == (0, 75)
    assert _merge(parent, folder).wait() == 75
    assert run(2) == 0
    return folder


@pytest.fixture(scope="module")
def calls(parent: Parent, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Point]:
    """Return the calls of an undisturbed merge, made anew, that change files of its directory."""
    folder = _copied(prepared, tmp_path_factory.mktemp("recorded"))
    log = folder / "log"
    child = _merge(parent, folder, halted=True)
    with traced(child, "-y", "-o", str(log), "-e", f"trace={','.join(CHANGING)}"):
        assert child.wait() == 0
    chosen: dict[tuple[str, str], list[Point]] = {}
    for point in points(log, folder / "all", CHANGING):
        chosen.setdefault((point.syscall, point.path), []).append(point)
    return [point for same in chosen.values() for point in same[:: max(1, len(same) // SAME)]]


def _copied(prepared: Path, folder: Path) -> Path:
    for name in ("1", "2", "all"):
        shutil.copytree(prepared / name, folder / name)
    return folder


@pytest.mark.parametrize("fault", [KILLED, BROKEN, FULL])
def test_a_merge_that_was_broken_off_left_the_one_before_or_is_whole(
    parent: Parent, prepared: Path, calls: list[Point], tmp_path: Path, fault: str
) -> None:
    """And the same command makes it whole."""
    assert {"fsync", "rename", "pwrite64"} <= {point.syscall for point in calls}
    wrong = []
    for number, point in enumerate(calls):
        folder = tmp_path / str(number)
        folder.mkdir()
        _copied(prepared, folder)
        child = _merge(parent, folder, halted=True)
        with traced(child, *spoiling(point, fault, folder / "strace")):
            code = child.wait()
        all_ = RunDirectory(folder / "all")
        with CheckpointReader.read(all_.checkpoint) as checkpoint:
            rows = len(checkpoint.done())
        again = _merge(parent, folder).wait()
        sound = verify(all_).sound and pq.read_metadata(all_.results).num_rows == ROWS
        left = [path.name for path in all_.path.iterdir() if "merging" in path.name]
        expected = {KILLED_CODE} if fault == KILLED else {0, IO_ERROR, 73}
        if (code not in expected) or rows not in (25, ROWS) or again or not sound or left:
            wrong.append((str(point), code, rows, again, sound, left, child.err))
        shutil.rmtree(folder)
    assert wrong == []
