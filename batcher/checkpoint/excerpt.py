"""Some outcomes out of many, for people to look at."""

from __future__ import annotations

import contextlib
import heapq
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from batcher.checkpoint import schema
from batcher.checkpoint.connection import connected, translated
from batcher.checkpoint.recall import recalled
from batcher.errors import ErrorClass
from batcher.recorded import Recorded

# The sample comes from so many places of the run: to read the input at each of its rows would take
# long.
_PLACES = 20
_FETCHED = 4096

_Ranked = tuple[float, int]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Outcomes of one moment: `failed` by class, and a `sample` from all over the run.

    `slowest` results took longest to be answered, `longest` ones have the most tokens; the first
    has the most.
    """

    failed: Mapping[ErrorClass, Sequence[Recorded]]
    slowest: Sequence[Recorded]
    longest: Sequence[Recorded]
    sample: Sequence[Recorded]

    @classmethod
    def of(cls, path: Path, *, each: int, sample: int, check: Callable[[], None]) -> Excerpt:
        """Read `each` errors of a class, slowest and longest results, and a sample of such a size.

        Goes once through all outcomes, but not through their texts; `check` is called on the way.

        Raises:
            StorageError: there is no checkpoint at `path`, or it is damaged.
        """
        with _reading(path) as table:
            slowest, longest = table.extremes(each, check)
            return cls(
                {found: table.failed(found, each) for found in table.error_classes()},
                table.of_rows(slowest),
                table.of_rows(longest),
                table.spread(sample),
            )


def first_errors(path: Path) -> Mapping[ErrorClass, Recorded]:
    """Return the first row that ended in each class of error.

    Raises:
        StorageError: there is no checkpoint at `path`, or it is damaged.
    """
    with _reading(path) as table:
        return {found: table.failed(found, 1)[0] for found in table.error_classes()}


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[_Outcomes]:
    """Read all at one moment, whatever is recorded meanwhile."""
    with translated(path), connected(path) as connection:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        yield _Outcomes(connection, path)


@dataclass(frozen=True, slots=True)
class _Outcomes:
    connection: sqlite3.Connection
    path: Path

    def error_classes(self) -> Sequence[ErrorClass]:
        found = self.connection.execute(
            "SELECT error_class FROM totals WHERE error_class != '' AND rows > 0 "
            "GROUP BY error_class"
        )
        return [ErrorClass(name) for (name,) in found]

    def failed(self, error_class: ErrorClass, most: int) -> Sequence[Recorded]:
        return self._read("WHERE error_class = ? ORDER BY row LIMIT ?", error_class.value, most)

    def extremes(self, most: int, check: Callable[[], None]) -> tuple[Sequence[int], Sequence[int]]:
        """Return the rows of the results that took longest, and of those with the most tokens."""
        slowest: list[_Ranked] = []
        longest: list[_Ranked] = []
        found = self.connection.execute(
            "SELECT row, latency_s, completion_tokens FROM outcomes WHERE error_class IS NULL"
        )
        while rows := found.fetchmany(_FETCHED):
            check()
            slowest = _largest(
                most, slowest, [(took, row) for row, took, _ in rows if took is not None]
            )
            longest = _largest(
                most, longest, [(long, row) for row, _, long in rows if long is not None]
            )
        return [row for _, row in slowest], [row for _, row in longest]

    def of_rows(self, rows: Sequence[int]) -> Sequence[Recorded]:
        """Return the outcomes of `rows`, in their order."""
        places = ", ".join("?" * len(rows))
        found = {one.row: one for one in self._read(f"WHERE row IN ({places})", *rows)}
        return [found[row] for row in rows]

    def spread(self, most: int) -> Sequence[Recorded]:
        """Return at most so many outcomes, from places all over the run."""
        (last,) = self.connection.execute("SELECT max(row) FROM outcomes").fetchone()
        if last is None:
            return []
        found: list[Recorded] = []
        for place in range(_PLACES):
            first = (last + 1) * place // _PLACES
            if found:
                first = max(first, found[-1].row + 1)
            found += self._read("WHERE row >= ? ORDER BY row LIMIT ?", first, most // _PLACES)
        return found

    def _read(self, which: str, *values: object) -> list[Recorded]:
        found = self.connection.execute(f"SELECT {schema.COLUMNS} FROM outcomes {which}", values)
        return [recalled(self.path, row) for row in found]


def _largest(most: int, one: Sequence[_Ranked], other: Sequence[_Ranked]) -> list[_Ranked]:
    return heapq.nlargest(most, [*one, *other])
