"""What may have been spent and is in no outcome, in facts; of two checkpoints, made one.

Of what was in flight when a process was killed, only bounds are known, and not which of it two
checkpoints have from one backup. So bounds are added up: they may be too high then, and never too
low.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from batcher.checkpoint.counting import counts_in
from batcher.checkpoint.facts import fact_in
from batcher.checkpoint.ownership import orphaned
from batcher.checkpoint.reader import CUT_SHORT, KILLED_CALLS

SPENT_COST = "spent_cost"
"""The fact that says what a run may have spent at most, in nanos; none where it has no ceiling."""
SPENT_TOKENS = "spent_tokens"
"""The same, in tokens."""
BESIDE = {SPENT_COST: "beside_cost", SPENT_TOKENS: "beside_tokens"}
"""The facts that say how much of these was in no count when the last process began.

For it stays so, while what others record, who have no such ceiling, lets the counts grow over what
one with it put down.
"""


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """Calls in flight at kills, copies made on the way, and what may have been spent beside."""

    killed: int
    cut_short: int
    beside: Mapping[str, int]

    @classmethod
    def of(cls, connection: sqlite3.Connection, path: Path) -> Unrecorded:
        """Read it from the checkpoint at `path`, which `connection` sees.

        Raises:
            StorageError: a fact is not what was remembered.
        """

        def amount(name: str) -> int:
            fact = fact_in(connection, path, name)
            return fact if isinstance(fact, int) else 0

        recorded = _recorded(connection)
        beside = {
            name: max(0, amount(BESIDE[name]), amount(name) - spent)
            for name, spent in recorded.items()
        }
        return cls(amount(KILLED_CALLS), amount(CUT_SHORT), beside)

    @property
    def is_nothing(self) -> bool:
        """Whether no process was killed that may have spent anything."""
        return not self.killed and not any(self.beside.values())

    def and_orphaned(self, connection: sqlite3.Connection) -> Unrecorded:
        """Return it with what the last process, which was killed, left in flight."""
        return Unrecorded(self.killed + orphaned(connection), self.cut_short, self.beside)

    def facts_with(self, other: Unrecorded, connection: sqlite3.Connection) -> dict[str, object]:
        """Return the facts of both, once `connection` sees what both recorded."""
        facts: dict[str, object] = {
            KILLED_CALLS: self.killed + other.killed,
            # That it happened is what is told, and both may have it from one backup.
            CUT_SHORT: max(self.cut_short, other.cut_short),
        }
        for name, spent in _recorded(connection).items():
            if beside := self.beside[name] + other.beside[name]:
                facts[name] = spent + beside
        return {name: amount for name, amount in facts.items() if amount}


def _recorded(connection: sqlite3.Connection) -> dict[str, int]:
    counts = counts_in(connection, 0, 0, None)
    return {SPENT_COST: counts.most_cost, SPENT_TOKENS: counts.tokens}
