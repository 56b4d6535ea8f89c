"""What an export is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from batcher.outputs import Ballot, Material, export, export_votes, votes_of
from batcher.recorded import Recorded


def test_rows_behind_the_batches_are_pending_with_each_of_their_samples(
    tmp_path: Path,
    make_schema: Callable[..., pa.Schema],
    make_batches: Callable[..., Iterator[pa.RecordBatch]],
    answered: Callable[..., Recorded],
) -> None:
    def material() -> Material:
        outcomes = (answered(n, sample=n % 2, id=f"id-{n // 2}") for n in range(3))
        batches = make_batches([{"prompt": "a"}] * 2)
        return Material(make_schema(), batches, outcomes, samples=2, unread=5)

    exported = export(material(), tmp_path)
    assert (exported.results, exported.pending) == (3, 1 + 2 * 5)
    voted = export_votes(material(), tmp_path, votes_of("parquet"), Ballot.on(2, None))
    assert (voted.rows, voted.pending) == (2, 5)
