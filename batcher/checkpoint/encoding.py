"""Outcomes and invalid answers as the rows of SQLite, each with its checksum, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from typing import Any

from batcher.checkpoint.checksum import checksum
from batcher.checkpoint.schema import SUMMED
from batcher.errors import ErrorClass, Problem
from batcher.recorded import Recorded, record
from batcher.records import Completion, InvalidAnswer, Outcome, Success, Usage

# The source follows the input, and so does the row number, which comes first.
_SOURCE = Recorded._fields.index("source")
# What the attempt of an answer of no use ended in; the attempt itself knows of none.
_OF_NO_USE = Problem(ErrorClass.INVALID_OUTPUT, "")


def encoded(outcome: Outcome) -> tuple[object, ...]:
    """Flatten an outcome; text that is not valid Unicode is escaped, never lost."""
    flat: tuple[object, ...] = record(outcome)
    try:
        return sealed(flat)
    except UnicodeEncodeError:
        return sealed(_escaped(flat))


def sealed(flat: tuple[object, ...]) -> tuple[object, ...]:
    """Return an outcome that is valid Unicode, in the fields of `Recorded`, with its checksum."""
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
        name: added(getattr(before, name), getattr(now, name)) for name in SUMMED
    }
    return sealed(now._replace(currency=now.currency or before.currency, **sums))


def added(before: int | None, now: int | None) -> int | None:
    """Add two amounts; None is an unknown one."""
    return now if before is None else before + (now or 0)


def encoded_invalid(answer: InvalidAnswer) -> tuple[object, ...]:
    """Flatten an answer of no use; its reasoning and tool calls are not kept."""
    completion = answer.completion
    flat = _escaped(
        (
            answer.key,
            completion.text,
            completion.finish_reason,
            completion.model,
            *astuple(completion.usage),
            answer.message,
            answer.repairs,
            answer.cost,
        )
    )
    return (*flat, checksum(flat))


def decoded_invalid(row: Sequence[Any]) -> InvalidAnswer | None:
    """Return the answer of a row, or None if its bytes are not those that were written."""
    *flat, expected = row
    if checksum(flat) != expected:
        return None
    key, text, finish_reason, model, *counts, message, repairs, cost = flat
    completion = Completion(text, None, None, finish_reason, model, Usage(*counts))
    return InvalidAnswer(key, completion, message, repairs, cost)


def failed_attempts(outcomes: Iterable[Outcome]) -> Iterator[tuple[object, ...]]:
    """Yield the rows of `failed_attempts` that outcomes bring with them."""
    for outcome in outcomes:
        # That of a result is known by the result.
        own = outcome.attempts[-1:] if isinstance(outcome, Success) else ()
        for attempt in outcome.attempts:
            if attempt not in own:
                problem = attempt.problem or _OF_NO_USE
                yield (
                    outcome.key,
                    attempt.number,
                    attempt.request_id,
                    round(attempt.started_at * 1_000_000),
                    attempt.latency,
                    problem.error_class.value,
                    problem.code,
                    problem.http_status,
                )


def _escaped(flat: Sequence[object]) -> tuple[object, ...]:
    return tuple(
        value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
        for value in flat
    )


def _checksum(flat: Sequence[object]) -> int:
    return checksum((flat[1:_SOURCE], flat[_SOURCE + 1 :]))
