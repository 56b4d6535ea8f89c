"""What a checkpoint holds, read while it may be written.

Every record that is read is compared with its checksum: a damaged one is named, never passed on.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from batcher.checkpoint import schema
from batcher.checkpoint.chronicle import history_in
from batcher.checkpoint.connection import connected, damaged, translated
from batcher.checkpoint.counting import counts_in
from batcher.checkpoint.facts import fact_in
from batcher.checkpoint.ownership import orphaned, working
from batcher.checkpoint.recall import answers_to, recalled, recalled_invalid, recalled_mark
from batcher.checkpoint.renumbering import Numbered
from batcher.checkpoint.rowset import RowSet, runs_of
from batcher.errors import StorageError
from batcher.history import History
from batcher.recorded import Counts, Recorded
from batcher.records import InvalidAnswer, Mark, Request

# Row numbers read at a time: done rows mostly stand in long runs, which are added as such.
_ROWS = 4096
_NO_ERROR = "error_class = ''"
KILLED_CALLS = "killed_calls"
"""The fact that says how many calls can have been in flight when processes were killed."""
CUT_SHORT = "cut_short"
"""The fact that says how often a backup was gone on with whose process had not ended by then."""
PRICES = "prices"
"""The fact that says in which `currency` costs are counted, and by whose prices (`priced_by`)."""


class CheckpointReader:
    """The recorded outcomes of one run, and what else is remembered of it."""

    def __init__(self, path: Path, reader: sqlite3.Connection) -> None:
        """Use `read`."""
        self.path = path
        self._reader = reader

    @staticmethod
    @contextlib.contextmanager
    def read(path: Path) -> Iterator[CheckpointReader]:
        """Open an existing checkpoint for reading only, also while a run writes it.

        Raises:
            StorageError: there is none, or it is damaged, or of another program or version.
        """
        if not path.is_file():
            raise StorageError(f"no checkpoint at {path}: is this the directory of a run?")
        # Not mode=ro: reading a WAL that a crash left behind needs its shared-memory file.
        with connected(path) as connection:
            with translated(path):
                connection.execute("PRAGMA query_only = ON")
                check(connection, path)
            yield CheckpointReader(path, connection)

    def done(self, *, errors_too: bool = True) -> RowSet:
        """Return the rows that have an outcome; without errors, those that succeeded.

        Raises:
            StorageError: the list of rows is damaged.
        """
        which = "" if errors_too else "WHERE error_class IS NULL"
        done, numbers = RowSet(), 0
        with translated(self.path), _snapshot(self._reader):
            (last,) = self._reader.execute("SELECT max(row) FROM outcomes").fetchone()
            found = self._reader.execute(
                f"SELECT row FROM outcomes INDEXED BY outcomes_class {which}"
            )
            while rows := [row for (row,) in found.fetchmany(_ROWS)]:
                if {*map(type, rows)} != {int} or min(rows) < 0 or max(rows) > last:
                    stray = next(
                        row for row in rows if type(row) is not int or row not in range(last + 1)
                    )
                    raise damaged(self.path, f"its list of rows holds {stray!r}")
                for first, stop in runs_of(rows):
                    done.add_range(first, stop)
                numbers += sum(rows)
            counted = self._reader.execute(
                "SELECT coalesce(sum(rows), 0), coalesce(sum(row_numbers), 0) FROM totals "
                f"WHERE {'true' if errors_too else _NO_ERROR}"
            ).fetchone()
        if (len(done), numbers) != counted:
            raise damaged(
                self.path,
                f"its list of {len(done):,} rows is not that of the {counted[0]:,} it has",
            )
        return done

    def first_with_ids(self, ids: Sequence[str]) -> dict[str, tuple[int, str]]:
        """Return by id the lowest recorded row that has it, with its file and line."""
        with translated(self.path):
            found = self._reader.execute(
                # Of a bare column beside min(), SQLite takes the value of that very row.
                "SELECT id, min(row), source FROM outcomes "
                f"WHERE id IN ({', '.join('?' * len(ids))}) AND key IS NOT NULL GROUP BY id",
                ids,
            )
            return {row_id: (row, source) for row_id, row, source in found}

    def answers(
        self, contents: Sequence[str], most: int
    ) -> tuple[dict[str, Recorded], Sequence[str]]:
        """Return by content a recorded answer to such a request, and the contents not looked at.

        None is looked at any more once the answers have `most` characters together.

        Raises:
            StorageError: one is not what was recorded.
        """
        with translated(self.path):
            return answers_to(self._reader, self.path, contents, most)

    def answered(self, contents: Sequence[str]) -> set[str]:
        """Return those of `contents`, hashes of what is asked, that a result has."""
        with translated(self.path):
            found = self._reader.execute(
                f"SELECT content FROM outcomes WHERE content IN ({', '.join('?' * len(contents))}) "
                "AND content IS NOT NULL AND error_class IS NULL",
                contents,
            ).fetchall()
        return {content for (content,) in found}

    def with_outcome(self, requests: Sequence[Request], *, errors_too: bool = True) -> set[str]:
        """Return the keys of `requests` that have an outcome, though it may be under another row.

        Those that are set aside are among them; without errors, those that succeeded.
        """
        places = ", ".join("?" * len(requests))
        which = "" if errors_too else "AND error_class IS NULL"
        keys = [request.key for request in requests]
        with translated(self.path):
            # By the id, since only that has an index there.
            recorded = self._reader.execute(
                f"SELECT key FROM outcomes WHERE id IN ({places}) AND key IS NOT NULL {which}",
                [request.id for request in requests],
            ).fetchall()
            shelved = self._reader.execute(
                f"SELECT key FROM shelved WHERE key IN ({places}) {which}", keys
            ).fetchall()
        return {*keys} & {key for (key,) in (*recorded, *shelved)}

    @contextlib.contextmanager
    def numbered(self, samples: int, *, errors_too: bool = True) -> Iterator[Numbered]:
        """Yield where rows stood that have only their number for an id, beside the checkpoint."""
        with contextlib.closing(sqlite3.connect("", isolation_level=None)) as scratch:
            numbered = Numbered(scratch, samples)
            with translated(self.path):
                numbered.fill(self._reader, errors_too=errors_too)
            yield numbered

    def set_aside(self, keys: Sequence[str]) -> set[str]:
        """Return those of `keys` whose outcome is set aside."""
        with translated(self.path):
            found = self._reader.execute(
                f"SELECT key FROM shelved WHERE key IN ({', '.join('?' * len(keys))})", keys
            ).fetchall()
        return {key for (key,) in found}

    def has_shelved(self) -> bool:
        """Whether paid outcomes are set aside that belong to no row now."""
        with translated(self.path):
            (held,) = self._reader.execute("SELECT EXISTS (SELECT 1 FROM shelved)").fetchone()
        return bool(held)

    def some_results(self, most: int) -> Iterator[Recorded]:
        """Yield at most `most` results whose tokens are known, from all over the run.

        Raises:
            StorageError: one is not what was recorded.
        """
        with translated(self.path):
            (last,) = self._reader.execute("SELECT max(row) FROM outcomes").fetchone()
            after = -1
            for step in range(most if last is not None else 0):
                found = self._reader.execute(
                    f"SELECT {schema.COLUMNS} FROM outcomes WHERE row > ? AND error_class IS NULL "
                    "AND completion_tokens IS NOT NULL ORDER BY row LIMIT 1",
                    (max(after, last * step // most - 1),),
                ).fetchone()
                if found is None:
                    return
                after = found[0]
                yield recalled(self.path, found)

    def last_row(self) -> int | None:
        """Return the highest row that has an outcome; None where none has."""
        with translated(self.path):
            (last,) = self._reader.execute("SELECT max(row) FROM outcomes").fetchone()
        return None if last is None else int(last)

    def outcomes(self, before: int | None = None) -> Iterator[Recorded]:
        """Yield every recorded outcome in row order, as of the moment of the first one.

        With `before`, only those of lower rows: others may come while the first ones are used.

        Raises:
            StorageError: one is not what was recorded.
        """
        yield from self._intact("outcomes", "" if before is None else f"WHERE row < {before:d}")

    def unanswered(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return what is known of the pending rows that were sent and not answered whole, by key.

        First how often each was, then the most that it can have cost.
        """
        with translated(self.path):
            found = self._reader.execute("SELECT key, calls, cost FROM unanswered").fetchall()
        return {key: calls for key, calls, _ in found}, {key: cost for key, _, cost in found}

    def invalid_answers(self) -> dict[str, InvalidAnswer]:
        """Return the latest answers that are of no use, of the pending rows that have one, by key.

        Raises:
            StorageError: one is not what was written.
        """
        answers: dict[str, InvalidAnswer] = {}
        with translated(self.path):
            for row in self._reader.execute("SELECT * FROM invalid_answers"):
                answer = recalled_invalid(self.path, row)
                answers[answer.key] = answer
        return answers

    def counts(self) -> Counts:
        """Return the sums over the run, all of one moment."""
        with translated(self.path), _snapshot(self._reader):
            killed, cut_short = (_number(self.fact(name)) for name in (KILLED_CALLS, CUT_SHORT))
            killed += orphaned(self._reader)
            return counts_in(self._reader, killed, cut_short, self.fact(PRICES))

    def writer(self) -> str | None:
        """Return which process works on the run; None where none does.

        Asks for no lock: a run that starts at this very moment must get its own.
        """
        with translated(self.path):
            return working(self._reader)

    def history(self, steps: int = 400) -> History:
        """Return what the run was like over time, in about `steps` steps, all of one moment."""
        with translated(self.path), _snapshot(self._reader):
            return history_in(self._reader, steps)

    def mark_before(self, row: int) -> Mark | None:
        """Return the last mark at or before `row`, or None.

        Raises:
            StorageError: it is not what was written.
        """
        with translated(self.path):
            found = self._reader.execute(
                f"SELECT {schema.MARK} FROM marks WHERE row <= ? ORDER BY row DESC LIMIT 1", (row,)
            ).fetchone()
        return None if found is None else recalled_mark(self.path, found)

    def fact(self, name: str) -> object:
        """Return the remembered fact `name`, or None.

        Raises:
            StorageError: it is not what was remembered.
        """
        with translated(self.path):
            return fact_in(self._reader, self.path, name)

    def _intact(self, table: str, which: str = "") -> Iterator[Recorded]:
        """Yield the outcomes of a table in row order, each compared with its checksum."""
        with translated(self.path), connected(self.path) as connection:
            for row in connection.execute(
                f"SELECT {schema.COLUMNS} FROM {table} {which} ORDER BY row"
            ):
                yield recalled(self.path, row)


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Make sure that a database is a checkpoint that this version reads.

    Raises:
        StorageError: it is not.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != schema.APPLICATION_ID:
        raise StorageError(f"{path} is no checkpoint of batcher; name another directory with -o")
    if version != schema.VERSION:
        raise StorageError(
            f"{path} has schema version {version}, this batcher reads {schema.VERSION}; "
            "go on with the version that made it, or start in another directory with -o"
        )


@contextlib.contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """See one moment of the database in all reads of the body."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


def _number(fact: object) -> int:
    return fact if isinstance(fact, int) else 0
