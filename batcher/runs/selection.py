"""Which rows a start of a run is about, and how many answers each of them gets.

Not part of what a run is, but for the shard: the same command with another limit or sample, or the
whole, goes on.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from batcher.checkpoint import RowSet
from batcher.errors import UsageError
from batcher.inputs import Dataset
from batcher.runs.shard import Part, Shard
from batcher.wording import counted


@dataclass(frozen=True, slots=True)
class Portion:
    """The rows that a user wants to try first: the first `limit`, or `sample` drawn by `seed`.

    Of an input, or of a `shard` of it.

    Raises:
        UsageError: both are given, or a seed for nothing to draw, or what is no number of rows.
    """

    limit: int | None = None
    sample: int | None = None
    seed: int | None = None
    shard: Shard | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all rows of the input, or of the shard, are meant."""
        return self.limit is None and self.sample is None

    def __post_init__(self) -> None:
        for name, least in (("limit", 1), ("sample", 1), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < least):
                raise UsageError(f"{name} is {value!r}; write a whole number from {least}")
        if self.limit is not None and self.sample is not None:
            raise UsageError("--limit and --sample choose different rows; give one of the two")
        if self.seed is not None and self.sample is None:
            raise UsageError("--seed goes with --sample N, which draws N rows by it")


WHOLE_INPUT = Portion()


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of an input, with `samples` records each: those before `stop`, if drawn, the `drawn`.

    All of them are rows of the `part`, if there is one. Sample s of row r is the record numbered
    r * samples + s.
    """

    samples: int = 1
    stop: int | None = None
    drawn: RowSet | None = None
    seed: int = 0
    part: Part | None = None

    @classmethod
    def of(
        cls, portion: Portion, samples: int, rows: int | None, part: Part | None = None
    ) -> Selection:
        """Select what was chosen of `rows`, or of a `part` of them.

        None is a number of rows only where nothing is drawn of them.
        """
        if portion.sample is None:
            if part is None:
                return cls(samples, portion.limit)
            size = len(part.rows) if portion.limit is None else portion.limit
            return cls(samples, min(part.rows.start + size, part.rows.stop), part=part)
        if rows is None:
            raise TypeError("rows are drawn of a known number")
        seed = portion.seed or 0
        within = part.rows if part else range(rows)
        drawn = draw(len(within), portion.sample, seed, within.start)
        last = drawn.last()
        return cls(samples, within.start if last is None else last + 1, drawn, seed, part)

    @property
    def start(self) -> int:
        """The lowest row that can be among them."""
        return self.part.rows.start if self.part else 0

    @property
    def is_whole(self) -> bool:
        """Whether they are all rows of the input, or of the part, however many there are."""
        whole = self.part.rows.stop if self.part else None
        return self.drawn is None and self.stop == whole

    def __contains__(self, row: int) -> bool:
        """Whether the row of this number is among them."""
        if self.drawn is not None:
            return row in self.drawn
        return self.start <= row and (self.stop is None or row < self.stop)

    def is_over(self, row: int) -> bool:
        """Whether neither this row nor any behind it is among them."""
        return self.stop is not None and row >= self.stop

    def records(self, row: int) -> range:
        """Return the numbers of a row's records."""
        return range(row * self.samples, (row + 1) * self.samples)

    def row_of(self, record: int) -> int:
        """Return the row that a record is of."""
        return record // self.samples

    def size(self, rows: int) -> int:
        """Count the records of them, in an input of so many `rows`."""
        return self.samples * self._chosen(rows)

    def held(self, done: RowSet) -> int:
        """Count those of their records that are in `done`."""
        if self.drawn is not None:
            return sum(record in done for row in self.drawn for record in self.records(row))
        before = done.count_before(self.start * self.samples)
        held = len(done) if self.stop is None else done.count_before(self.stop * self.samples)
        return held - before

    def named(self, rows: int) -> str | None:
        """Say in words which of so many `rows` they are; None where they are all."""
        chosen = self._chosen(rows)
        of, where = rows, ""
        if self.part is not None:
            of, where = len(self.part.rows), f" of {self.part.shard}"
        if chosen == of:
            return None
        if self.drawn is not None:
            return f"{chosen:,} of {counted(of, 'row')}{where}, drawn with the seed {self.seed}"
        return f"the first {chosen:,} of {counted(of, 'row')}{where}"

    def _chosen(self, rows: int) -> int:
        if self.drawn is not None:
            return len(self.drawn)
        return (rows if self.stop is None else min(rows, self.stop)) - self.start


ALL_ROWS = Selection()


def selection_of(portion: Portion, samples: int, dataset: Dataset) -> Selection:
    """Select rows of an input, whose rows are counted only where that is needed.

    Raises:
        InputError: a file cannot be read.
    """
    if portion.sample is None and portion.shard is None:
        return Selection.of(portion, samples, None)
    # One reading more, but no parsing.
    rows = dataset.count()
    part = Part(portion.shard, rows, "") if portion.shard else None
    return Selection.of(portion, samples, rows, part)


def draw(rows: int, sample: int, seed: int, first: int = 0) -> RowSet:
    """Draw `sample` of the `rows` from `first` on without replacement, or all if there are fewer.

    The same seed draws the same rows, on every machine; and a larger sample holds the smaller.
    """
    drawn = RowSet()
    if sample >= rows:
        drawn.add_range(first, first + rows)
        return drawn
    # Of all that `random` draws, only this stays the same in later versions of Python.
    fraction = random.Random(seed).random  # noqa: S311 -- no secret
    while len(drawn) < sample:
        drawn.add(first + int(fraction() * rows))
    return drawn
