"""Outcomes as the rows of SQLite, each with its checksum, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from batcher.checkpoint.checksum import checksum
from batcher.checkpoint.schema import SUMMED
from batcher.recorded import Recorded, record
from batcher.records import Outcome

# The source follows the input, and so does the row number, which comes first.
_SOURCE = Recorded._fields.index("source")


def encoded(outcome: Outcome) -> tuple[object, ...]:
    """Flatten an outcome; text that is not valid Unicode is escaped, never lost."""
    flat: tuple[object, ...] = record(outcome)
    try:
        return (*flat, _checksum(flat))
    except UnicodeEncodeError:
        flat = tuple(
            value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
            for value in flat
        )
        return (*flat, _checksum(flat))


def decoded(row: Sequence[Any]) -> Recorded | None:
    """Return the outcome of a row, or None if its bytes are not those that were written."""
    flat = row[:-1]
    return Recorded._make(flat) if _checksum(flat) == row[-1] else None


def carried(row: Sequence[Any], earlier: Sequence[Any]) -> tuple[object, ...]:
    """Return an outcome's `row`, with what the `earlier` outcome of the same row took added to it.

    Tries, tokens and money were spent, whatever came of them: the sums of a run never fall. What
    is damaged of the earlier outcome is lost, the new one is not.
    """
    before = decoded(earlier)
    if before is None:
        return tuple(row)
    now = Recorded._make(row[:-1])
    sums: dict[str, Any] = {
        name: _sum(getattr(before, name), getattr(now, name)) for name in SUMMED
    }
    flat = now._replace(currency=now.currency or before.currency, **sums)
    return (*flat, _checksum(flat))


def _sum(before: int | None, now: int | None) -> int | None:
    """Add two amounts; None is an unknown one."""
    return now if before is None else before + (now or 0)


def failed_attempts(outcomes: Iterable[Outcome]) -> Iterator[tuple[object, ...]]:
    """Yield the rows of `failed_attempts` that outcomes bring with them."""
    for outcome in outcomes:
        for attempt in outcome.attempts:
            if attempt.problem is not None:
                yield (
                    outcome.key,
                    attempt.number,
                    attempt.request_id,
                    round(attempt.started_at * 1_000_000),
                    attempt.latency,
                    attempt.problem.error_class.value,
                    attempt.problem.code,
                    attempt.problem.http_status,
                )


def _checksum(flat: Sequence[object]) -> int:
    return checksum((flat[1:_SOURCE], flat[_SOURCE + 1 :]))
