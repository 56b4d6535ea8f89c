"""What `batcher` costs without any call: reading, export, resume, start-up, memory.

    python -m benchmarks.offline              # 1,000,000 rows: about 6 minutes
    python -m benchmarks.offline --quick      # 100,000 rows: under a minute

Each figure is that of a process of its own; rates are without its start. Recording stands for a
run whose calls take no time: rows are read, rendered and recorded as the product does it, in groups
of 256 with an fsync each.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from batcher.runs.directory import RunDirectory
from batcher.runs.export import export_run
from batcher.simulator import SIMULATED_KEY
from benchmarks import material
from benchmarks.process import CommandError, Cost, run_well
from benchmarks.ratios import Ratio, Unit, at_least, at_most, table

ROWS = 1_000_000
QUICK_ROWS = 100_000
# Of the larger run, that is: a run of so much less is what its memory is compared with.
_SCALE = 100
_DONE = 0.99
_FILES = 10
_LEAST_READ = 200_000
_ROUNDS = 3
_CALLED_S = 120.0


def rates(rows: int, folder: Path, *, memory: bool = True) -> Iterator[Ratio]:
    """Measure all, the memory only if asked; yields each ratio when it is known."""
    jsonl, parquet = folder / "prompts.jsonl", folder / "prompts.parquet"
    material.write_jsonl(jsonl, rows)
    material.write_parquet(parquet, rows)
    start = min((_task("start") for _ in range(_ROUNDS)), key=lambda cost: cost.wall_s)
    for name, file in (("JSON Lines", jsonl), ("Parquet", parquet)):
        # A file under several names: with fewer rows the start of a process is all there is.
        names = _links(file, max(1, _LEAST_READ // rows))
        read = [_task("read", *names) for _ in range(2)]
        what = f"reading {name}, with rendering and keys"
        yield rate(what, rows * len(names), read, start)
    if memory:
        yield from _memory(rows, folder, jsonl)
    for name, file in (("JSON Lines", jsonl), ("Parquet", parquet)):
        yield from _export(rows, folder, name, file, start, memory=memory)
    late = min(_first_call_s(folder, jsonl) for _ in range(2))
    fresh = folder / "fresh.jsonl"
    material.write_jsonl(fresh, 10)
    early = min(_first_call_s(folder, fresh) for _ in range(2))
    yield Ratio(
        "first new call, run 99 % done, beyond start-up",
        at_most(1, Unit.SECONDS),
        (late - early,),
        f"{rows:,} rows; start-up {early:.2f} s",
    )
    yield _help()


def rate(what: str, rows: int, costs: Sequence[Cost], start: Cost) -> Ratio:
    """Return how many rows a second processes did, less the `start` of such a process."""
    figures = tuple(rows / (cost.wall_s - start.wall_s) for cost in costs)
    least = (min(cost.cpu_s for cost in costs) - start.cpu_s) / rows * 1e6
    goal = at_least(100_000, Unit.ROWS_A_SECOND)
    return Ratio(what, goal, figures, f"{least:.1f} us of CPU a row")


def _memory(rows: int, folder: Path, jsonl: Path) -> Iterator[Ratio]:
    """Record runs of two sizes, which the export and the resume need as well."""
    small, few = folder / "small.jsonl", rows // _SCALE
    material.write_jsonl(small, few)
    smaller = _task("record", small, few)
    larger = _task("record", jsonl, int(rows * _DONE))
    cpu = larger.cpu_s / (rows * _DONE) * 1e6
    yield Ratio(
        f"peak memory of recording, {rows:,} rows against {few:,}",
        at_most(1.2, Unit.TIMES),
        (larger.peak_mb / smaller.peak_mb,),
        f"{cpu:.0f} us of CPU a row, with start, reading and rendering; no engine",
    )
    yield Ratio("peak memory of recording", at_most(250, Unit.MEGABYTES), (larger.peak_mb,))
    many, once = _task("read", *_links(jsonl, _FILES)), _task("read", jsonl)
    yield Ratio(
        f"peak memory of reading, {rows * _FILES:,} rows against {rows:,}",
        at_most(1.2, Unit.TIMES),
        (many.peak_mb / once.peak_mb,),
        f"{many.peak_mb:.0f} MB",
    )


def _links(file: Path, many: int) -> list[Path]:
    """Return so many names of a file: hard links, for one path given twice would be taken once."""
    names = [file.with_name(f"{file.stem}-{number}{file.suffix}") for number in range(many)]
    for name in names:
        if not name.exists():
            name.hardlink_to(file)
    return names


def _export(
    rows: int, folder: Path, name: str, file: Path, start: Cost, *, memory: bool
) -> Iterator[Ratio]:
    """Export the run of `file`, and for the memory one of a tenth of its rows."""
    done = int(rows * _DONE)
    if not _directory(file).exists():
        _task("record", file, done)
    costs = [_task("export", file) for _ in range(2)]
    yield rate(f"export to Parquet, in row order, input in {name}", done, costs, start)
    if not memory:
        return
    tenth = folder / f"tenth{file.suffix}"
    write = material.write_parquet if file.suffix == ".parquet" else material.write_jsonl
    write(tenth, rows // 10)
    _task("record", tenth, done // 10)
    less, more = _task("export", tenth).peak_mb, max(cost.peak_mb for cost in costs)
    yield Ratio(
        f"peak memory of that export from {name}, {done:,} rows against {done // 10:,}",
        at_most(1.2, Unit.TIMES),
        (more / less,),
        f"{more:.0f} MB",
    )


def _help() -> Ratio:
    python = sys.executable
    times = tuple(
        run_well((python, "-m", "batcher", "--help")).cost.wall_s
        / run_well((python, "-c", "import click")).cost.wall_s
        for _ in range(_ROUNDS)
    )
    return Ratio("batcher --help against `import click`", at_most(2, Unit.TIMES), times)


def _first_call_s(folder: Path, file: Path) -> float:
    """Return the seconds from the start of `batcher run` until it connects for its first call."""
    command = (sys.executable, "-m", "batcher", "run", str(file), "--model", material.MODEL)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(_CALLED_S)
        host, port = server.getsockname()
        since = time.monotonic()
        run = subprocess.Popen(  # noqa: S603 -- our own command
            command,
            cwd=folder,
            env={"ZHIPUAI_BASE_URL": f"http://{host}:{port}", "ZHIPUAI_API_KEY": SIMULATED_KEY},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            server.accept()[0].close()
        except TimeoutError:
            raise CommandError(f"batcher run {file} made no call") from None
        else:
            return time.monotonic() - since
        finally:
            run.kill()
            run.wait()


def _task(name: str, *arguments: object) -> Cost:
    """Do one of `_TASKS` in a process of its own."""
    words = [str(argument) for argument in arguments]
    return run_well((sys.executable, "-m", "benchmarks.offline", "--task", name, *words)).cost


def _directory(file: Path) -> Path:
    return file.with_name(f"{file.name}.run" if file.suffix == ".parquet" else f"{file.stem}.batch")


def _start() -> None:
    """Do nothing: what is imported by then, every task pays for."""


def _read(*files: str) -> None:
    deque(material.prepared(material.job_of(*map(Path, files))), 0)


def _record(file: str, rows: str) -> None:
    material.record_run(Path(file), _directory(Path(file)), int(rows))


def _write(file: str) -> None:
    export_run(RunDirectory(_directory(Path(file))), None, "parquet")


_TASKS: dict[str, Callable[..., None]] = {
    "start": _start,
    "read": _read,
    "record": _record,
    "export": _write,
}


def main() -> None:
    """Print the table, or do one task for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--quick", action="store_true", help=f"the same as --rows {QUICK_ROWS}")
    parser.add_argument("--task", nargs="+", metavar="NAME", help="for the processes it starts")
    options = parser.parse_args()
    if options.task:
        name, *arguments = options.task
        _TASKS[name](*arguments)
        return
    with tempfile.TemporaryDirectory(prefix="offline-") as folder:
        found = rates(QUICK_ROWS if options.quick else options.rows, Path(folder))
        print("\n".join(table(found)))


if __name__ == "__main__":
    main()
