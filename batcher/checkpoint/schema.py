"""The tables of `checkpoint.db`.

- `outcomes`: one row for each sample of an input row that has an outcome; its columns are
  `Recorded`'s, and a checksum over those that never change: all but the row number and the source,
  which follow the input. (An outcome under a wrong number is found by its id or its sample, when it
  meets its row.)
- `shelved`: paid outcomes whose row was edited or removed since, or that a merge gave to another
  row's id. They are kept by key: undo the edit, or ask just the same, and the answer is back
  without a call.
- `failed_attempts`: every attempt of a recorded row that ended in a problem or an answer of no use,
  under the row's key: its number changes when lines are put before it.
- `unanswered`: how often a pending row was sent and not answered whole, and the most that this can
  have cost (nanos), by its key.
- `invalid_answers`: the latest answer of a pending row that is of no use to the job, by its key,
  with the tokens and the cost of all such answers of the row: so they count, and the next process
  asks again from there.
- `pending`: where the rows stand that these two speak of: they follow them to other numbers.
- `totals`: sums over `outcomes` by class, finish reason and where the answer comes from, kept by
  triggers, so that they cannot drift from it; that of the
  row numbers tells a list of rows that has lost one from a whole one. `priced` counts the rows
  whose cost is known.
- `marks`: places in the input where reading may start, each with its checksum.
- `facts`: what the run was made from (fingerprint, request settings, ...), as JSON text with its
  checksum.
- `processes`: each process that made calls, and how it ended, and why, where it stopped by itself;
  no word for one that was killed.
- `history`: for each second of a process what was recorded in it, and how its calls flowed;
  `history_failures` the attempts that failed in it, and how. What was recorded is counted with the
  outcomes, in one transaction; a kill can lose how calls flowed in the last half second.
- `histograms`: how many figures of a kind had which magnitude (`batcher.magnitudes`); the same.
- `owner`: the process that writes here; one row while it does, none after its orderly end.

A merged one has more: `sharers` and `shares` (see `shares`), `origins` and `figures` (`descent`).
"""

from __future__ import annotations

from batcher.recorded import Recorded

VERSION = 7
APPLICATION_ID = 0x62746368  # "btch": lets `file` and a careful reader recognise the database

COLUMNS = ", ".join((*Recorded._fields, "checksum"))
VALUES = f"({COLUMNS}) VALUES ({', '.join('?' * (len(Recorded._fields) + 1))})"
"""What follows INSERT INTO a table of outcomes."""
INVALID_VALUES = f"VALUES ({', '.join('?' * 12)})"
"""What follows INSERT INTO invalid_answers."""
MARK = "row, file, line, offset, checksum"
_TYPES = (
    dict.fromkeys(
        ("attempts", "ambiguous_attempts", "possible_cost", "repairs", "sample", "checksum"),
        "INTEGER NOT NULL",
    )
    | {"latency_s": "REAL", "http_status": "INTEGER", "cost": "INTEGER"}
    | dict.fromkeys(
        ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"), "INTEGER"
    )
    | {"finished_at": "INTEGER NOT NULL", "id": "TEXT NOT NULL", "answered_by": "TEXT NOT NULL"}
)
_REST = ", ".join(
    f"{name} {_TYPES.get(name, 'TEXT')}"
    for name in (*Recorded._fields, "checksum")
    if name not in ("row", "key")
)

PENDING = ("unanswered", "invalid_answers", "pending")
"""What is known by key of rows that have no outcome yet."""

GROUPED = "error_class, finish_reason, answered_by"
SUMMED = (
    *("attempts", "ambiguous_attempts", "repairs"),
    *("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"),
    *("cost", "possible_cost"),
)
_SUMS = ", ".join(f"{name} INTEGER NOT NULL DEFAULT 0" for name in SUMMED)

RECORDED = ("results", "errors", "prompt_tokens", "completion_tokens", "cost")
"""What `history` counts of outcomes."""
_FLOWS = (
    ", ".join(f"{name} INTEGER NOT NULL DEFAULT 0" for name in (*RECORDED, "attempts", "in_flight"))
    + ", paused REAL NOT NULL DEFAULT 0"
)


def _adjust(sign: str, row: str) -> str:
    """SQL that adds `row` (NEW or OLD) to its totals, or takes it from them."""
    sums = ", ".join(f"{name} = {name} {sign} coalesce({row}.{name}, 0)" for name in SUMMED)
    sums += f", row_numbers = row_numbers {sign} {row}.row"
    sums += f", priced = priced {sign} ({row}.cost IS NOT NULL)"
    group = f"coalesce({row}.error_class, ''), coalesce({row}.finish_reason, ''), {row}.answered_by"
    # Not INSERT OR IGNORE: inside a trigger the conflict clause of the statement that fired it
    # rules, and REPLACE would set the totals back to 0.
    return f"""
        INSERT INTO totals ({GROUPED}) SELECT {group} WHERE NOT EXISTS
            (SELECT 1 FROM totals WHERE ({GROUPED}) = ({group}));
        UPDATE totals SET rows = rows {sign} 1, {sums}
            WHERE ({GROUPED}) = ({group});
    """


