"""A run is killed while it asks again for answers that do not hold what the job wants."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from batcher.checkpoint import CheckpointReader
from batcher.simulator import read_ledger
from tests.faults.case import FINISHED, case
from tests.faults.children import Parent
from tests.faults.torture import undisturbed_s

KILLS = 12


def test_51_killed_while_it_asks_again_a_run_asks_no_further_than_it_must(
    parent: Parent, tmp_path: Path, seed: int
) -> None:
    """Each request, also one for a better answer, is made once, but for those a kill has lost."""
    chance = random.Random(f"{seed}/51")  # noqa: S311 -- no secret
    length_s = undisturbed_s(parent, _folder(tmp_path, "undisturbed"))
    with case(
        parent,
        _folder(tmp_path, "killed"),
        *("--field", "label=pos,neg"),
        rows=40,
        concurrency=4,
        latency=0.03,
        simulated=("--sim-fault", "broken_json=0.5"),
    ) as run:
        kills = 0
        for _ in range(KILLS):
            child = run.start()
            time.sleep(chance.uniform(0, length_s))
            child.kill()
            kills += run.ended(child) < 0
        assert run.ended(run.start()) == FINISHED
        ledger = read_ledger(run.folder / "ledger.jsonl")
        requests = Counter(call.prompt_key for call in ledger)
        lost = requests.total() - len(requests)
        assert lost <= kills * run.concurrency
        with CheckpointReader.read(run.seen / "checkpoint.db") as checkpoint:
            counts = checkpoint.counts()
            assert checkpoint.invalid_answers() == {}
        assert len(requests) == counts.attempts - counts.ambiguous_attempts
        assert counts.repairs == len(requests) - 40 > 0
        assert counts.killed_calls + counts.ambiguous_attempts >= lost
        results = pq.read_table(run.seen / "results.parquet")
        errors = pq.read_table(run.seen / "errors.parquet")
        assert results.num_rows + errors.num_rows == 41
        assert set(results["out.label"].to_pylist()) <= {"pos", "neg"}
        broken = errors.to_pylist()
        assert {row["error_class"] for row in broken if row["id"] != "id-bad"} <= {"invalid_output"}
        assert all(row["response"] for row in broken if row["id"] != "id-bad")


def _folder(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name
