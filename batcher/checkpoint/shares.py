"""Which share each run has in what was spent on a request, beside the outcomes of a merge.

An outcome has the sums of all calls of its key, whoever made them. So that checkpoints can be
merged again and again, and with others that were made of them, a merged one knows whose these sums
are. A run's share only grows: of two that are known of it the larger one holds the other. Only
where both ended in a result, of two calls, its directory was copied and both went on: then both
were paid. So what is known up to each such call is kept for itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from batcher.checkpoint.schema import SUMMED

_SUMS = ", ".join(SUMMED)
TABLES = (
    "CREATE TABLE sharers (number INTEGER PRIMARY KEY, run TEXT UNIQUE NOT NULL)",
    # `call` tells the result of a run from another one; it is 0 where there is none.
    f"""CREATE TABLE shares (
        key TEXT NOT NULL, sharer INTEGER NOT NULL, call INTEGER NOT NULL,
        {", ".join(f"{name} INTEGER" for name in SUMMED)}, PRIMARY KEY (key, sharer, call)
    ) WITHOUT ROWID""",
)
# A `key` is touched if several speak of it.
CREATE = f"""
    {"; ".join(TABLES)};
    CREATE TEMP TABLE incoming AS SELECT * FROM shares;
    CREATE TEMP TABLE touched (key TEXT PRIMARY KEY) WITHOUT ROWID;