def columns_of(table: str, columns: str = COLUMNS) -> str:
    """Return columns as those of a table, or of its alias."""
    return ", ".join(f"{table}.{name}" for name in columns.split(", "))


CREATE = f"""
    CREATE TABLE outcomes (row INTEGER PRIMARY KEY, key TEXT, {_REST});
    -- Holds row numbers only beside the class, so that which rows are done is read without
    -- touching a single answer.
    CREATE INDEX outcomes_class ON outcomes (error_class);
    -- Finds the earlier row of a duplicate id; rows that never became a request claim no id.
    CREATE INDEX outcomes_id ON outcomes (id, sample) WHERE key IS NOT NULL;
    -- Finds the answer of an earlier row that asks the same, where such rows are called once.
    CREATE INDEX outcomes_content ON outcomes (content)
        WHERE content IS NOT NULL AND error_class IS NULL;
    CREATE TABLE shelved (key TEXT PRIMARY KEY, row INTEGER, {_REST});
    CREATE TABLE failed_attempts (
        key TEXT, number INTEGER NOT NULL, request_id TEXT NOT NULL,
        started_at INTEGER NOT NULL, latency_s REAL NOT NULL,
        error_class TEXT NOT NULL, code TEXT, http_status INTEGER
    );
    CREATE TABLE unanswered (
        key TEXT PRIMARY KEY, calls INTEGER NOT NULL, cost INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE invalid_answers (
        key TEXT PRIMARY KEY, response TEXT, finish_reason TEXT NOT NULL, model TEXT NOT NULL,
        prompt_tokens INTEGER, completion_tokens INTEGER, cached_tokens INTEGER,
        reasoning_tokens INTEGER, message TEXT NOT NULL, repairs INTEGER NOT NULL, cost INTEGER,
        checksum INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE pending (
        key TEXT PRIMARY KEY, id TEXT NOT NULL, sample INTEGER NOT NULL, source TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE totals (
        error_class TEXT NOT NULL, finish_reason TEXT NOT NULL, answered_by TEXT NOT NULL,
        rows INTEGER NOT NULL DEFAULT 0,
        row_numbers INTEGER NOT NULL DEFAULT 0, priced INTEGER NOT NULL DEFAULT 0, {_SUMS},
        PRIMARY KEY ({GROUPED})
    ) WITHOUT ROWID;
    CREATE TRIGGER outcomes_added AFTER INSERT ON outcomes BEGIN {_adjust("+", "NEW")} END;
    CREATE TRIGGER outcomes_removed AFTER DELETE ON outcomes BEGIN {_adjust("-", "OLD")} END;
    CREATE TABLE marks (
        row INTEGER PRIMARY KEY, file INTEGER NOT NULL, line INTEGER NOT NULL,
        offset INTEGER NOT NULL, checksum INTEGER NOT NULL
    );
    CREATE TABLE facts (
        name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE processes (
        number INTEGER PRIMARY KEY, started_at INTEGER NOT NULL, seen_at INTEGER NOT NULL,
        ended TEXT, error_class TEXT, reason TEXT
    );
    CREATE TABLE history (
        process INTEGER NOT NULL, second INTEGER NOT NULL,
        {_FLOWS},
        concurrency_limit INTEGER NOT NULL DEFAULT 0, waiting TEXT,
        PRIMARY KEY (process, second)
    ) WITHOUT ROWID;
    CREATE TABLE history_failures (
        process INTEGER NOT NULL, second INTEGER NOT NULL, error_class TEXT NOT NULL,
        attempts INTEGER NOT NULL, PRIMARY KEY (process, second, error_class)
    ) WITHOUT ROWID;
    CREATE TABLE histograms (
        kind TEXT NOT NULL, magnitude INTEGER NOT NULL, figures INTEGER NOT NULL,
        PRIMARY KEY (kind, magnitude)
    ) WITHOUT ROWID;
    CREATE TABLE owner (
        token TEXT NOT NULL, host TEXT NOT NULL, boot TEXT NOT NULL, namespace TEXT NOT NULL,
        pid INTEGER NOT NULL, ticks TEXT NOT NULL, calls INTEGER NOT NULL, beat REAL NOT NULL
    );
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = {VERSION};
"""
