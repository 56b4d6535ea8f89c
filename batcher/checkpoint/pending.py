"""Rows that were called and have no outcome yet; what is known of them follows them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from batcher.checkpoint.encoding import added, decoded_invalid, encoded_invalid
from batcher.checkpoint.schema import INVALID_VALUES, PENDING
from batcher.records import InvalidAnswer, Pending, Usage

_INVALID = f"INSERT OR REPLACE INTO invalid_answers {INVALID_VALUES}"


def note_pending(connection: sqlite3.Connection, rows: Iterable[Pending | None]) -> None:
    """Put down where rows stand, as far as that is known, in a transaction."""
    connection.executemany(
        "INSERT OR REPLACE INTO pending VALUES (?, ?, ?, ?)",
        {row for row in rows if row is not None},
    )


def move_pending(connection: sqlite3.Connection) -> None:
    """Let what is known of them follow rows to their new keys in `temp.moved`, in a transaction.

    What is known under such a key already is of a row that is gone; it stays in the sums.
    """
    execute = connection.execute
    # All are taken out first: one may get a key that another one had.
    for table in PENDING:
        execute(f"DROP TABLE IF EXISTS temp.{table}_moving")
        execute(
            f"CREATE TEMP TABLE {table}_moving AS SELECT t.*, m.key AS now, m.id AS now_id "
            f"FROM main.{table} t JOIN temp.moved m ON m.was = t.key"
        )
        execute(f"DELETE FROM main.{table} WHERE key IN (SELECT was FROM temp.moved)")
    execute(
        "INSERT OR REPLACE INTO main.pending "
        "SELECT now, now_id, sample, source FROM temp.pending_moving"
    )
    execute(
        "INSERT INTO main.unanswered SELECT now, calls, cost FROM temp.unanswered_moving "
        "WHERE true ON CONFLICT DO UPDATE SET calls = calls + excluded.calls, "
        "cost = cost + excluded.cost"
    )
    for *row, now, _ in execute("SELECT * FROM temp.invalid_answers_moving").fetchall():
        answer = decoded_invalid(row)
        before = execute("SELECT * FROM main.invalid_answers WHERE key = ?", (now,)).fetchone()
        if answer is None:
            # It is damaged, and told of as such under its new key.
            execute(_INVALID, (now, *row[1:]))
        else:
            of_gone = decoded_invalid(before) if before else None
            execute(_INVALID, encoded_invalid(_beside(replace(answer, key=now), of_gone)))


def _beside(answer: InvalidAnswer, gone: InvalidAnswer | None) -> InvalidAnswer:
    """Return an answer with what those of a row that is gone took as well."""
    if gone is None:
        return answer
    usage, other = answer.completion.usage, gone.completion.usage
    both = Usage(
        added(usage.prompt_tokens, other.prompt_tokens),
        added(usage.completion_tokens, other.completion_tokens),
        added(usage.cached_tokens, other.cached_tokens),
        added(usage.reasoning_tokens, other.reasoning_tokens),
    )
    return replace(
        answer,
        completion=replace(answer.completion, usage=both),
        repairs=answer.repairs + gone.answers,
        cost=added(answer.cost, gone.cost),
    )
