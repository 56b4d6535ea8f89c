"""Two outcomes of one row, or of one key, of which a merged checkpoint keeps one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from batcher.recorded import Recorded

Row = Sequence[Any]
"""An outcome as SQLite has it, with its checksum."""


class Kept(NamedTuple):
    """What is kept of two outcomes; `aside` is one that was paid, under a key of its own."""

    row: Row
    aside: Row | None = None


def one_of(first: Row, second: Row) -> Kept:
    """Keep one of two outcomes; what was spent on both is known elsewhere (`shares`).

    A result counts more than an error, an error of a call more than one without, else the first
    one.
    """
    one, other = Recorded._make(first[:-1]), Recorded._make(second[:-1])
    won, lost = (second, first) if _weight(other) > _weight(one) else (first, second)
    return Kept(won, None if one.key == other.key or None in (one.key, other.key) else lost)


def moved(row: Row, to: Row) -> Row:
    """Return an outcome under the row number and the source of another of its key."""
    outcome, place = Recorded._make(row[:-1]), Recorded._make(to[:-1])
    return (*outcome._replace(row=place.row, source=place.source), row[-1])


def _weight(outcome: Recorded) -> int:
    if outcome.key is None:
        return 0
    return 1 if outcome.error_class is not None else 2
