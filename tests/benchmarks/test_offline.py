"""What is measured without any call."""

from __future__ import annotations

from pathlib import Path

from benchmarks.offline import rate, rates
from benchmarks.process import Cost


def test_a_rate_is_without_the_start_of_the_process() -> None:
    found = rate("reading", 1_000, [Cost(3.0, 2.5, 90), Cost(6.0, 3.5, 90)], Cost(1.0, 0.5, 80))
    assert (found.values, found.note) == ((500, 200), "2000.0 us of CPU a row")


def test_every_ratio_is_measured_by_processes_of_their_own(tmp_path: Path) -> None:
    found = list(rates(400, tmp_path))
    assert len(found) == len({ratio.what for ratio in found}) == 11
    assert all(ratio.values for ratio in found)
    assert (tmp_path / "prompts.parquet.run" / "results.parquet").exists()
