"""What a previous run of the same directory has done of the present input and job; read only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from batcher.checkpoint import CheckpointReader, Numbered, RowSet
from batcher.errors import UsageError
from batcher.inputs import Dataset
from batcher.job import JobSpec
from batcher.records import Mark, Request
from batcher.runs.directory import RunDirectory, run_directory
from batcher.runs.remembered import Remembered
from batcher.runs.resume import files_added, refuse_to_mix
from batcher.runs.shard import Shard, part_of


@dataclass(frozen=True, slots=True)
class Previous:
    """A previous run: by their number where input and job are as they were, `done` says which.

    What is set aside is done there too. Else `done` is None, and each request is looked for by its
    key, and by where it is `numbered`. With `retry_errors`, rows that ended in an error are not
    done.
    """

    checkpoint: CheckpointReader
    done: RowSet | None
    retry_errors: bool
    numbered: Numbered | None = None

    def start(self, row: int) -> Mark | None:
        """Return a place at or before `row` where reading may start, None for the first row."""
        return self.checkpoint.mark_before(row)

    def keys(self, requests: Sequence[Request]) -> set[str]:
        """Return the keys of requests that are done, where their numbers do not tell."""
        if self.done is not None:
            return self.checkpoint.set_aside([request.key for request in requests])
        found = self.checkpoint.with_outcome(requests, errors_too=not self.retry_errors)
        if self.numbered is not None:
            found |= {one.key for one in requests if self.numbered.earlier(one) is not None}
        return found

    def answered(self, contents: Sequence[str]) -> set[str]:
        """Return those of the contents of requests that have an answer, whatever its row."""
        return self.checkpoint.answered(contents)

    def earlier_ids(self, requests: Sequence[Request]) -> dict[str, tuple[int, str]]:
        """Return by id the first done row that has it, and where that stands."""
        if self.done is None or not requests:
            return {}
        return self.checkpoint.first_with_ids([request.id for request in requests])


def directory_of(job: JobSpec, shard: Shard | None = None) -> RunDirectory | None:
    """Return where a run of `job` keeps its checkpoint; None where nothing names it yet."""
    with contextlib.suppress(UsageError):
        return run_directory(job.input, job.output.directory, shard)
    return None


@contextlib.contextmanager
def previous_run(
    job: JobSpec,
    dataset: Dataset,
    shard: Shard | None = None,
    *,
    retry_errors: bool,
    simulated: bool,
) -> Iterator[Previous | None]:
    """Open what a previous run of `job` has recorded, None where there was none.

    Raises:
        ConfigurationError: it holds simulated answers and this run is real, or the other way round;
            or it holds another part of the input.
        StorageError: its checkpoint is damaged or of another version.
    """
    directory = directory_of(job, shard)
    if directory is None or not directory.checkpoint.is_file():
        yield None
        return
    with CheckpointReader.read(directory.checkpoint) as checkpoint:
        refuse_to_mix(checkpoint, simulated=simulated)
        part_of(checkpoint, dataset, shard)
        run = Remembered(checkpoint)
        if run.settings == job.request_settings() and files_added(checkpoint, dataset) is not None:
            yield Previous(checkpoint, checkpoint.done(errors_too=not retry_errors), retry_errors)
            return
        samples = job.sampling.samples
        with contextlib.ExitStack() as stack:
            numbered = None
            if run.samples == samples:
                numbered = stack.enter_context(
                    checkpoint.numbered(samples, errors_too=not retry_errors)
                )
            yield Previous(checkpoint, None, retry_errors, numbered)
