"""`merge`: shards, or other runs of one input, joined into one run directory."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from batcher.checkpoint import (
    KILLED_CALLS,
    LINEAGE,
    PRICES,
    CheckpointReader,
    Claims,
    Merging,
    OwnWork,
    RowSet,
    RunLock,
)
from batcher.errors import ConfigurationError, StorageError, UsageError
from batcher.inputs import SPOOLED, Dataset
from batcher.records import Failure, Prompt, Request
from batcher.runs.ceilings import SPENT_COST, SPENT_TOKENS
from batcher.runs.directory import RunDirectory
from batcher.runs.merged import Merged, published
from batcher.runs.prepare import Preparation
from batcher.runs.rows import input_facts
from batcher.runs.sources import SourceRun, differences, job_of, sources_of

MERGED = "merged"
"""The fact that says of which runs a checkpoint was made."""

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
        OutputError, LockedError: `to` cannot be written.
    """
    sources, empty = sources_of(directories)
    if to.path.resolve() in [directory.path.resolve() for directory in directories]:
        raise UsageError(f"{to.path} is one of the runs to merge; name another directory with -o")
    to.create()
    with RunLock.held(to.path):
        own = _earlier(to, sources)
        dataset = _dataset(sources, to)
        with Merging.begun(to.checkpoint) as merging:
            merging.add([source.directory.checkpoint for source in sources])
            work = OwnWork(merging)
            work.keep_taken()
            if own is not None:
                work.add(to.checkpoint)
            claims = Claims(merging, sources[0].samples)
            claims.settle()
            if dataset is not None:
                _claim(claims, dataset, job_of(sources))
            merging.remember(**_facts(sources, dataset, own))
        return published(sources, empty, to, dataset)


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier merge: its `run`, and of its sums, those that it had `taken` from others.

    `lineage` is what it remembers of its copies.
    """

    run: SourceRun
    taken: Mapping[str, int]
    lineage: object

    def since(self, name: str) -> int:
        """Return what came to a sum since."""
        now = {
            KILLED_CALLS: self.run.counts.killed_calls,
            SPENT_COST: self.run.cost,
            SPENT_TOKENS: self.run.tokens,
        }
        return max(0, now[name] - self.taken[name])


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
    if changed is not None:
        raise ConfigurationError(
            f"{to.path} was run on since, so that it goes with {sources[0].directory.path} no "
            f"longer: {changed}. Go on there with `batcher run`, or name another directory with -o"
        )
    return Earlier(run, merged["taken"], lineage)


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
    sources: Sequence[SourceRun], dataset: Dataset | None, own: Earlier | None
) -> dict[str, object]:
    """Return what a merged run is to remember."""
    first = sources[0]
    priced = next((one.counts for one in sources if one.counts.currency is not None), None)
    taken = {
        KILLED_CALLS: sum(source.counts.killed_calls for source in sources),
        SPENT_COST: sum(source.cost for source in sources),
        SPENT_TOKENS: sum(source.tokens for source in sources),
    }
    facts: dict[str, object] = {
        "fingerprint": first.fingerprint if dataset is None else dataset.fingerprint(),
        "settings": first.settings,
        "simulated": first.simulated,
        "input": first.input if dataset is None else input_facts(dataset),
        "job": job_of(sources),
        "run": own.run.run if own else uuid.uuid4().hex,
        MERGED: {
            "runs": {source.run: str(source.directory.path) for source in sources},
            "taken": taken,
        },
        **{name: amount + (own.since(name) if own else 0) for name, amount in taken.items()},
    }
    if own is not None and own.lineage is not None:
        # It has all that it had, so it may go on with its copies.
        facts[LINEAGE] = own.lineage
    if priced is not None:
        facts[PRICES] = {"currency": priced.currency, "priced_by": priced.priced_by}
    return facts