"""

_NO_USE = {"attempts": "repairs + 1", "ambiguous_attempts": "0", "possible_cost": "0"}
_UNANSWERED = {"ambiguous_attempts": "calls", "possible_cost": "cost"}
_RESULT = "CASE WHEN error_class IS NULL THEN finished_at ELSE 0 END"
_SPENT = " UNION ALL ".join(
    [
        f"SELECT key, {_RESULT} AS call, {_SUMS} FROM source.outcomes WHERE key IS NOT NULL",
        f"SELECT key, {_RESULT}, {_SUMS} FROM source.shelved",
        "SELECT key, 0, "
        + ", ".join(_UNANSWERED.get(name, "NULL") for name in SUMMED)
        + " FROM source.unanswered",
        "SELECT key, 0, "
        + ", ".join(_NO_USE.get(name, name) for name in SUMMED)
        + " FROM source.invalid_answers",
    ]
)


def _of_run(name: str) -> str:
    called, else_ = f"sum({name}) FILTER (WHERE call > 0)", f"max({name}) FILTER (WHERE call = 0)"
    return f"coalesce(max({called}, {else_}), {called}, {else_}) AS {name}"


def together_in(shares: str, which: str = "true") -> str:
    """Return SQL for what each run has in each key, by all that a table knows of it."""
    return (
        f"SELECT key, sharer, {', '.join(map(_of_run, SUMMED))} FROM {shares} WHERE {which} "
        "GROUP BY key, sharer"
    )


_OF_OTHERS = (
    f"SELECT key, 0, {', '.join(f'-{name}' for name in SUMMED)} "
    f"FROM ({together_in('source.shares')}) "
    "JOIN source.sharers ON number = sharer WHERE run <> :run"
)
# Its sums less those that it has of others. It made no call where nothing is left.
_OWN = (
    "INSERT INTO temp.incoming SELECT key, (SELECT number FROM main.sharers WHERE run = :run), "
    "{call}, " + ", ".join(f"max(0, sum({name}))" for name in SUMMED) + " FROM ({spent}) "
    "GROUP BY key HAVING " + " OR ".join(f"sum({name}) > 0" for name in SUMMED)
)
_KNOWN = (
    f"INSERT INTO temp.incoming SELECT key, m.number, call, {_SUMS} FROM source.shares "
    "JOIN source.sharers s ON s.number = sharer JOIN main.sharers m USING (run)"
)
_TOUCHED = (
    "INSERT OR IGNORE INTO temp.touched SELECT key FROM temp.incoming i WHERE EXISTS ("
    "SELECT 1 FROM main.shares s WHERE s.key = i.key AND "
    f"(s.sharer, s.call, {', '.join(f's.{name}' for name in SUMMED)}) "
    f"IS NOT (i.sharer, i.call, {', '.join(f'i.{name}' for name in SUMMED)}))"
)

# The one that is dropped may have cost something where the one that is kept cost nothing.
_CALLED = ("finished_at", "request_id", *SUMMED)
_RIVALS = (
    "INSERT OR IGNORE INTO temp.touched SELECT m.key FROM source.outcomes s "
    "JOIN main.outcomes m USING (row, key) WHERE "
    f"({', '.join(f's.{name}' for name in _CALLED)}) "
    f"IS NOT ({', '.join(f'm.{name}' for name in _CALLED)})"
)


GROWN = "ON CONFLICT DO UPDATE SET " + ", ".join(
    f"{name} = coalesce(max({name}, excluded.{name}), {name}, excluded.{name})" for name in SUMMED
)
"""SQL that lets a share that is known be what is known of it together."""
_ADD = f"INSERT INTO main.shares SELECT * FROM temp.incoming WHERE true {GROWN}"
# All that is not in an outcome is little.
_ELSEWHERE = (
    "INSERT OR IGNORE INTO temp.touched SELECT key FROM main.shelved UNION ALL "
    "SELECT key FROM main.unanswered UNION ALL SELECT key FROM main.invalid_answers"
)
_HELD = (
    "CREATE TEMP TABLE held AS SELECT key, row FROM main.outcomes "
    "WHERE key IN (SELECT key FROM temp.touched)"
)
_TOGETHER = (
    "CREATE TEMP TABLE together AS SELECT key, "
    "(SELECT row FROM temp.held h WHERE h.key = s.key) AS row, "
    f"{', '.join(f'sum({name}) AS {name}' for name in SUMMED)} FROM "
    f"({together_in('main.shares', 'key IN (SELECT key FROM temp.touched)')}) s GROUP BY key"
)


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares in what is merged by a `connection`, which sees what is taken in as `source`."""

    connection: sqlite3.Connection

    def add(self, run: str) -> int:
        """Take in the shares that are in `source`, that of `run` among them; return its number."""
        execute = self.connection.execute
        execute("INSERT OR IGNORE INTO main.sharers (run) VALUES (?)", (run,))
        merged = is_merged(self.connection)
        steps = [_OWN.format(call="max(call)", spent=_SPENT)]
        if merged:
            execute("INSERT OR IGNORE INTO main.sharers (run) SELECT run FROM source.sharers")
            # Which of its results it called itself is not known, and it is no copy.
            steps = [_KNOWN, _OWN.format(call="0", spent=f"{_SPENT} UNION ALL {_OF_OTHERS}")]
        for step in steps:
            execute("DELETE FROM temp.incoming")
            execute(step, {"run": run} if ":run" in step else {})
            execute(_TOUCHED)
            execute(_ADD)
        (number,) = execute("SELECT number FROM main.sharers WHERE run = ?", (run,)).fetchone()
        return int(number)

    def touch_rivals(self) -> None:
        """Put down of which rows `source` has another outcome than is known by now."""
        self.connection.execute(_RIVALS)

    def touch(self, key: object) -> None:
        """Put down that of two outcomes of a key one was dropped, with its sums."""
        self.connection.execute("INSERT OR IGNORE INTO temp.touched VALUES (?)", (key,))

    def together(self) -> Iterator[tuple[str, int | None, dict[str, int | None]]]:
        """Yield each key that several speak of, the row that has it, and the sums of all shares."""
        execute = self.connection.execute
        for statement in (_ELSEWHERE, _HELD, "CREATE INDEX temp.held_key ON held (key)", _TOGETHER):
            execute(statement)
        for key, row, *sums in execute("SELECT * FROM temp.together"):
            yield key, row, dict(zip(SUMMED, sums, strict=True))


def is_merged(connection: sqlite3.Connection, schema: str = "source") -> bool:
    """Whether the checkpoint that a connection sees as `schema` was merged of others."""
    (merged,) = connection.execute(
        f"SELECT EXISTS (SELECT 1 FROM {schema}.sqlite_schema WHERE name = 'shares')"
    ).fetchone()
    return bool(merged)


def move_shares(connection: sqlite3.Connection) -> None:
    """Let shares follow outcomes to the new keys that `temp.moved` has for them."""
    execute = connection.execute
    execute("DROP TABLE IF EXISTS temp.moving")
    # All are taken out first: one may get a key that another one had.
    execute(
        f"CREATE TEMP TABLE moving AS SELECT m.key, sharer, call, {_SUMS} "
        "FROM main.shares s JOIN temp.moved m ON m.was = s.key"
    )
    execute("DELETE FROM main.shares WHERE key IN (SELECT was FROM temp.moved)")
    execute(
        "INSERT INTO main.shares SELECT * FROM temp.moving WHERE true ON CONFLICT DO UPDATE SET "
        + ", ".join(
            f"{name} = coalesce({name} + excluded.{name}, {name}, excluded.{name})"
            for name in SUMMED
        )
    )
