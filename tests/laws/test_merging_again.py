"""Checkpoints that are merged in any order, again and again, and go on meanwhile.

The oracle is the set of calls that each of them can know of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from batcher.checkpoint import Checkpoint, CheckpointReader, Claims, Merging, OfRun, Settlement
from batcher.errors import ErrorClass, Problem
from batcher.recorded import Counts, Recorded
from batcher.records import (
    Attempt,
    Completion,
    Failure,
    InvalidAnswer,
    Source,
    Success,
    Unanswered,
    Usage,
    duplicate_id,
)

Kind = Literal["result", "error", "no use", "unanswered"]
KINDS: list[Kind] = ["result", "error", "no use", "unanswered"]


class Call(NamedTuple):
    """A call that was made: what it adds to the sums of its key."""

    number: int
    key: str
    kind: Kind

    @property
    def sums(self) -> tuple[int, int, int, int, int]:
        """Attempts, calls that were not answered, tokens, cost, possible cost; each its own."""
        if self.kind == "unanswered":
            return 0, 1, 0, 0, 1 << 10
        return 1, 0, self.number, 1 << 10, 0


class Row(NamedTuple):
    """A row of the input, with its id, and what it asks."""

    id: str
    asked: str

    @property
    def key(self) -> str:
        return f"{self.id} asks {self.asked}"


# Row 3 is row 0 once more; row 4 has the id of row 1 and asks something else.
ROWS = [Row("a", "A"), Row("b", "B"), Row("c", "C"), Row("a", "A"), Row("b", "D"), Row("e", "E")]
# The first two are shards of the input, the others runs of all of it; of these two are merges.
RUNS = {"front": range(3), "back": range(3, 6), "whole": range(6)}
MERGES = {"merge": range(6), "merge of merge": range(6)}


@dataclass
class Known:
    """A checkpoint, and the calls that it can know of."""

    path: Path
    rows: range
    calls: set[Call] = field(default_factory=set)
    made: set[str] = field(default_factory=set)

    def counts(self) -> Counts:
        with CheckpointReader.read(self.path) as checkpoint:
            return checkpoint.counts()

    def outcomes(self) -> dict[int, Recorded]:
        with CheckpointReader.read(self.path) as checkpoint:
            return {outcome.row: outcome for outcome in checkpoint.outcomes()}


class Merges(RuleBasedStateMachine):
    """Calls in any checkpoint, and merges of any of them, in any order."""

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.number = 0
        self.known: dict[str, Known] = {}
        for name, rows in {**RUNS, **MERGES}.items():
            self.known[name] = Known(Path(self.folder.name) / f"{name}.db", rows)
        for name in RUNS:
            with Checkpoint.open(self.known[name].path):
                pass

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def _begun(self) -> Iterator[str]:
        return (name for name, known in self.known.items() if known.path.exists())

    @rule(
        data=st.data(),
        kinds=st.lists(
            st.tuples(st.integers(0, 5), st.sampled_from(KINDS)),
            min_size=1,
            max_size=6,
        ),
    )
    def run(self, data: st.DataObject, kinds: list[tuple[int, Kind]]) -> None:
        """Call rows of a run that are pending, or are errors, as a process does."""
        known = self.known[data.draw(st.sampled_from(sorted(self._begun())))]
        with Checkpoint.open(known.path) as checkpoint:
            checkpoint.begin_process(100)
            for row, kind in kinds:
                if row in known.rows:
                    self._call(known, checkpoint, row, kind)

    def _call(self, known: Known, checkpoint: Checkpoint, row: int, kind: Kind) -> None:
        row_id, _ = ROWS[row]
        key, source = ROWS[row].key, Source("prompts.jsonl", row + 1)
        done = {outcome.row: outcome for outcome in checkpoint.outcomes()}
        first = min(n for n in known.rows if ROWS[n].id == row_id)
        if first < row:
            problem = duplicate_id(row_id, source, Source("prompts.jsonl", first + 1))
            if row not in done:
                checkpoint.write([Failure(row, row_id, None, problem, (), 1.0, source)])
            return
        if row in done and done[row].error_class is None:
            return
        self.number += 1
        call = Call(self.number, key, kind)
        known.calls.add(call)
        if kind == "unanswered":
            checkpoint.write((), (), [Unanswered(key, call.sums[4])])
            return
        before = checkpoint.invalid_answers().get(key)
        sent, possible = (found.get(key, 0) for found in checkpoint.unanswered())
        usage, cost = Usage(self.number, 1), 1 << 10
        if before is not None:
            usage = Usage(self.number + (before.completion.usage.prompt_tokens or 0), 1)
            cost += before.cost or 0
        completion = Completion(f"{key}: {self.number}", None, None, "stop", "glm-4-flash", usage)
        if kind == "no use":
            repairs = before.answers if before else 0
            checkpoint.write([InvalidAnswer(key, completion, "no use", repairs, cost)])
            return
        attempt = Attempt(1, f"r{self.number}", 1.0, 0.5)
        outcome: Success | Failure = Success(
            *(row, row_id, key, completion, (attempt,), float(self.number), source),
            answered_before=before.answers if before else 0,
            unanswered_before=sent,
            possible_cost=possible,
            cost=cost,
            currency="CNY",
        )
        if kind == "error":
            problem = Problem(ErrorClass.SERVER_ERROR, "it failed", "500", 500)
            outcome = Failure(
                *(row, row_id, key, problem, (replace(attempt, problem=problem),)),
                *(float(self.number), source, completion),
                answered_before=outcome.answered_before,
                unanswered_before=sent,
                possible_cost=possible,
                cost=cost,
                currency="CNY",
            )
        checkpoint.write([outcome])

    @rule(
        into=st.sampled_from(sorted(MERGES)),
        names=st.lists(
            st.sampled_from([*sorted(RUNS), "merge"]), min_size=1, max_size=4, unique=True
        ),
    )
    def merge(self, into: str, names: list[str]) -> None:
        """Merge some checkpoints, and those that a merge that is there was made of."""
        to = self.known[into]
        names += sorted(to.made - {*names})
        sources = [name for name in names if name != into and self.known[name].path.exists()]
        if not sources:
            return
        self._merge(to, into, sources)

    def _merge(self, to: Known, into: str, sources: list[str]) -> None:
        taken = [*sources, *([into] if to.path.exists() else [])]
        before = {name: self.known[name].outcomes() for name in taken}
        with Merging.begun(to.path) as merging:
            merging.add([OfRun(name, self.known[name].path) for name in taken])
            Claims(merging).settle()
            Settlement(merging, "CNY").settle()
        to.made |= {*sources}
        for name in sources:
            to.calls |= self.known[name].calls
        after = {outcome.key for outcome in to.outcomes().values() if outcome.error_class is None}
        with CheckpointReader.read(to.path) as checkpoint:
            after |= {one.key for one in checkpoint._intact("shelved") if one.error_class is None}
        answered = {
            outcome.key
            for outcomes in before.values()
            for outcome in outcomes.values()
            if outcome.error_class is None
        }
        assert answered <= after

    @rule(into=st.sampled_from(sorted(MERGES)))
    def merge_again(self, into: str) -> None:
        """The same command twice."""
        to = self.known[into]
        if to.made:
            self._merge(to, into, sorted(to.made))
            before = to.counts(), to.outcomes()
            self._merge(to, into, sorted(to.made))
            assert (to.counts(), to.outcomes()) == before

    @invariant()
    def every_call_counts_once(self) -> None:
        for name in self._begun():
            known = self.known[name]
            counts = known.counts()
            expected = [sum(call.sums[at] for call in known.calls) for at in range(5)]
            assert [
                counts.attempts,
                counts.ambiguous_attempts,
                counts.prompt_tokens,
                counts.cost,
                counts.possible_cost,
            ] == expected, name

    @invariant()
    def every_row_has_its_own_answer(self) -> None:
        for name in self._begun():
            known = self.known[name]
            numbers = defaultdict(set)
            for call in known.calls:
                numbers[call.key].add(call.number)
            for row, outcome in known.outcomes().items():
                if outcome.key is not None:
                    key, number = str(outcome.response).split(": ")
                    assert key == outcome.key == ROWS[row].key
                    assert int(number) in numbers[key]


TestMerges = Merges.TestCase
TestMerges.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
