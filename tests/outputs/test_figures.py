"""What the rows of an export say of how they were made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pyarrow as pa

from batcher.outputs.figures import Figures
from batcher.outputs.join import join
from batcher.outputs.layout import layout
from batcher.recorded import Recorded

MakeSchema = Callable[..., pa.Schema]
MakeBatches = Callable[..., Iterator[pa.RecordBatch]]
MakeRecorded = Callable[..., Recorded]

DAY_US = 24 * 3600 * 1_000_000


def test_rows_tokens_costs_and_moments_are_summed_over_all_pieces(
    make_schema: MakeSchema,
    make_batches: MakeBatches,
    answered: MakeRecorded,
    failed: MakeRecorded,
) -> None:
    priced = {"currency": "CNY", "completion_tokens": 2, "cached_tokens": 1}
    outcomes = [
        answered(0, cost=1_500_000_000, finished_at=3 * DAY_US, **priced),
        answered(1, cost=1, finished_at=DAY_US, finish_reason="length", model="other", **priced),
        failed(2, cost=250_000_000, currency="CNY", error_class="invalid_output", repairs=2),
        failed(4, error_class="content_filtered"),
        answered(5, prompt_tokens=None, finished_at=2 * DAY_US, answered_by="duplicate", repairs=1),
    ]
    figures = Figures()
    batches = make_batches([{"prompt": "x"}] * 7, size=2)
    for joined in join(batches, iter(outcomes), layout(make_schema())):
        figures.add(joined)
    assert figures == Figures(
        results=3,
        errors=figures.errors,
        pending=2,
        models=figures.models,
        answered_by=figures.answered_by,
        tokens=figures.tokens,
        truncated=1,
        repairs=3,
        cost=1_750_000_001,
        unpriced=1,
        currency="CNY",
        first=datetime(1970, 1, 2, tzinfo=UTC),
        last=datetime(1970, 1, 4, tzinfo=UTC),
    )
    assert figures.errors == {"invalid_output": 1, "content_filtered": 1}
    assert figures.models == {"glm-4-flash": 2, "other": 1}
    assert figures.answered_by == {"call": 2, "duplicate": 1}
    assert dict(figures.tokens) == {
        "prompt_tokens": 14,
        "completion_tokens": 4,
        "cached_tokens": 2,
        "reasoning_tokens": 0,
    }


def test_a_piece_without_results_counts_what_it_has(
    make_schema: MakeSchema, make_batches: MakeBatches, failed: MakeRecorded
) -> None:
    figures = Figures()
    batches = make_batches([{"prompt": "x"}])
    for joined in join(batches, iter([failed(0)]), layout(make_schema())):
        figures.add(joined)
    assert (figures.results, figures.errors, figures.first) == (0, {"server_error": 1}, None)
