"""Two outcomes of one row, or of one key, of which a merged checkpoint keeps one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace
from typing import Any, NamedTuple

from batcher.checkpoint.encoding import added, carried, decoded_invalid, encoded_invalid
from batcher.recorded import Recorded
from batcher.records import Usage

Row = Sequence[Any]
"""An outcome as SQLite has it, with its checksum."""


class Kept(NamedTuple):
    """What is kept of two outcomes; `aside` is one that was paid, under a key of its own."""

    row: Row
    aside: Row | None = None


def one_of(first: Row, second: Row) -> Kept:
    """Keep one of two outcomes, with what the other took added to it.

    A result counts more than an error, an error of a call more than one without, else the first
    one. Two that are one call count once: then the one is kept that knows of more attempts.
    """
    one, other = Recorded._make(first[:-1]), Recorded._make(second[:-1])
    if _call(one) == _call(other):
        return Kept(second if other.attempts > one.attempts else first)
    won, lost = (second, first) if _weight(other) > _weight(one) else (first, second)
    if one.key == other.key:
        return Kept(carried(won, lost))
    return Kept(won, None if None in (one.key, other.key) else lost)


def both_of(first: Row, second: Row) -> Row:
    """Return one answer of no use for two of a key, with the sums of both; the first one stays.

    As if the second one had been a repair of it.
    """
    one, other = decoded_invalid(first), decoded_invalid(second)
    if one is None or other is None or one == other:
        return first
    usage = Usage(*map(added, astuple(one.completion.usage), astuple(other.completion.usage)))
    return encoded_invalid(
        replace(
            one,
            completion=replace(one.completion, usage=usage),
            repairs=one.repairs + other.answers,
            cost=added(one.cost, other.cost),
        )
    )


def moved(row: Row, to: Row) -> Row:
    """Return an outcome under the row number and the source of another of its key."""
    outcome, place = Recorded._make(row[:-1]), Recorded._make(to[:-1])
    return (*outcome._replace(row=place.row, source=place.source), row[-1])


def _call(outcome: Recorded) -> tuple[object, ...]:
    """Return what tells the last call of an outcome from every other, of its key."""
    return outcome.key, outcome.finished_at, outcome.request_id


def _weight(outcome: Recorded) -> int:
    if outcome.key is None:
        return 0
    return 1 if outcome.error_class is not None else 2
