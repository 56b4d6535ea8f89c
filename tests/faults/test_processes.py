"""The process is killed at any moment, or gets too little memory or too few descriptors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from batcher.simulator import read_ledger
from tests.faults.case import FINISHED, case
from tests.faults.children import Parent
from tests.faults.torture import chains

KILLS, SHARDS = 200, 10
MIB = 1024 * 1024


@pytest.mark.parametrize("shard", range(SHARDS))
def test_02_killed_at_any_moment_a_run_loses_no_more_than_its_calls_in_flight(
    parent: Parent, tmp_path: Path, seed: int, shard: int
) -> None:
    complaints: list[str] = []
    kills = 0
    for chain in chains(parent, tmp_path, f"{seed}/{shard}"):
        complaints += [f"{chain.name}: {complaint}" for complaint in chain.complaints]
        kills += chain.kills
        if kills >= KILLS // SHARDS:
            break
    assert complaints == []


@pytest.mark.parametrize("room_mib", [0, 1, 4, 16, 32, 64, 128])
def test_04_without_memory_a_run_ends_in_order_and_loses_nothing(
    parent: Parent, tmp_path: Path, room_mib: int
) -> None:
    """Each child starts with the memory of its parent, and may have so much more."""
    size = int(Path(f"/proc/{parent.pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    with case(parent, tmp_path) as run:
        child = run.start(limits={"RLIMIT_AS": size + room_mib * MIB})
        assert run.ended(child) in (FINISHED, 70, 74), child.err
        run.finish()
        assert run.complaints == []


def test_08_too_few_descriptors_cut_the_concurrency_and_fail_no_row(
    parent: Parent, tmp_path: Path
) -> None:
    with case(parent, tmp_path, rows=300, concurrency=200, latency=0.05) as run:
        child = run.start(limits={"RLIMIT_NOFILE": 64})
        assert run.ended(child) == FINISHED, child.err
        assert "open files" in child.err
        ledger = read_ledger(run.folder / "ledger.jsonl")
        assert len(ledger) == run.rows
        assert 1 < max(call.in_flight for call in ledger) < 64
        run.finish()
        assert run.complaints == []
