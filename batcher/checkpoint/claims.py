"""Ids that several rows of merged checkpoints claim: the first row of the input has it.

So it is in one run of the whole input, where the later rows end as duplicates without a call. Here
they were called, since the first one was in another shard: what came of that is set aside by its
key, and is the first row's answer where that asks the same and has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from batcher.checkpoint.connection import translated
from batcher.checkpoint.encoding import sealed
from batcher.checkpoint.merging import Merging
from batcher.checkpoint.placement import Placement, take_back
from batcher.errors import ErrorClass
from batcher.recorded import Recorded
from batcher.records import Request, duplicate_id

_DUPLICATES = f"key IS NULL AND error_class = '{ErrorClass.DUPLICATE_ID}'"


@dataclass(frozen=True, slots=True)
class Claims:
    """The ids of what is merged; each row of the input has so many `samples`."""

    merging: Merging
    samples: int = 1

    def settle(self) -> None:
        """Let the first recorded row have each id, and no other.

        Raises:
            StorageError: that cannot be written.
        """
        with translated(self.merging.path):
            row_of = f"row / {self.samples}"
            for row, first in self.merging.each(
                f"SELECT o.row, f.row FROM (SELECT id, min(row) AS row FROM main.outcomes "
                f"INDEXED BY outcomes_id WHERE key IS NOT NULL GROUP BY id "
                f"HAVING max({row_of}) > min({row_of})) f "
                "CROSS JOIN main.outcomes o INDEXED BY outcomes_id "
                f"ON o.id = f.id AND o.key IS NOT NULL AND o.{row_of} > f.{row_of}"
            ):
                self._give_up(row, self._source(first))
            for row, first in self.merging.each(
                "SELECT o.row, (SELECT min(k.row) FROM main.outcomes k INDEXED BY outcomes_id "
                "WHERE k.id = o.id AND k.key IS NOT NULL) AS first FROM main.outcomes o "
                f"INDEXED BY outcomes_class WHERE {_DUPLICATES} AND first / {self.samples} < "
                f"o.{row_of}"
            ):
                self._give_up(row, self._source(first))
            self.merging.settle_aside()

    def look(self) -> Pending:
        """Return what compares the ids of rows that have no outcome with those that are merged."""
        execute = self.merging.connection.execute
        with translated(self.merging.path):
            execute("CREATE TEMP TABLE aside AS SELECT DISTINCT id FROM main.shelved")
            execute("CREATE INDEX temp.aside_id ON aside (id)")
            execute(
                "CREATE TEMP TABLE duplicates AS SELECT row, id FROM main.outcomes "
                f"INDEXED BY outcomes_class WHERE {_DUPLICATES}"
            )
            execute("CREATE INDEX temp.duplicates_id ON duplicates (id)")
            return Pending(self, Placement(self.merging.connection))

    def _give_up(self, row: int, first: str) -> None:
        """Make of an outcome that of a duplicate; set aside what was paid."""
        found = self.merging.outcome(row)
        outcome = Recorded._make(found[:-1])
        if outcome.key is not None:
            self.merging.set_aside(found)
        problem = duplicate_id(outcome.id, outcome.source, first)
        if outcome.key is not None or outcome.message != problem.message:
            self.merging.put(
                sealed(
                    Recorded(
                        *(outcome.row, outcome.id, None, 0, 0, None, outcome.finished_at, None),
                        source=outcome.source,
                        error_class=problem.error_class.value,
                        message=problem.message,
                        sample=outcome.sample,
                    )
                )
            )

    def _source(self, row: int) -> str:
        return str(Recorded._make(self.merging.outcome(row)[:-1]).source)


@dataclass(frozen=True, slots=True)
class Pending:
    """Rows without an outcome, which may have the id of a later one that has."""

    claims: Claims
    placement: Placement

    def at_stake(self, ids: Sequence[str]) -> set[str]:
        """Return those of `ids` that a row with an outcome has, or what is set aside."""
        places = ", ".join("?" * len(ids))
        with translated(self.claims.merging.path):
            found = self.claims.merging.connection.execute(
                f"SELECT id FROM main.outcomes WHERE key IS NOT NULL AND id IN ({places}) "
                f"UNION SELECT id FROM temp.aside WHERE id IN ({places})",
                (*ids, *ids),
            ).fetchall()
        return {row_id for (row_id,) in found}

    def claim(self, request: Request) -> None:
        """Let a row have its id, unless an earlier one has it; and the answer set aside for it.

        To be told of rows in their order.
        """
        merging, samples = self.claims.merging, self.claims.samples
        execute = merging.connection.execute
        with translated(merging.path):
            row = request.row // samples
            (before,) = execute(
                "SELECT EXISTS (SELECT 1 FROM main.outcomes WHERE id = ? AND key IS NOT NULL "
                f"AND row / {samples} < ?)",
                (request.id, row),
            ).fetchone()
            if self.placement.place(request) is not None or before:
                return
            later = execute(
                "SELECT row FROM main.outcomes WHERE id = ?1 AND key IS NOT NULL "
                f"AND row / {samples} > ?2 UNION SELECT row FROM temp.duplicates "
                f"WHERE id = ?1 AND row / {samples} > ?2",
                (request.id, row),
            ).fetchall()
            for (number,) in later:
                self.claims._give_up(number, str(request.source))  # noqa: SLF001 -- one of two halves
            take_back(merging.connection, request)
