"""Runs and merges of them in any order, against what the simulator saw of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from batcher.checkpoint import CheckpointReader, ErrorChoice
from batcher.runs.directory import RunDirectory
from batcher.runs.merge import merge_runs
from batcher.runs.selection import Portion
from batcher.runs.shard import Shard
from batcher.runs.verify import verify
from batcher.simulator import LedgerEntry, SimulatorConfig, read_ledger
from tests.simulated import Place

ROWS = 6
SHARDS = {f"{number}": Shard(number, 2) for number in (1, 2)}
MERGES = ("all", "more")
# The last but one has the id of the first, and asks the same; the last one asks something else.
PROMPTS = ["Say 0.", "Say 1.", "Say 2.", "Say 3.", "Say 0.", "Say 5."]
IDS = ["a", "b", "c", "d", "a", "b"]


class Runs(RuleBasedStateMachine):
    """Two shards, a run of the whole, and merges of all these and of one another."""

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.place = Place(Path(self.folder.name))
        rows = zip(IDS, PROMPTS, strict=True)
        self.place.write({"id": row_id, "prompt": prompt} for row_id, prompt in rows)
        # Of each run, how much of its own ledger and of those of others it knows.
        self.known: dict[str, Counter[str]] = {}
        self.answers: dict[str, str] = {}
        self.made: dict[str, list[str]] = {}

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def _at(self, name: str) -> RunDirectory:
        return RunDirectory(self.place.folder / name)

    def _ledger(self, name: str) -> list[LedgerEntry]:
        ledger = self._at(name).ledger
        return read_ledger(ledger) if ledger.exists() else []

    @rule(
        name=st.sampled_from([*SHARDS, "whole", *MERGES]),
        faulty=st.booleans(),
        retry=st.booleans(),
        most=st.none() | st.integers(1, 3),
    )
    def run(self, name: str, *, faulty: bool, retry: bool, most: int | None) -> None:
        begun = name in self.known
        if name in MERGES and not begun:
            return
        job = self.place.job(
            output={"directory": str(self._at(name).path)},
            ceilings={"max_rows": most} if most else {},
            observe={"report": False},
        )
        simulator = SimulatorConfig(latency_s=0, faults={"1301": 0.5} if faulty else {}, seed=3)
        only = ErrorChoice() if retry and begun else None
        session = self.place.session(job, simulator, only=only)
        replace(session, portion=Portion(shard=SHARDS.get(name) if only is None else None)).run()
        self.known.setdefault(name, Counter())[name] = len(self._ledger(name))
        self._check(name)

    @rule(
        into=st.sampled_from(MERGES),
        names=st.lists(st.sampled_from([*SHARDS, "whole", "all"]), min_size=1, unique=True),
        twice=st.booleans(),
    )
    def merge(self, into: str, names: list[str], *, twice: bool) -> None:
        names += [name for name in self.made.get(into, []) if name not in names]
        sources = [name for name in names if name != into and name in self.known]
        if not sources:
            return
        for _ in range(1 + twice):
            merge_runs([self._at(name) for name in sources], self._at(into))
            for name in sources:
                self.known[into] = self.known.get(into, Counter()) | self.known[name]
            self.made[into] = sources
            self._check(into)

    def _check(self, name: str) -> None:
        """Every call counts once, nothing is lost, and each row has an answer to what it asks."""
        seen = [
            entry for run, calls in self.known[name].items() for entry in self._ledger(run)[:calls]
        ]
        with CheckpointReader.read(self._at(name).checkpoint) as checkpoint:
            counts = checkpoint.counts()
            history = checkpoint.history()
        assert counts.attempts == len(seen)
        assert history.latencies.buckets.total() == sum(entry.status == 200 for entry in seen)
        assert verify(self._at(name)).sound
        for row in pq.read_table(self._at(name).results).to_pylist():
            # The simulator answers the same prompt alike, and no two prompts.
            prompt = PROMPTS[row["row"]]
            assert self.answers.setdefault(prompt, row["response"]) == row["response"]
        assert len({*self.answers.values()}) == len(self.answers)


TestRuns = Runs.TestCase
TestRuns.settings = settings(max_examples=10, stateful_step_count=12, deadline=None)
