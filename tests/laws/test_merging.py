"""Shards that are merged end as one run of the whole input, however they were broken off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.checkpoint import CheckpointReader
from batcher.runs.directory import RunDirectory
from batcher.runs.merge import merge_runs
from batcher.runs.selection import Portion
from batcher.runs.shard import Shard, part_in
from batcher.runs.verify import verify
from batcher.simulator import SimulatorConfig, read_ledger
from tests.simulated import Place

Kind = Literal["good", "bad line", "no prompt", "same id", "same row", "nameless"]

KINDS: st.SearchStrategy[Kind] = st.sampled_from(
    ["good", "good", "bad line", "no prompt", "same id", "same row", "nameless"]
)


def _line(number: int, kind: Kind, twin: int) -> dict[str, object] | str:
    match kind:
        case "bad line":
            return "{bad"
        case "no prompt":
            return {"id": f"id-{twin}", "text": "nothing to ask"}
        case "same id":
            return {"id": f"id-{twin}", "prompt": f"Again {number}."}
        case "same row":
            return {"id": f"id-{twin}", "prompt": f"Say {twin}."}
        case "nameless":
            return {"prompt": f"Say {number}."}
        case _:
            return {"id": f"id-{number}", "prompt": f"Say {number}."}


def _outputs(directory: RunDirectory) -> tuple[Sequence[object], Sequence[object]]:
    """Return what is the same however a run was divided: all but times and numbers of calls."""
    answers = [
        tuple(row.get(name) for name in ("row", "id", "sample", "key", "response", "prompt"))
        for row in pq.read_table(directory.results).to_pylist()
    ]
    errors = [
        tuple(row.get(name) for name in ("row", "id", "sample", "error_class", "message"))
        for row in pq.read_table(directory.errors).to_pylist()
    ]
    return answers, errors


def _asked(directory: RunDirectory) -> Counter[str | None]:
    if not directory.ledger.exists():
        return Counter()
    return Counter(entry.prompt for entry in read_ledger(directory.ledger))


def _shard_of(directory: RunDirectory) -> Shard | None:
    with CheckpointReader.read(directory.checkpoint) as checkpoint:
        part = part_in(checkpoint)
    return part.shard if part else None


class Divided(Place):
    """A place where the input is also run in parts."""

    def part(self, name: str) -> RunDirectory:
        return RunDirectory(self.folder / name)

    def begin(
        self, directory: RunDirectory, samples: int, portion: Portion, most: int | None = None
    ) -> None:
        job = self.job(
            sampling={"samples": samples},
            output={"directory": str(directory.path)},
            ceilings={"max_rows": most} if most else {},
            observe={"report": False},
        )
        faults = {"1301": 0.2} if samples == 1 else {}
        simulator = SimulatorConfig(latency_s=0, faults=faults, seed=3)
        replace(self.session(job, simulator), portion=portion).run()


@settings(max_examples=15)
@given(
    kinds=st.lists(st.tuples(KINDS, st.integers(0, 5)), min_size=1, max_size=14),
    samples=st.integers(1, 3),
    # Of each shard: whether it was run to its end, after how many rows it stopped, or not at all.
    shards=st.lists(st.none() | st.integers(0, 4), min_size=1, max_size=4),
    again=st.booleans(),
)
def test_merged_shards_are_one_run_and_no_row_is_called_twice(
    kinds: Sequence[tuple[Kind, int]], samples: int, shards: Sequence[int | None], *, again: bool
) -> None:
    with TemporaryDirectory() as folder:
        place = Divided(Path(folder))
        place.write(_line(n, kind, min(twin, n)) for n, (kind, twin) in enumerate(kinds))
        whole, merged = place.part("whole"), place.part("merged")
        place.begin(whole, samples, Portion())
        begun = []
        for number, most in enumerate(shards, 1):
            if most != 0:
                shard = Shard(number, len(shards))
                begun.append(place.part(str(shard)))
                place.begin(begun[-1], samples, Portion(shard=shard), most)
        if not begun:
            return
        merge_runs(begun, merged)
        assert verify(merged).sound
        place.begin(merged, samples, Portion())
        assert verify(merged).sound
        assert _outputs(merged) == _outputs(whole)
        asked = sum((_asked(one) for one in (*begun, merged)), Counter[str | None]())
        prompts = Counter(
            f"Say {min(twin, n) if kind == 'same row' else n}."
            for n, (kind, twin) in enumerate(kinds)
        )
        assert all(
            asked[prompt] <= rows * samples for prompt, rows in prompts.items() if prompt in asked
        )
        if again:
            # What was called in the merge meanwhile is called in the shards, too: paid twice.
            for directory in begun:
                place.begin(directory, samples, Portion(shard=_shard_of(directory)))
            merge_runs(begun, merged)
            assert verify(merged).sound
            assert _outputs(merged) == _outputs(whole)
            asked = sum((_asked(one) for one in (*begun, merged)), Counter[str | None]())
        with CheckpointReader.read(merged.checkpoint) as checkpoint:
            assert checkpoint.counts().attempts == asked.total()
