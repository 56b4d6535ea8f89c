"""The sums of what is merged: each outcome gets those of all calls of its key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from batcher.checkpoint.connection import transaction, translated
from batcher.checkpoint.encoding import decoded_invalid, encoded_invalid, sealed
from batcher.checkpoint.merging import Merging
from batcher.checkpoint.rivals import Row
from batcher.checkpoint.schema import PENDING
from batcher.recorded import Recorded
from batcher.records import Usage

_Sums = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Settlement:
    """Settles what several checkpoints have spent on one key, in `currency`."""

    merging: Merging
    currency: str | None = None

    def settle(self) -> None:
        """Give what is kept of each key the sums of all, once it is known which rows have them.

        Raises:
            StorageError: that cannot be written.
        """
        merging = self.merging
        with translated(merging.path), transaction(merging.connection):
            for key, row, sums in merging.shares.together():
                if row is not None:
                    self._forget_pending(key)
                    merging.put(self._with(merging.outcome(row), sums))
                elif aside := merging.aside(key):
                    self._forget_pending(key)
                    merging.put_aside(self._with(aside, sums))
                else:
                    self._settle_pending(key, sums)

    def _with(self, row: Row, sums: _Sums) -> Row:
        outcome = Recorded._make(row[:-1])
        currency = outcome.currency
        if sums["cost"] is not None or sums["possible_cost"]:
            currency = currency or self.currency
        return sealed(outcome._replace(currency=currency, **sums))

    def _forget_pending(self, key: str) -> None:
        for table in PENDING:
            self.merging.connection.execute(f"DELETE FROM main.{table} WHERE key = ?", (key,))

    def _settle_pending(self, key: str, sums: _Sums) -> None:
        """Give the sums to what is known of a row that has no outcome.

        Answers of no use that came to several count as repairs of one another.
        """
        execute = self.merging.connection.execute
        if sums["ambiguous_attempts"]:
            execute(
                "INSERT OR REPLACE INTO main.unanswered VALUES (?, ?, ?)",
                (key, sums["ambiguous_attempts"], sums["possible_cost"] or 0),
            )
        found = execute("SELECT * FROM main.invalid_answers WHERE key = ?", (key,)).fetchone()
        answer = decoded_invalid(found) if found else None
        if answer is not None and sums["attempts"]:
            tokens = ("prompt", "completion", "cached", "reasoning")
            usage = Usage(*(sums[f"{name}_tokens"] for name in tokens))
            self.merging.put_invalid(
                encoded_invalid(
                    replace(
                        answer,
                        completion=replace(answer.completion, usage=usage),
                        repairs=sums["attempts"] - 1,
                        cost=sums["cost"],
                    )
                )
            )
