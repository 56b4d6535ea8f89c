"""What a row costs, worked out from clocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.costs import Part, cost, lines, parts


def test_a_cost_is_the_least_of_its_rounds_for_each_row() -> None:
    moments = iter([0.0, 9.0, 10.0, 12.0, 20.0, 27.0])
    done: list[None] = []
    figure = cost(lambda: done.append(None), 4, rounds=3, clock=lambda: next(moments))
    assert figure == pytest.approx(500_000)
    assert len(done) == 3


def test_the_table_has_a_line_for_each_part() -> None:
    assert list(lines([Part("key", 1.25), Part("record", 31.5, "with an fsync")])) == [
        "part    us a row",
        "key         1.25",
        "record     31.50  with an fsync",
    ]


def test_every_part_of_the_way_is_measured(tmp_path: Path) -> None:
    found = list(parts(40, tmp_path))
    assert [part.name for part in found] == [
        *("read JSON Lines", "read Parquet", "render", "key", "encode", "decode", "send"),
        *("record", "export, input in JSON Lines", "export, input in Parquet", "whole run"),
    ]
    assert (tmp_path / "Parquet.batch" / "results.parquet").exists()
