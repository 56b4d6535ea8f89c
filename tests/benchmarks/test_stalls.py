"""The table of stalls and peaks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.stalls import CASES, Case, Seen, ratios, write_input

TINY = Case("tiny", 6, prompt_bytes=300)
SEEN = Seen(TINY, 0.06, 0.02, 0.03, 0.01, 420.0, 1.5, "x.py:f (3)")


@pytest.mark.parametrize("group_rows", [0, 2])
def test_prompts_have_their_size_and_differ(tmp_path: Path, group_rows: int) -> None:
    path = write_input(replace(TINY, group_rows=group_rows), tmp_path)
    if group_rows:
        assert pq.ParquetFile(path).num_row_groups == 3
        texts = [str(text) for text in pq.read_table(path).column("prompt").to_pylist()]
    else:
        texts = [json.loads(line)["prompt"] for line in path.read_text().splitlines()]
    assert [len(text) for text in texts] == [300] * 6
    assert len(set(texts)) == 6


def test_a_case_has_a_stall_and_a_peak_with_their_goals() -> None:
    stall, peak = ratios([SEEN])
    assert (stall.verdict, peak.verdict) == ("SHORT", "met")
    assert stall.values == (0.06,)
    assert peak.values == (420.0,)


def test_a_line_has_every_figure() -> None:
    expected = ("tiny", "6", "60.0", "20.0", "30.0", "10.0", "420", "1.5", "x.py:f (3)")
    assert SEEN.cells() == expected


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
