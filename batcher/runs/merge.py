"""`merge`: shards, or other runs of one input, joined into one run directory."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from batcher.checkpoint import (
    LINEAGE,
    PRICES,
    CheckpointReader,
    Claims,
    Merging,
    OfRun,
    RowSet,
    RunLock,
    Settlement,
    called_itself,
)
from batcher.errors import ConfigurationError, StorageError, UsageError
from batcher.inputs import SPOOLED, Dataset
from batcher.recorded import Counts
from batcher.records import Failure, Prompt, Request
from batcher.runs.delivery import DELIVERED
from batcher.runs.directory import RunDirectory
from batcher.runs.merged import Merged, published
from batcher.runs.prepare import Preparation
from batcher.runs.remembered import input_facts
from batcher.runs.rows import refuse_to_overwrite
from batcher.runs.sources import MERGED, SourceRun, differences, job_of, sources_of, spent_by
from batcher.storage import Address

# Rows whose ids are looked for at a time.
_BATCH = 512


def merge_runs(directories: Sequence[RunDirectory], to: RunDirectory) -> Merged:
    """Join the runs of `directories` in the directory `to`, also while they go on.

    They are only read. Of two outcomes of a row a result counts more than an error, else the run
    that is named first; what the other cost stays in the sums. A merge of the same runs that is
    there is made anew, with what was called in it since.

    Raises:
        UsageError: a directory is named twice, or is `to`.
        ConfigurationError: the runs do not go together, or `to` holds something else.
        StorageError: a directory holds no run, or one is damaged.
        OutputError: `to` cannot be written, or where the job puts the outputs lies the input.
        LockedError: another process writes `to`.
    """
    sources, empty = sources_of(directories)
    if to.path.resolve() in [directory.path.resolve() for directory in directories]:
        raise UsageError(f"{to.path} is one of the runs to merge; name another directory with -o")
    to.create()
    with RunLock.held(to.path):
        own = _earlier(to, sources)
        dataset = _dataset(sources, to)
        url = job_of(sources).get("output", {}).get("to")
        if dataset is not None and url is not None:
            refuse_to_overwrite(dataset, Address.of(url), DELIVERED.__contains__)
        with Merging.begun(to.checkpoint) as merging:
            # What is there already comes last: of two alike that of a source counts.
            runs = [*sources, *([own.run] if own and not own.outdated else [])]
            merging.add([OfRun(one.run, one.directory.checkpoint) for one in runs])
            claims = Claims(merging, sources[0].samples)
            claims.settle()
            if dataset is not None:
                _claim(claims, dataset, job_of(sources))
            priced = next((one.counts for one in runs if one.counts.currency is not None), None)
            Settlement(merging, priced.currency if priced else None).settle()
            merging.remember(**_facts(sources, dataset, own, priced))
        return published(sources, empty, to, dataset)


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier merge: its `run`, and what it remembers of its copies, its `lineage`.

    One that is `outdated` is of another input or job, and has nothing that these runs have not.
    """

    run: SourceRun
    lineage: object
    outdated: bool


def _earlier(to: RunDirectory, sources: Sequence[SourceRun]) -> Earlier | None:
    """Return the earlier merge that is there, None where nothing is.

    Raises:
        ConfigurationError: it is a merge of other runs, or none.
    """
    if not to.checkpoint.exists():
        return None
    run = SourceRun.read(to)
    if run is None:
        return None
    with CheckpointReader.read(to.checkpoint) as checkpoint:
        merged: Any = checkpoint.fact(MERGED)
        lineage = checkpoint.fact(LINEAGE)
    known = {source.run for source in sources}
    others = [path for one, path in (merged["runs"] if merged else {}).items() if one not in known]
    if merged is None or others:
        what = f"was merged of {', '.join(others)} too" if merged else "is no merge of these"
        raise ConfigurationError(
            f"{to.path} holds a run that {what}, and would be lost: name all the runs that it was "
            "made of, or another directory with -o"
        )
    changed = next(differences(sources[0], run), None)
    if changed is not None and called_itself(to.checkpoint, run.run):
        raise ConfigurationError(
            f"{to.path} has calls of its own, and does not go with {sources[0].directory.path}: "
            f"{changed}. Go on there with `batcher run`; to merge these into it, run it on their "
            "input first; or name another directory with -o"
        )
    return Earlier(run, lineage, outdated=changed is not None)


def _dataset(sources: Sequence[SourceRun], to: RunDirectory) -> Dataset | None:
    """Return the input of the runs where it is here, unchanged; a copy that a run made is copied.

    Raises:
        StorageError: it cannot be.
    """
    dataset = next((found for source in sources if (found := source.dataset())), None)
    if dataset is None:
        return None
    files = []
    for file in dataset.files:
        place = file.place
        spooled = isinstance(place, Path) and place.name in SPOOLED
        if spooled and file.path.parent != to.path.resolve():
            try:
                place = Path(shutil.copy2(file.path, to.path.resolve() / file.path.name))
            except OSError as error:
                raise StorageError(f"cannot keep {file.name}: {error}") from None
        files.append(replace(file, place=place))
    return replace(dataset, files=tuple(files))


def _claim(claims: Claims, dataset: Dataset, job: object) -> None:
    """Let rows without an outcome have their id where a later row was called for it.

    None is rendered but those whose id a row with an outcome has too.
    """
    reader, samples = claims.merging.reader(), claims.samples
    done = reader.done()
    last = done.last()
    if last is None or len(done) == last + 1:
        return
    pending, prepare = claims.look(), Preparation.recalled(job)
    start = reader.mark_before(done.first_missing() // samples)
    rows = _without_outcome(dataset.rows(start), done, last, samples)
    while batch := list(islice(rows, _BATCH)):
        stake = pending.at_stake([item.id for item in batch])
        for item in batch:
            for prepared in prepare.records(item) if item.id in stake else ():
                if isinstance(prepared, Request) and prepared.row not in done:
                    pending.claim(prepared)


def _without_outcome(
    rows: Iterator[Prompt | Failure], done: RowSet, last: int, samples: int
) -> Iterator[Prompt]:
    for item in rows:
        records = range(item.row * samples, (item.row + 1) * samples)
        if records.start > last:
            return
        if not isinstance(item, Failure) and not all(map(done.__contains__, records)):
            yield item


def _facts(
    sources: Sequence[SourceRun],
    dataset: Dataset | None,
    own: Earlier | None,
    priced: Counts | None,
) -> dict[str, object]:
    """Return what a merged run is to remember."""
    first = sources[0]
    spent = spent_by(sources, own.run if own else None)
    facts: dict[str, object] = {
        "fingerprint": first.fingerprint if dataset is None else dataset.fingerprint(),
        "settings": first.settings,
        "simulated": first.simulated,
        "input": first.input if dataset is None else input_facts(dataset),
        "job": job_of(sources),
        "run": own.run.run if own else uuid.uuid4().hex,
        MERGED: {
            "runs": {source.run: str(source.directory.path) for source in sources},
            "spent": spent,
        },
        **{name: sum(one[name] for one in spent.values()) for name in first.spent},
    }
    if own is not None and own.lineage is not None:
        # It has all that it had, so it may go on with its copies.
        facts[LINEAGE] = own.lineage
    if priced is not None:
        facts[PRICES] = {"currency": priced.currency, "priced_by": priced.priced_by}
    return facts
