"""What the rows of an export say of how they were made, folded batch by batch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from batcher.money import NANOS
from batcher.outputs.join import Joined

_TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")


@dataclass(slots=True)
class Figures:
    """Sums over results and errors.

    `cost` is in nanos of `currency`; of `unpriced` results it is not known, and not in it.
    `truncated` results were cut at `max_tokens`; `repairs` were asked for again. `answered_by`
    counts the results by where they come from. `first` and `last` are moments of results in UTC.
    """

    results: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    pending: int = 0
    models: Counter[str] = field(default_factory=Counter)
    answered_by: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    truncated: int = 0
    repairs: int = 0
    cost: int = 0
    unpriced: int = 0
    currency: str | None = None
    first: datetime | None = None
    last: datetime | None = None

    def add(self, joined: Joined) -> None:
        """Count a piece of the export."""
        self.pending += joined.pending
        if joined.results is not None:
            self._add_results(joined.results)
        if joined.errors is not None:
            _count(self.errors, joined.errors.column("error_class"))
            self._add_cost(joined.errors)

    def _add_results(self, batch: pa.RecordBatch) -> None:
        self.results += batch.num_rows
        _count(self.models, batch.column("model"))
        _count(self.answered_by, batch.column("answered_by"))
        reasons = Counter[str]()
        _count(reasons, batch.column("finish_reason"))
        self.truncated += reasons["length"]
        for name in _TOKENS:
            self.tokens[name] += _sum(batch, name)
        self.unpriced += batch.column("cost").null_count
        self._add_cost(batch)
        moments = batch.column("finished_at").cast(pa.int64())
        first, last = _moment(pc.min(moments).as_py()), _moment(pc.max(moments).as_py())
        self.first = first if self.first is None else min(first, self.first)
        self.last = last if self.last is None else max(last, self.last)

    def _add_cost(self, batch: pa.RecordBatch) -> None:
        self.repairs += _sum(batch, "repairs")
        costs: list[float | None] = batch.column("cost").to_pylist()
        self.cost += sum(round(cost * NANOS) for cost in costs if cost is not None)
        if self.currency is None:
            currencies: Any = pc.drop_null(batch.column("currency"))
            self.currency = currencies[0].as_py() if len(currencies) else None


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC)


def _sum(batch: pa.RecordBatch, name: str) -> int:
    return pc.sum(batch.column(name)).as_py() or 0


def _count(counter: Counter[str], column: pa.Array[Any]) -> None:
    counter.update(value for value in column.to_pylist() if value is not None)
