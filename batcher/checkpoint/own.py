"""What was done in a merged checkpoint since it was made, told from what it took from others.

So that a merge can be made anew once these went on. Beside what it took that can change since
(errors are called again, rows that were sent without an answer get one), a merged checkpoint keeps
which call each of its outcomes is of, in tables whose names begin with `taken`.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from batcher.checkpoint.connection import damaged, transaction, translated
from batcher.checkpoint.encoding import decoded, decoded_invalid, encoded_invalid, sealed
from batcher.checkpoint.merging import Merging
from batcher.checkpoint.rivals import Row, one_of
from batcher.checkpoint.schema import COLUMNS, SUMMED
from batcher.recorded import Recorded
from batcher.records import InvalidAnswer, Usage

_TAKEN = {
    "calls": "SELECT row, finished_at FROM main.outcomes WHERE key IS NOT NULL",
    "errors": f"SELECT {COLUMNS} FROM main.outcomes WHERE key IS NOT NULL "
    "AND error_class IS NOT NULL",
    "aside": "SELECT key, finished_at FROM main.shelved",
    "unanswered": "SELECT * FROM main.unanswered",
    "invalid_answers": "SELECT * FROM main.invalid_answers",
    "histograms": "SELECT * FROM main.histograms",
    "ends": "SELECT (SELECT coalesce(max(number), 0) FROM main.processes) AS process, "
    "(SELECT coalesce(max(rowid), 0) FROM main.failed_attempts) AS attempt",
}
_KEYED = {"calls": "row", "errors": "row", "aside": "key", "unanswered": "key"} | {
    "invalid_answers": "key"
}


@dataclass(frozen=True, slots=True)
class OwnWork:
    """Takes what an earlier merge did itself into a new one, once all that it was made of is in."""

    merging: Merging

    def keep_taken(self) -> None:
        """Note what a merged checkpoint took from others: before `add`, and before ids are settled.

        Raises:
            StorageError: that cannot be written.
        """
        execute = self.merging.connection.execute
        with translated(self.merging.path):
            for name, query in _TAKEN.items():
                execute(f"CREATE TABLE taken_{name} AS {query}")
            for name, key in _KEYED.items():
                execute(f"CREATE UNIQUE INDEX taken_{name}_{key} ON taken_{name} ({key})")

    def add(self, earlier: Path) -> None:
        """Take in what was done in the checkpoint of an `earlier` merge.

        Raises:
            StorageError: it is damaged.
        """
        with (
            translated(f"{earlier} or {self.merging.path}"),
            self.merging.attached(earlier),
            transaction(self.merging.connection),
        ):
            self.merging.examine(earlier)
            self._add_outcomes(earlier)
            self._add_aside()
            self._add_sums()
            self._add_invalid(earlier)
            process, attempt = self.merging.connection.execute(
                "SELECT process, attempt FROM source.taken_ends"
            ).fetchone()
            self.merging.add_history(process, attempt)

    def _add_outcomes(self, earlier: Path) -> None:
        merging = self.merging
        for (row,) in merging.each(
            "SELECT o.row FROM source.outcomes o LEFT JOIN main.outcomes m ON m.row = o.row "
            "LEFT JOIN source.taken_calls t ON t.row = o.row AND t.finished_at = o.finished_at "
            # Also what a source has lost since.
            "WHERE m.row IS NULL OR (o.key IS NOT NULL AND t.row IS NULL)"
        ):
            own = self._less(earlier, merging.outcome(row, "source"))
            mine = merging.outcome(row)
            kept = one_of(mine, own) if mine else None
            merging.put(kept.row if kept else own)
            if kept and kept.aside is not None:
                merging.set_aside(kept.aside)

    def _less(self, earlier: Path, row: Row) -> Row:
        """Return an outcome less what was taken over of its key before it was called here."""
        outcome = Recorded._make(row[:-1])
        if outcome.key is None:
            return row
        execute = self.merging.connection.execute
        sums = dict.fromkeys(SUMMED, 0)
        for found in execute(
            f"SELECT {COLUMNS} FROM source.taken_errors WHERE row = ? AND finished_at <> ?",
            (outcome.row, outcome.finished_at),
        ).fetchall():
            before = decoded(found)
            if before is None:
                raise damaged(earlier, f"the earlier outcome of row {outcome.row} is not whole")
            for name in SUMMED:
                sums[name] += getattr(before, name) or 0
        calls, cost = execute(
            "SELECT coalesce(sum(calls), 0), coalesce(sum(cost), 0) FROM source.taken_unanswered t "
            "WHERE key = ? AND NOT EXISTS (SELECT 1 FROM source.unanswered u WHERE u.key = t.key)",
            (outcome.key,),
        ).fetchone()
        sums["ambiguous_attempts"] += calls
        sums["possible_cost"] += cost
        for answer in self._taken_answers(outcome.key, absorbed=True):
            sums["attempts"] += answer.answers
            sums["repairs"] += answer.repairs
            sums["cost"] += answer.cost or 0
            for name, tokens in zip(_TOKENS, astuple(answer.completion.usage), strict=True):
                sums[name] += tokens or 0
        less: dict[str, Any] = {name: _less(getattr(outcome, name), sums[name]) for name in SUMMED}
        return sealed(outcome._replace(**less))

    def _taken_answers(self, key: str, *, absorbed: bool) -> list[InvalidAnswer]:
        """Return the answer of no use that was taken over for a key, if there was one.

        Either one that an outcome has `absorbed`, as the next one of its key does, or any.
        """
        there = "SELECT 1 FROM source.invalid_answers i WHERE i.key = t.key"
        found = self.merging.connection.execute(
            f"SELECT * FROM source.taken_invalid_answers t WHERE key = ? "
            f"AND NOT ({absorbed} AND EXISTS ({there}))",
            (key,),
        )
        return [answer for row in found if (answer := decoded_invalid(row)) is not None]

    def _add_aside(self) -> None:
        for row in self.merging.connection.execute(
            f"SELECT {COLUMNS} FROM source.shelved s WHERE NOT EXISTS (SELECT 1 FROM "
            "source.taken_aside t WHERE t.key = s.key AND t.finished_at = s.finished_at)"
        ):
            self.merging.set_aside(row)

    def _add_sums(self) -> None:
        execute = self.merging.connection.execute
        execute(
            "INSERT INTO main.unanswered SELECT o.key, o.calls - coalesce(t.calls, 0), "
            "max(0, o.cost - coalesce(t.cost, 0)) FROM source.unanswered o "
            "LEFT JOIN source.taken_unanswered t USING (key) WHERE o.calls > coalesce(t.calls, 0) "
            "ON CONFLICT DO UPDATE SET calls = calls + excluded.calls, cost = cost + excluded.cost"
        )
        execute(
            "INSERT INTO main.histograms SELECT o.kind, o.magnitude, "
            "o.figures - coalesce(t.figures, 0) FROM source.histograms o "
            "LEFT JOIN source.taken_histograms t USING (kind, magnitude) WHERE true "
            "ON CONFLICT DO UPDATE SET figures = figures + excluded.figures"
        )

    def _add_invalid(self, earlier: Path) -> None:
        for row in self.merging.connection.execute("SELECT * FROM source.invalid_answers"):
            answer = decoded_invalid(row)
            if answer is None:
                raise damaged(earlier, f"an answer for the key {row[0]} is not what was written")
            own = answer
            for before in self._taken_answers(answer.key, absorbed=False):
                if before.answers == answer.answers:
                    break
                own = _answers_since(before, answer)
            else:
                self.merging.put_invalid(encoded_invalid(own))


_TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")


def _answers_since(before: InvalidAnswer, answer: InvalidAnswer) -> InvalidAnswer:
    """Return an answer less the sums of those that came before it."""
    known, past = astuple(answer.completion.usage), astuple(before.completion.usage)
    usage = Usage(*(_less(now, then or 0) for now, then in zip(known, past, strict=True)))
    return replace(
        answer,
        completion=replace(answer.completion, usage=usage),
        repairs=answer.repairs - before.answers,
        cost=_less(answer.cost, before.cost or 0),
    )


def _less(amount: int | None, past: int) -> int | None:
    return None if amount is None else max(0, amount - past)
