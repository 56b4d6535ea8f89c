"""The runs that a merge is made of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batcher.checkpoint import Checkpoint
from batcher.runs.directory import RunDirectory
from batcher.runs.selection import Portion
from batcher.runs.shard import Shard
from batcher.runs.sources import SourceRun, job_of, sources_of
from tests.simulated import Place


def _source(place: Place, number: int = 1, **ceilings: object) -> SourceRun:
    directory = place.folder / f"{number}.batch"
    job = place.job(output={"directory": str(directory)}, ceilings=ceilings)
    replace(place.session(job), portion=Portion(shard=Shard(number, 2))).run()
    source = SourceRun.read(RunDirectory(directory))
    assert source is not None
    return source


def test_a_run_is_read_as_its_checkpoint_knows_it(place: Place) -> None:
    source = _source(place)
    assert (source.rows, source.samples, source.simulated, source.holder) == (10, 1, True, None)
    assert str(source.part) == "shard 1 of 2: rows 0 to 4"
    spent = source.counts.prompt_tokens + source.counts.completion_tokens
    assert source.spent["spent_tokens"] == spent
    dataset = source.dataset()
    assert dataset is not None
    assert dataset.count() == 10
    place.input.write_text("other\n")
    assert source.dataset() is None
    place.input.unlink()
    assert source.dataset() is None


def test_a_run_of_an_earlier_version_is_known_by_its_place(place: Place) -> None:
    source = _source(place)
    with Checkpoint.open(source.directory.checkpoint) as checkpoint:
        checkpoint.remember(run=None)
    again = SourceRun.read(source.directory)
    assert again is not None
    assert again.run == str(source.directory.path.resolve())


def test_one_that_stopped_before_it_took_up_a_row_has_not_begun(place: Place) -> None:
    source = _source(place)
    empty = RunDirectory(place.folder / "empty.batch")
    empty.create()
    with Checkpoint.open(empty.checkpoint) as checkpoint:
        checkpoint.remember(fingerprint="f")
    assert SourceRun.read(empty) is None
    sources, begun_not = sources_of([empty, source.directory])
    assert ([one.directory for one in sources], begun_not) == ([source.directory], [empty])


@pytest.mark.parametrize(
    ("ceilings", "together"),
    [
        (({"max_cost": "1.5CNY"}, {"max_cost": "2CNY"}), "3.5CNY"),
        (({"max_cost": "800CNY"}, {"max_cost": "700CNY"}), "1500CNY"),
        (({"max_cost": "1CNY"}, {}), None),
    ],
)
def test_ceilings_of_all_together_are_their_sums(
    place: Place, ceilings: tuple[dict[str, object], ...], together: str | None
) -> None:
    sources = [_source(place, number, **of) for number, of in enumerate(ceilings, 1)]
    assert job_of(sources)["ceilings"]["max_cost"] == together
    assert job_of(sources)["ceilings"]["max_tokens_total"] is None
