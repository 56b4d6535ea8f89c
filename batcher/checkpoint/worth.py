"""What a checkpoint holds that was paid for, or may have been: as sums, which only grow."""

from __future__ import annotations

import hashlib
import json
import sqlite3

from batcher.checkpoint.reader import KILLED_CALLS
from batcher.checkpoint.unrecorded import SPENT_COST, SPENT_TOKENS

RECORDED = (
    "SELECT * FROM totals ORDER BY 1, 2, 3",
    "SELECT count(*), sum(calls), sum(cost) FROM unanswered",
    "SELECT count(*), sum(repairs), sum(cost), sum(completion_tokens) FROM invalid_answers",
    "SELECT count(*) FROM shelved",
)
"""Queries that are answered in no time: sums, and what is rarely more than a few rows."""
_BESIDE = (
    "SELECT name, value FROM facts "
    f"WHERE name IN ('{KILLED_CALLS}', '{SPENT_COST}', '{SPENT_TOKENS}') ORDER BY name"
)


def worth_in(connection: sqlite3.Connection) -> str:
    """Return a hash that is another one once any call was recorded, in a transaction."""
    return hashed(connection, (*RECORDED, _BESIDE))


def hashed(connection: sqlite3.Connection, queries: tuple[str, ...]) -> str:
    """Return a hash of what queries find."""
    found = [connection.execute(query).fetchall() for query in queries]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()
