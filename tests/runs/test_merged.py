"""What is told of a merge, and what it leaves beside its checkpoint."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batcher.checkpoint import Checkpoint, RowSet
from batcher.errors import OutputError
from batcher.runs.directory import RunDirectory
from batcher.runs.merge import merge_runs
from batcher.runs.merged import Merged, _where
from batcher.runs.selection import Portion
from batcher.runs.shard import Shard
from batcher.runs.sources import SourceRun
from tests.simulated import Place


def _shard(place: Place, shard: Shard, **tables: object) -> RunDirectory:
    directory = place.folder / f"{shard.number}-of-{shard.of}"
    job = place.job(output={"directory": str(directory)}, **tables)
    replace(place.session(job), portion=Portion(shard=shard)).run()
    return RunDirectory(directory)


def _merge(place: Place, *directories: RunDirectory) -> Merged:
    return merge_runs(directories, RunDirectory(place.folder / "all"))


@pytest.mark.parametrize(
    ("shards", "done", "told"),
    [
        ([Shard(1, 1)], range(10), []),
        ([Shard(2, 2), Shard(1, 3)], [0, 1, 2, *range(5, 10)], ["2 pending of rows 3 to 4, in"]),
        ([Shard(1, 2), Shard(2, 3)], range(8), ["4 pending of rows 6 to 9, in none of these"]),
        ([Shard(1, 2), Shard(2, 2)], range(9), ["1 pending of shard 2 of 2: rows 5 to 9 ("]),
    ],
)
def test_pending_rows_are_told_by_shards_and_by_what_is_in_none(
    place: Place, shards: Sequence[Shard], done: Sequence[int], told: Sequence[str]
) -> None:
    """Shards may overlap, and those of several numbers may be merged."""
    sources = [SourceRun.read(_shard(place, shard)) for shard in shards]
    held = RowSet(done[:6] if told and "6 to 9" in told[0] else done)
    lines = list(_where([one for one in sources if one], [], held, 10))
    assert len(lines) == len(told)
    assert all(line.startswith(start) for line, start in zip(lines, told, strict=True))


def test_a_report_that_cannot_be_written_spoils_no_merge(place: Place) -> None:
    (place.folder / "all" / "report.html").mkdir(parents=True)
    (place.folder / "all" / "report.html" / "something").touch()
    shard = _shard(place, Shard(1, 1))
    with pytest.raises(OutputError, match=r"holds report\.html but no checkpoint"):
        _merge(place, shard)
    (place.folder / "all" / "report.html").rename(place.folder / "aside")
    _merge(place, shard)
    (place.folder / "all" / "report.html").unlink()
    (place.folder / "aside").rename(place.folder / "all" / "report.html")
    merged = _merge(place, shard)
    assert merged.exit_code == 0
    assert str(merged.summary.report).startswith("not written: ")


def test_without_a_report_there_is_none_and_its_description_is_that_of_all(place: Place) -> None:
    merged = _merge(place, _shard(place, Shard(1, 1), observe={"report": False}))
    assert merged.summary.report is None
    assert not Path(merged.directory.report).exists()
    facts = merged.directory.description_facts()
    assert (facts["rows"], facts["results"], facts["simulated"]) == (10, 10, True)


def test_outputs_of_shards_go_into_folders_and_those_of_the_merge_beside_them(
    place: Place,
) -> None:
    """One job serves for all of them."""
    out = place.folder / "out"
    out.mkdir()
    shards = []
    for number in (1, 2):
        directory = place.folder / str(number)
        job = place.job(output={"directory": str(directory), "to": f"file://{out}"})
        replace(place.session(job), portion=Portion(shard=Shard(number, 2))).run()
        shards.append(RunDirectory(directory))
    merged = _merge(place, *shards)
    assert merged.exit_code == 0
    assert f"  to        file://{out}" in list(merged.summary.lines())
    found = {
        str(path.relative_to(out)): pq.read_metadata(path).num_rows
        for path in out.rglob("results.parquet")
    }
    assert found == {"1-of-2/results.parquet": 5, "2-of-2/results.parquet": 5} | {
        "results.parquet": 10
    }
    assert (out / "report.html").read_bytes() == merged.directory.report.read_bytes()
    shutil.rmtree(out)
    out.write_text("in the way")
    merged = _merge(place, *shards)
    assert merged.exit_code == 74
    assert any(line.startswith("            Nothing is lost") for line in merged.summary.lines())


def test_neither_a_shard_nor_a_merge_writes_over_the_input(place: Place) -> None:
    """A merge puts its files at the URL, its shards in folders below; so the first is refused."""
    rows = pa.Table.from_pylist([{"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(4)])
    given = place.folder / "results.parquet"
    pq.write_table(rows, given)
    before = given.read_bytes()
    directory = place.folder / "1"
    output = {"directory": str(directory)}
    for to in (place.folder, place.folder / "none"):
        job = place.job(input=[str(given)], output={**output, "to": f"file://{to}"})
        session = replace(place.session(job), portion=Portion(shard=Shard(1, 1)))
        if to == place.folder:
            with pytest.raises(OutputError, match="is the input and would be overwritten"):
                session.run()
        else:
            session.run()
    with Checkpoint.open(directory / "checkpoint.db") as checkpoint:
        known: Any = checkpoint.fact("job")
        known["output"]["to"] = f"file://{place.folder}"
        checkpoint.remember(job=known)
    with pytest.raises(OutputError, match="is the input and would be overwritten"):
        _merge(place, RunDirectory(directory))
    assert given.read_bytes() == before
