"""What only one of two checkpoints of a run has, brought into the other.

Two processes may have gone on with the same backup. What one of them recorded since must not be
paid again; what both recorded was paid twice, and counts twice. What both have from the backup
counts once.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from batcher.checkpoint.backup import state_of
from batcher.checkpoint.connection import connected, transaction, translated
from batcher.checkpoint.encoding import carried, sealed
from batcher.checkpoint.facts import fact_in, remember
from batcher.checkpoint.kinship import Common, Kinship
from batcher.checkpoint.lineage import lineage_in
from batcher.checkpoint.pooling import Pool, together, without
from batcher.checkpoint.reader import check
from batcher.checkpoint.recall import recalled
from batcher.checkpoint.rivals import Row, moved
from batcher.checkpoint.schema import COLUMNS, VALUES, columns_of
from batcher.checkpoint.underway import Underway
from batcher.checkpoint.unrecorded import Unrecorded
from batcher.recorded import Recorded

_TABLES = ("outcomes", "shelved")
_ADOPTED = "adopted"
"""The fact that names the checkpoints of which all was brought in."""
# A key has one outcome; by its id it is found in no time.
_OF_ROW = {"outcomes": "id = ?1 AND sample = ?2 AND key = ?3", "shelved": "key = ?3"}
_HELD = " OR ".join(
    f"EXISTS (SELECT 1 FROM main.{table} m WHERE {found} AND m.attempts >= o.attempts "
    "AND m.finished_at = o.finished_at AND m.request_id IS o.request_id)"
    for table, found in (
        ("outcomes", "m.id = coalesce(r.id, o.id) AND m.sample = o.sample AND m.key = now"),
        ("shelved", "m.key = now"),
    )
)


def _unknown(table: str) -> str:
    """SQL that finds the outcomes that `main` does not hold, with their ids and keys there."""
    return (
        f"SELECT {columns_of('o')}, r.id, coalesce(r.key, o.key) AS now FROM other.{table} o "
        "LEFT JOIN temp.renamed r ON r.was = o.key WHERE o.key IS NOT NULL "
        f"AND (now IN (SELECT key FROM temp.pool_news) OR NOT ({_HELD}))"
    )


def adopt(path: Path, other: Path) -> int:
    """Bring into the checkpoint at `path` what only that at `other` has; return how many outcomes.

    Nobody may write either of them meanwhile; `other` stays as it is. A result takes the place of
    an error of its row, and what both took is counted. Where the two are of different inputs or
    jobs, outcomes of rows that are not known here are shelved, and the next run compares every row.
    Once it was brought in, it is not again.

    Raises:
        StorageError: one of them is damaged, or of another version, or there is no room.
    """
    theirs = _Source.of(other)
    with translated(path), connected(path) as connection:
        check(connection, path)
        # Without it, REPLACE would skip the trigger that takes the old row from totals.
        connection.execute("PRAGMA recursive_triggers = ON")
        connection.execute("ATTACH ? AS other", (f"{other.absolute().as_uri()}?mode=rw",))
        with transaction(connection):
            known = _adopted(connection, path)
            if theirs.name in known:
                return 0
            same_job = theirs.made_from == _made_from(connection, path)
            kinship = Kinship(connection)
            pool = Pool(connection, fact_in(connection, path, "run"))
            mine = Unrecorded.of(connection, path)
            adoption = _Adoption(connection, path, other, kinship, pool, same_job=same_job)
            adopted = adoption.bring_in()
            facts = mine.facts_with(theirs.unrecorded, connection)
            facts[_ADOPTED] = sorted({*known, *theirs.adopted, theirs.name})
            if (adoption.shelved or adoption.renumbers) and not same_job:
                # That of no input: so each row is looked for among what is shelved, or pending.
                facts["fingerprint"] = ""
            remember(connection, facts)
    return adopted


@dataclass(frozen=True, slots=True)
class _Source:
    """What a checkpoint says of itself: a name that no other state of it has, and no other one."""

    name: str
    made_from: object
    adopted: set[str]
    unrecorded: Unrecorded

    @classmethod
    def of(cls, path: Path) -> _Source:
        with translated(path), connected(path) as connection:
            check(connection, path)
            lineage = lineage_in(connection, path)
            line = lineage.steps[-1].line if lineage else ""
            made_from, adopted = _made_from(connection, path), _adopted(connection, path)
            unrecorded = Unrecorded.of(connection, path).and_orphaned(connection)
        return cls(f"{line}:{state_of(path)}", made_from, adopted, unrecorded)


@dataclass(slots=True)
class _Adoption:
    """Brings what only `other` has into `main`, the checkpoint at `path`."""

    connection: sqlite3.Connection
    path: Path
    other: Path
    kinship: Kinship
    pool: Pool
    same_job: bool
    shelved: bool = False
    renumbers: bool = False

    def bring_in(self) -> int:
        """Do so, and return how many outcomes were not known here."""
        underway = Underway(self.connection)
        adopted = 0
        for table in _TABLES:
            for *columns, id_, key in self.connection.execute(_unknown(table)):
                theirs = recalled(self.other, columns)
                if id_ is not None:
                    theirs = theirs._replace(id=id_, key=key)
                in_place = table == "outcomes" and self.same_job and id_ is None
                adopted += self._put(theirs, sealed(theirs), in_place=in_place)
        self.renumbers = underway.bring_in()
        self.kinship.bring_in_attempts()
        return adopted

    def _put(self, theirs: Recorded, row: Row, *, in_place: bool) -> bool:
        """Join an outcome to what is known of its row; return whether it is what counts now."""
        execute = self.connection.execute
        for table in _TABLES:
            found = execute(
                f"SELECT {COLUMNS} FROM main.{table} WHERE {_OF_ROW[table]}",
                (theirs.id, theirs.sample, theirs.key),
            ).fetchone()
            if found is not None:
                mine = recalled(self.path, found)
                joined = self._joined(mine, found, theirs, row)
                execute(f"INSERT OR REPLACE INTO main.{table} {VALUES}", moved(joined, found))
                return _call(Recorded._make(joined[:-1])) != _call(mine)
        if in_place and execute(f"INSERT OR IGNORE INTO main.outcomes {VALUES}", row).rowcount:
            return True
        execute(f"INSERT INTO main.shelved {VALUES}", row)
        self.shelved = True
        return True

    def _joined(self, mine: Recorded, here: Row, theirs: Recorded, there: Row) -> Row:
        """Return what counts of two outcomes of a row, with what both took added up once."""
        common = self.kinship.common(mine.key)
        of_others = self.pool.of_others(mine.key)
        if of_others is None:
            return _one_of(mine, here, theirs, there, common)
        mine, theirs = without(mine, of_others.here), without(theirs, of_others.there)
        common = common.beyond(of_others.alike)
        own = _one_of(mine, sealed(mine), theirs, sealed(theirs), common)
        joined = together(Recorded._make(own[:-1]), of_others.both)
        return sealed(joined._replace(currency=joined.currency or mine.currency or theirs.currency))


def _one_of(mine: Recorded, here: Row, theirs: Recorded, there: Row, common: Common) -> Row:
    # One that went on from the very error that the other one has, has all of it.
    if theirs.error_class is not None and common.attempts >= theirs.attempts:
        return here
    if mine.error_class is not None and common.attempts >= mine.attempts:
        return there
    if _call(mine) == _call(theirs):
        return there if theirs.attempts > mine.attempts else here
    since = theirs._replace(
        attempts=theirs.attempts - common.attempts,
        ambiguous_attempts=max(0, theirs.ambiguous_attempts - common.ambiguous),
    )
    if mine.error_class is not None and theirs.error_class is None:
        return carried(sealed(since), here)
    return carried(here, sealed(since))


def _call(outcome: Recorded) -> tuple[object, ...]:
    return outcome.finished_at, outcome.request_id


def _made_from(connection: sqlite3.Connection, path: Path) -> object:
    return [fact_in(connection, path, name) for name in ("fingerprint", "settings")]


def _adopted(connection: sqlite3.Connection, path: Path) -> set[str]:
    names = fact_in(connection, path, _ADOPTED)
    return set(names) if isinstance(names, list) else set()
