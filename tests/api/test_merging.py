"""`batcher.merge`, and `shard=` of `batcher.run`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import batcher
from batcher.api.options import PathName

AT_ONCE = batcher.SimulatorConfig(latency_s=0)


@pytest.fixture
def prompts(folder: Path) -> str:
    rows = ({"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(10))
    (folder / "prompts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return "prompts.jsonl"


def _run(prompts: str, **options: Any) -> batcher.Result:  # noqa: ANN401 -- those of `run`
    return batcher.run(prompts, simulate=AT_ONCE, progress=False, report=False, **options)


def test_shards_are_run_and_merged(prompts: str) -> None:
    shards = [_run(prompts, shard=(number, 3)) for number in (1, 2, 3)]
    assert [shard.succeeded for shard in shards] == [3, 3, 4]
    assert all(shard.ok for shard in shards)
    assert shards[1].directory == Path("prompts.2-of-3.batch")
    merged = batcher.merge([shard.directory for shard in shards], output="all.batch")
    assert (merged.ok, merged.succeeded, merged.failed, merged.pending) == (True, 10, 0, 0)
    assert merged.results().read_all().column("row").to_pylist() == list(range(10))
    assert merged.attempts == 10
    assert "Merged: 3 runs." in str(merged)
    assert (
        repr(merged)
        == "<batcher.Result all.batch: 10 results, 0 errors, 0 pending, "
        + (repr(merged).partition("0 pending, ")[2])
    )


def test_what_is_pending_is_called_by_a_run_of_the_merged_directory(prompts: str) -> None:
    merged = batcher.merge([_run(prompts, shard=(1, 2)).directory], output=Path("all.batch"))
    assert (merged.ok, merged.pending, merged.exported, merged.halted) == (False, 5, True, None)
    assert _run(prompts, output="all.batch").attempts == 10


@pytest.mark.parametrize("kind", [str, Path])
def test_just_one_directory_is_no_list_of_letters(
    prompts: str, kind: Callable[[Path], PathName]
) -> None:
    merged = batcher.merge(kind(_run(prompts, shard=(1, 1)).directory), output="all.batch")
    assert (merged.ok, merged.succeeded) == (True, 10)


def test_a_merge_without_its_input_is_no_success(prompts: str) -> None:
    shard = _run(prompts, shard=(1, 1))
    Path(prompts).rename("gone.jsonl")
    merged = batcher.merge([shard.directory], output="all.batch")
    assert (merged.ok, merged.pending, merged.exported) == (False, 0, False)
    with pytest.raises(batcher.StorageError, match=r"batcher export all\.batch"):
        merged.results()


@pytest.mark.parametrize("shard", [(1, 2, 3), 4, "1/2", (0, 2), (1, 2.0)])
def test_what_is_no_shard_is_refused(prompts: str, shard: Any) -> None:  # noqa: ANN401 -- anything
    with pytest.raises(batcher.UsageError, match="shard"):
        _run(prompts, shard=shard)


def test_runs_that_do_not_go_together_raise(prompts: str) -> None:
    one = _run(prompts, shard=(1, 2))
    other = _run(prompts, shard=(2, 2), parameters={"temperature": 0.1})
    with pytest.raises(batcher.ConfigurationError, match="cannot be merged"):
        batcher.merge([one.directory, other.directory], output="all.batch")
