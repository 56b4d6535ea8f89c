"""How many rows a start of a run is about, and how they stand at its end."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from batcher.checkpoint import CheckpointReader
from batcher.inputs import Dataset
from batcher.outputs import Exported
from batcher.runs.rows import open_dataset
from batcher.runs.scope import Scope
from batcher.runs.selection import WHOLE_INPUT, Portion
from batcher.runs.shard import Part, Shard
from tests.simulated import Place


@pytest.fixture
def dataset(place: Place) -> Dataset:
    return open_dataset(place.job(), place.folder, io.BytesIO())


def _exported(records: int) -> Exported:
    return Exported(records, 0, 0, Path("results.parquet"), Path("errors.parquet"))


def test_rows_are_counted_only_where_they_are_drawn(dataset: Dataset) -> None:
    assert Scope.of(WHOLE_INPUT, 1, dataset, None, None).total is None
    assert Scope.of(Portion(limit=3), 1, dataset, None, None).total is None
    drawn = Scope.of(Portion(sample=3), 2, dataset, None, None)
    assert (drawn.rows, drawn.total) == (10, 6)
    assert Scope.of(WHOLE_INPUT, 1, dataset, None, 10).total == 10


def test_an_export_has_counted_them(dataset: Dataset) -> None:
    scope = Scope.of(WHOLE_INPUT, 2, dataset, None, None)
    assert scope.after(_exported(20)).total == 20
    assert scope.after(_exported(20)).rows == 10


def test_a_shard_knows_its_rows_and_keeps_them(dataset: Dataset) -> None:
    part = Part(Shard(2, 4), 10, "")
    scope = Scope.of(WHOLE_INPUT, 1, dataset, part, None)
    assert (scope.rows, scope.total) == (10, len(part.rows))
    assert scope.after(_exported(3)) == scope


def test_what_is_chosen_is_named_while_others_are_left(place: Place, dataset: Dataset) -> None:
    place.run(place.job(ceilings={"max_rows": 4}))
    with CheckpointReader.read(place.directory.checkpoint) as checkpoint:
        first = Scope.of(Portion(limit=3), 1, dataset, None, 10).standing(checkpoint, 3)
        assert (first.pending, first.chosen) == (0, "the first 3 of 10 rows")
        whole = Scope.of(WHOLE_INPUT, 1, dataset, None, 10).standing(checkpoint, 10)
        assert (whole.pending, whole.chosen, whole.counts.rows) == (6, None, 4)
        unknown = Scope.of(WHOLE_INPUT, 1, dataset, None, None).standing(checkpoint, None)
        assert unknown.pending is None
