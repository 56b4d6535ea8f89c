"""The history of a merge: that of each process of each run once, however often it is taken in.

A process is known by its run, and by the number that it had there at first.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from batcher.checkpoint.connection import connected, translated
from batcher.checkpoint.shares import is_merged

TABLES = (
    """CREATE TABLE origins (
        number INTEGER PRIMARY KEY, sharer INTEGER NOT NULL, process INTEGER NOT NULL,
        UNIQUE (sharer, process)
    )""",
    """CREATE TABLE figures (
        sharer INTEGER NOT NULL, kind TEXT NOT NULL, magnitude INTEGER NOT NULL,
        figures INTEGER NOT NULL, PRIMARY KEY (sharer, kind, magnitude)
    ) WITHOUT ROWID""",
)

_OF_ITSELF = "SELECT number, :sharer, number FROM source.processes"
_OF_MERGED = (
    "SELECT p.number, coalesce(m.number, :sharer), coalesce(o.process, p.number) "
    "FROM source.processes p LEFT JOIN source.origins o USING (number) "
    "LEFT JOIN source.sharers s ON s.number = o.sharer LEFT JOIN main.sharers m USING (run)"
)
_HISTORY = {"processes": "number", "history": "process", "history_failures": "process"}
_LATER = (
    "SELECT (s.seen_at, s.ended IS NOT NULL) > (m.seen_at, m.ended IS NOT NULL) "
    "FROM source.processes s, main.processes m WHERE (s.number, m.number) = (?, ?)"
)
_FAILED = (
    "INSERT INTO main.failed_attempts SELECT * FROM source.failed_attempts WHERE "
    "(request_id, number, started_at) NOT IN "
    "(SELECT request_id, number, started_at FROM main.failed_attempts)"
)
_KNOWN_FIGURES = (
    "INSERT INTO main.figures SELECT m.number, kind, magnitude, figures FROM source.figures "
    "JOIN source.sharers s ON s.number = sharer JOIN main.sharers m USING (run) WHERE true "
)
_OWN_FIGURES = (
    "INSERT INTO main.figures SELECT :sharer, kind, magnitude, sum(figures) FROM ({figures}) "
    "GROUP BY kind, magnitude HAVING sum(figures) > 0 "
)
_FIGURES = "SELECT kind, magnitude, figures FROM source.histograms"
_OF_OTHERS = (
    "SELECT kind, magnitude, -figures FROM source.figures JOIN source.sharers ON number = sharer "
    "WHERE run <> (SELECT run FROM main.sharers WHERE number = :sharer)"
)
_LARGER = "ON CONFLICT DO UPDATE SET figures = max(figures, excluded.figures)"


def add_history(connection: sqlite3.Connection, sharer: int) -> None:
    """Take in what `source`, a run of that number, knows of processes and what failed there."""
    execute = connection.execute
    merged = is_merged(connection)
    execute(_FAILED)
    for number, of, process in execute(
        _OF_MERGED if merged else _OF_ITSELF, {"sharer": sharer}
    ).fetchall():
        known = execute(
            "SELECT number FROM main.origins WHERE (sharer, process) = (?, ?)", (of, process)
        ).fetchone()
        if known is None:
            known = execute(
                "INSERT INTO main.origins (sharer, process) VALUES (?, ?) RETURNING number",
                (of, process),
            ).fetchone()
            _take(connection, number, *known)
        elif execute(_LATER, (number, *known)).fetchone() == (1,):
            _take(connection, number, *known)
    if merged:
        execute(_KNOWN_FIGURES + _LARGER)
    figures = f"{_FIGURES} UNION ALL {_OF_OTHERS}" if merged else _FIGURES
    execute(_OWN_FIGURES.format(figures=figures) + _LARGER, {"sharer": sharer})
    execute("DELETE FROM main.histograms")
    execute(
        "INSERT INTO main.histograms SELECT kind, magnitude, sum(figures) FROM main.figures "
        "GROUP BY kind, magnitude"
    )


def called_itself(path: Path, run: str) -> bool:
    """Whether a process of `run` itself called in the checkpoint that was merged under that name.

    Raises:
        StorageError: it is damaged.
    """
    with translated(path), connected(path) as connection:
        (called,) = connection.execute(
            "SELECT EXISTS (SELECT 1 FROM processes p WHERE NOT EXISTS (SELECT 1 FROM origins o "
            "JOIN sharers s ON s.number = o.sharer WHERE o.number = p.number AND s.run <> ?))",
            (run,),
        ).fetchone()
    return bool(called)


def _take(connection: sqlite3.Connection, number: int, to: int) -> None:
    """Let all that `source` knows of a process be known here, under the number `to`."""
    for table, name in _HISTORY.items():
        connection.execute(f"DELETE FROM main.{table} WHERE {name} = ?", (to,))
        rest = ", ".join(
            column
            for _, column, *_ in connection.execute(f"PRAGMA main.table_info({table})")
            if column != name
        )
        connection.execute(
            f"INSERT INTO main.{table} ({name}, {rest}) SELECT {to:d}, {rest} "
            f"FROM source.{table} WHERE {name} = ?",
            (number,),
        )
