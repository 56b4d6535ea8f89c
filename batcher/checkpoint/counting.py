"""The sums over a run."""

from __future__ import annotations

import sqlite3
from collections import Counter

from batcher.checkpoint import schema
from batcher.errors import ErrorClass
from batcher.recorded import Counts
from batcher.records import AnsweredBy

# What the answers of no use of pending rows add to the sums.
_OF_INVALID = {"attempts": "count(*) + coalesce(sum(repairs), 0)"} | {
    name: f"coalesce(sum({name}), 0)"
    for name in (
        *("repairs", "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"),
        "cost",
    )
}


def counts_in(
    connection: sqlite3.Connection, killed: int, cut_short: int, prices: object
) -> Counts:
    """Return the sums that `connection` sees; in a transaction, they are all of one moment.

    `killed` counts calls that were in flight when processes were killed, and `cut_short` copies
    that were made on the way; `prices` is what is remembered as the fact `PRICES`.
    """
    totals = connection.execute(
        f"SELECT {schema.GROUPED}, rows, priced, {', '.join(schema.SUMMED)} "
        "FROM totals WHERE rows > 0"
    ).fetchall()
    pending, pending_cost = connection.execute(
        "SELECT coalesce(sum(calls), 0), coalesce(sum(cost), 0) FROM unanswered"
    ).fetchone()
    invalid = connection.execute(
        f"SELECT {', '.join(_OF_INVALID.values())} FROM invalid_answers"
    ).fetchone()
    # Paid like the others, whatever became of their rows.
    shelved = connection.execute(
        f"SELECT {', '.join(f'coalesce(sum({name}), 0)' for name in schema.SUMMED)} FROM shelved"
    ).fetchone()
    errors, results = Counter[ErrorClass](), Counter[str]()
    truncated = unpriced = 0
    for error_class, finish_reason, answered_by, rows, priced, *_ in totals:
        if error_class:
            errors[ErrorClass(error_class)] += rows
        else:
            results[answered_by] += rows
            unpriced += rows - priced
            truncated += rows if finish_reason == "length" else 0
    sums = {
        name: sum(total[index] for total in totals)
        for index, name in enumerate(schema.SUMMED, start=5)
    }
    for name, amount in zip(_OF_INVALID, invalid, strict=True):
        sums[name] += amount
    for name, amount in zip(schema.SUMMED, shelved, strict=True):
        sums[name] += amount
    sums["ambiguous_attempts"] += pending
    sums["possible_cost"] += pending_cost
    return Counts(
        results=results.total(),
        duplicates=results[AnsweredBy.DUPLICATE],
        cached=results[AnsweredBy.CACHE],
        unpriced=unpriced,
        truncated=truncated,
        errors=errors,
        killed_calls=killed,
        cut_short=cut_short,
        **(prices if isinstance(prices, dict) else {}),
        **sums,
    )
