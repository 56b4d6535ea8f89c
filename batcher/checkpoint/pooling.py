"""The shares of runs in two checkpoints that were merged of them, and went on apart, made one.

What each outcome has of other runs (`shares`) is taken out before what the two called themselves
is joined, and what both have of them comes back in its place: so no run counts twice, and none is
lost that only one of them knows of.
"""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple

from batcher.checkpoint import descent, shares
from batcher.checkpoint.encoding import added
from batcher.checkpoint.kinship import Common
from batcher.checkpoint.schema import SUMMED
from batcher.recorded import Recorded

_TABLES = ("pool_here", "pool_there", "pool_news")
_EMPTY = "CREATE TEMP TABLE pool_news (key TEXT PRIMARY KEY) WITHOUT ROWID"
_POOLED = (
    "INSERT OR IGNORE INTO main.sharers (run) SELECT run FROM other.sharers",
    # Two rows that ask the same may have one key here.
    f"""
    CREATE TEMP TABLE pool_there AS SELECT coalesce(r.key, s.key) AS key, m.number AS sharer,
    call, {", ".join(f"sum(s.{name}) AS {name}" for name in SUMMED)}
    FROM other.shares s JOIN other.sharers o ON o.number = s.sharer JOIN main.sharers m USING (run)
    LEFT JOIN temp.renamed r ON r.was = s.key GROUP BY 1, 2, 3
    """,
    "CREATE INDEX temp.pool_there_key ON pool_there (key)",
    """
    CREATE TEMP TABLE pool_here AS SELECT * FROM main.shares
    WHERE key IN (SELECT key FROM temp.pool_there)
    """,
    "CREATE INDEX temp.pool_here_key ON pool_here (key)",
    f"INSERT INTO main.shares SELECT * FROM temp.pool_there WHERE true {shares.GROWN}",
    """
    INSERT OR IGNORE INTO temp.pool_news SELECT key FROM (
    SELECT * FROM main.shares WHERE key IN (SELECT key FROM temp.pool_there)
    EXCEPT SELECT * FROM temp.pool_here)
    """,
)
_SUMS = ", ".join(f"sum({name})" for name in SUMMED)
_ALIKE = (
    "SELECT coalesce(sum(min(h.attempts, t.attempts)), 0), "
    "coalesce(sum(min(h.ambiguous_attempts, t.ambiguous_attempts)), 0) "
    f"FROM ({shares.together_in('temp.pool_here', 'key = ?1')}) h "
    f"JOIN ({shares.together_in('temp.pool_there', 'key = ?1')}) t USING (key, sharer) "
    "WHERE sharer IS NOT ?2"
)

_Sums = dict[str, Any]


class OfOthers(NamedTuple):
    """Of a row, the sums of other runs: here, there, and of both; and what of them is `alike`."""

    here: _Sums
    there: _Sums
    both: _Sums
    alike: Common


class Pool:
    """The shares of `main` and `other`, which are checkpoints of `run`."""

    def __init__(self, connection: sqlite3.Connection, run: object) -> None:
        """Bring those of `other` in, in a transaction, once it is known which keys changed."""
        self._connection = connection
        self._own: int | None = None
        for table in _TABLES:
            connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
        connection.execute(_EMPTY)
        self._merged = shares.is_merged(connection, "other")
        if not self._merged:
            return
        if not shares.is_merged(connection, "main"):
            for statement in (*shares.TABLES, *descent.TABLES):
                connection.execute(statement)
        for statement in _POOLED:
            connection.execute(statement)
        found = connection.execute("SELECT number FROM main.sharers WHERE run = ?", (run,))
        self._own = next((number for (number,) in found), None)

    def of_others(self, key: str | None) -> OfOthers | None:
        """Return what is known of the row with this key in `main`; None where `other` has none."""
        if not self._merged:
            return None
        there = self._sums("temp.pool_there", key)
        if there is None:
            return None
        alike = self._connection.execute(_ALIKE, (key, self._own)).fetchone()
        here, both = (self._sums(of, key) or {} for of in ("temp.pool_here", "main.shares"))
        return OfOthers(here, there, both, Common(*alike))

    def _sums(self, of: str, key: str | None) -> _Sums | None:
        rows, *sums = self._connection.execute(
            f"SELECT count(*), {_SUMS} FROM ({shares.together_in(of, 'key = ?1')}) "
            "WHERE sharer IS NOT ?2",
            (key, self._own),
        ).fetchone()
        return dict(zip(SUMMED, sums, strict=True)) if rows else None


def without(outcome: Recorded, sums: _Sums) -> Recorded:
    """Return an outcome with what its run spent itself."""
    own: _Sums = {name: _less(getattr(outcome, name), sums.get(name)) for name in SUMMED}
    return outcome._replace(**own)


def together(outcome: Recorded, sums: _Sums) -> Recorded:
    """Return an outcome with what others spent on it as well."""
    both: _Sums = {name: added(sums.get(name), getattr(outcome, name)) for name in SUMMED}
    return outcome._replace(**both)


def _less(amount: int | None, part: int | None) -> int | None:
    return None if amount is None else max(0, amount - (part or 0))
