"""The outcomes of two checkpoints, joined row by row, also while their runs go on.

A row is known by its id (and sample). Bad rows claim no id: they, and those that are bad in one of
the two only, meet by their number, if their ids are the same too. So each outcome has at most one
partner, whichever of the two is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from batcher.checkpoint import schema
from batcher.checkpoint.connection import connected, translated
from batcher.checkpoint.recall import recalled
from batcher.compared import Pair
from batcher.recorded import Recorded

_WIDTH = len(Recorded._fields) + 1


def pairs(a: Path, b: Path, samples: tuple[int, int] = (1, 1)) -> Iterator[Pair]:
    """Yield the pairs of two checkpoints, all of one moment: in row order of A, then only of B.

    `samples` are how many records each row has in A and in B.

    Raises:
        StorageError: one of them is damaged.
    """
    with translated(f"{a} or {b}"), connected(a) as connection:
        connection.execute("ATTACH ? AS other", (f"{b.absolute().as_uri()}?mode=rw",))
        connection.execute("PRAGMA query_only = ON")
        # Both statements see the same moment of each.
        connection.execute("BEGIN")
        for row in connection.execute(
            f"SELECT {schema.columns_of('o')}, {schema.columns_of('p')} FROM main.outcomes o "
            "LEFT JOIN other.outcomes p "
            f"ON p.row = {_partner('main', 'other', *samples)} ORDER BY o.row"
        ):
            yield Pair(_outcome(a, row[:_WIDTH]), _outcome(b, row[_WIDTH:]))
        for row in connection.execute(
            f"SELECT {schema.columns_of('o')} FROM other.outcomes o "
            f"WHERE {_partner('other', 'main', *reversed(samples))} IS NULL ORDER BY o.row"
        ):
            yield Pair(None, _outcome(b, row))


def _partner(mine: str, other: str, of_mine: int = 1, of_other: int = 1) -> str:
    """Return SQL for the record of `other` that belongs to `o`, one of `mine`; NULL for none."""
    return f"""coalesce(
        (SELECT k.row FROM {other}.outcomes k INDEXED BY outcomes_id
            WHERE o.key IS NOT NULL AND k.key IS NOT NULL AND k.id = o.id AND k.sample = o.sample),
        (SELECT s.row FROM {other}.outcomes s
            WHERE s.row = o.row / {of_mine} * {of_other} + o.sample
            AND s.id = o.id AND s.sample = o.sample AND (s.key IS NULL OR NOT EXISTS (
                SELECT 1 FROM {mine}.outcomes m INDEXED BY outcomes_id
                WHERE m.key IS NOT NULL AND m.id = o.id AND m.sample = o.sample)))
    )"""


def _outcome(path: Path, row: Sequence[Any]) -> Recorded | None:
    """Return an outcome, compared with its checksum; None where there is no row."""
    return None if row[0] is None else recalled(path, row)
