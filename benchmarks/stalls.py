"""How long the event loop stands still, and how much memory large rows take.

    python benchmarks/stalls.py [--only TEXT] [--slow-disk]

Each case is the whole `batcher run` against a load server, 512 calls in flight, 50 ms a call, with
a watch on its loop (benchmarks/watched.py). A stall is a turn of the loop: the time between two
looks at its sockets. Its CPU is told beside it, and that of the busiest turn, since on a busy
machine the rest may be a wait for a core. With --slow-disk, strace lets every fsync take 200 ms,
so that one on the loop shows.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.load_server import serving
from benchmarks.process import run_well
from benchmarks.ratios import Ratio, Unit, aligned, at_most, table

_HERE = Path(__file__).parent
_MB = 1_000_000
IN_FLIGHT = 512
_LATENCY_MS = 50
_KEY = "benchmark-id.benchmark-secret"
LONGEST_STALL = at_most(0.05, Unit.SECONDS)
# Far below 512 answers of 10 MB; what one answer takes is one answer, however many are in flight.
PEAK = at_most(600, Unit.MEGABYTES)
_SLOW_DISK = (
    *("strace", "-f", "-qq", "-o", "/dev/null", "--seccomp-bpf", "-e", "trace=fsync,fdatasync"),
    *("-e", "inject=fsync,fdatasync:delay_enter=200000"),
)
_HEADER = (
    "case",
    "rows",
    "stall ms",
    "of it cpu",
    "busiest cpu",
    "99.9 %",
    "peak MB",
    "cpu s",
    "seen",
)


@dataclass(frozen=True, slots=True)
class Case:
    """A run to be watched: so many rows with prompts and answers of so many bytes.

    Attributes:
        options: Further options of `batcher run`.
        group_rows: Rows in a row group where the input is Parquet; 0 makes it JSON Lines.
    """

    name: str
    rows: int
    prompt_bytes: int = 200
    answer_bytes: int = 700
    options: tuple[str, ...] = ()
    group_rows: int = 0


CASES = (
    Case("small rows", 5_000),
    Case("--max-cost", 5_000, options=("--max-cost", "500CNY", "-p", "max_tokens=1000")),
    Case("answers of 10 MB", 100, answer_bytes=10 * _MB),
    Case("prompts of 1 MB", 200, prompt_bytes=_MB),
    Case("Parquet, one group", 20_000, prompt_bytes=5_000, group_rows=20_000),
    Case("Parquet, 1 MB rows", 200, prompt_bytes=_MB, group_rows=200),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a watch reported of a case; seconds and MiB."""

    case: Case
    stall_s: float
    stall_cpu_s: float
    busiest_s: float
    usual_s: float
    peak_mb: float
    cpu_s: float
    doing: str

    def cells(self) -> tuple[str, ...]:
        """Return the case's line of the table."""
        return (
            self.case.name,
            f"{self.case.rows:,}",
            f"{self.stall_s * 1000:.1f}",
            f"{self.stall_cpu_s * 1000:.1f}",
            f"{self.busiest_s * 1000:.1f}",
            f"{self.usual_s * 1000:.1f}",
            f"{self.peak_mb:,.0f}",
            f"{self.cpu_s:.1f}",
            self.doing,
        )


def write_input(case: Case, folder: Path) -> Path:
    """Write the prompts of a case; return their file."""
    texts = _texts(case)
    if not case.group_rows:
        path = folder / "prompts.jsonl"
        with path.open("w") as file:
            file.writelines(json.dumps({"prompt": text}) + "\n" for text in texts)
        return path
    path = folder / "prompts.parquet"
    schema = pa.schema([("prompt", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        prompts = list(texts)
        writer.write_table(pa.table({"prompt": prompts}, schema), row_group_size=case.group_rows)
    return path


def _texts(case: Case) -> Iterator[str]:
    """Yield prompts that differ and do not compress to nothing."""
    for number in range(case.rows):
        noise = random.Random(number).randbytes(min(case.prompt_bytes, 5_000) // 2).hex()  # noqa: S311 -- no secret
        yield (f"Row {number}: " + noise * (case.prompt_bytes // max(len(noise), 1)))[
            : case.prompt_bytes
        ]


def measure(case: Case, *, folder: Path | None = None, slow_disk: bool = False) -> Seen:
    """Run a case."""
    with (
        tempfile.TemporaryDirectory(dir=folder) as place,
        serving(_LATENCY_MS, None, case.answer_bytes) as server,
    ):
        folder, report = Path(place), Path(place) / "report.json"
        asked = ("run", str(write_input(case, folder)), "-m", "glm-4.7", "-c", str(IN_FLIGHT))
        run_well(
            [
                *(_SLOW_DISK if slow_disk else ()),
                *(sys.executable, str(_HERE / "watched.py"), str(report)),
                *(*asked, "--base-url", server.base_url, "-o", str(folder / "out"), *case.options),
            ],
            variables={
                "ZHIPUAI_API_KEY": "0123456789.abcdefghijkl",
                "PYTHONPATH": str(_HERE.parent),
            },
        )
        seen = json.loads(report.read_text())
    longest = seen["longest"]
    doing = "; ".join(f"{place} ({times})" for place, times in longest["doing"])
    return Seen(
        case,
        longest["wall_s"],
        longest["cpu_s"],
        seen["busiest"]["cpu_s"],
        seen["usual_s"],
        seen["peak_mb"],
        seen["cpu_s"],
        doing,
    )


def lines(seen: Sequence[Seen]) -> list[str]:
    """Return the table of what was seen."""
    return list(aligned([_HEADER, *(one.cells() for one in seen)]))


def ratios(seen: Sequence[Seen]) -> Iterator[Ratio]:
    """Yield what is to be reached, and what was."""
    for one in seen:
        yield Ratio(f"longest stall, {one.case.name}", LONGEST_STALL, (one.stall_s,))
    for one in seen:
        yield Ratio(f"peak memory, {one.case.name}", PEAK, (one.peak_mb,))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name has TEXT")
    parser.add_argument("--folder", type=Path, help="where runs are made [a temporary one]")
    parser.add_argument("--slow-disk", action="store_true", help="200 ms for each fsync")
    asked = parser.parse_args()
    chosen = [case for case in CASES if asked.only in case.name]
    seen = [measure(case, folder=asked.folder, slow_disk=asked.slow_disk) for case in chosen]
    print(*lines(seen), "", *table(ratios(seen)), sep="\n")


if __name__ == "__main__":
    main()
