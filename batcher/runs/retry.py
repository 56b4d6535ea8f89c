"""`retry`: a run that is there, and which of its errors are to be called again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from batcher.checkpoint import CheckpointReader, ErrorChoice, choose
from batcher.errors import ConfigurationError, ErrorClass, UsageError
from batcher.job import JobSpec, job_with
from batcher.runs.directory import RunDirectory
from batcher.runs.remembered import Remembered
from batcher.wording import counted, did_you_mean


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """A run that is there, as its checkpoint remembers it.

    run.json says much of it too, but anyone may edit that; the checkpoint's facts have checksums,
    and are written with the rows that were made from them.
    """

    directory: RunDirectory
    simulated: bool
    samples: int
    _job: Mapping[str, Any] | None

    @classmethod
    def recalled(cls, directory: RunDirectory) -> EarlierRun:
        """Read what is remembered of a run.

        Raises:
            StorageError: the directory holds no run.
        """
        with CheckpointReader.read(directory.checkpoint) as checkpoint:
            run = Remembered(checkpoint)
            return cls(directory, run.simulated, run.samples, run.job)

    def job(self, flags: Mapping[str, Any]) -> JobSpec:
        """Return the run's own job, with `flags` (tables of a job file) laid over it.

        Raises:
            ConfigurationError: it is not known, or a flag is wrong.
        """
        if self._job is None:
            raise ConfigurationError(
                f"{self.directory.path} does not know its job, since no `batcher run` came so far; "
                "give the command that made it again, with --retry-errors"
            )
        given = {**flags.get("output", {}), "directory": str(self.directory.path)}
        return job_with(self._job, {**flags, "output": given}, f"the job of {self.directory.path}")

    def agree(self, *, simulated: bool) -> None:
        """Make sure that a simulated run is not retried in earnest, nor the other way round.

        Raises:
            ConfigurationError: it would be.
        """
        if self.simulated and not simulated:
            raise ConfigurationError(
                f"{self.directory.path} holds simulated answers; give --simulate to go on with them"
            )
        if simulated and not self.simulated:
            raise ConfigurationError(
                f"{self.directory.path} holds real answers, which --simulate would mix with "
                "simulated ones; leave it out"
            )

    def lines(self, choice: ErrorChoice) -> Iterator[str]:
        """Yield in words which rows `choice` means, for a look before anything is called.

        Raises:
            UsageError: its condition cannot be understood.
        """
        chosen = choose(self.directory.checkpoint, choice, self.samples)
        yield f"{counted(chosen.called.total(), 'error row')} would be called again"
        yield from _by_class(chosen.called)
        if chosen.bad:
            bad = counted(chosen.bad.total(), "bad row")
            yield f"{bad} would be read again, without a call"
            yield from _by_class(chosen.bad)
        if chosen.duplicates:
            named = counted(chosen.duplicates, f"{ErrorClass.DUPLICATE_ID} row")
            yield f"{named} would stay, since the id is another row's"


def error_classes(names: Iterable[str]) -> frozenset[ErrorClass]:
    """Return the error classes of these names.

    Raises:
        UsageError: there is none of a name.
    """
    return frozenset(map(_error_class, names))


def _error_class(name: str) -> ErrorClass:
    try:
        return ErrorClass(name.strip().lower())
    except ValueError:
        near = did_you_mean(name, ErrorClass, 0.5)
        raise UsageError(
            f"there is no error class {name!r}{near} Known: {', '.join(ErrorClass)}"
        ) from None


def _by_class(counts: Counter[ErrorClass]) -> Iterator[str]:
    for error_class, rows in counts.most_common():
        yield f"  {rows:,} {error_class}"
