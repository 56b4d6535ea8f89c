"""A run directory, checked from end to end; nothing in it is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from batcher.checkpoint import (
    Checkpoint,
    CheckpointReader,
    RunLock,
    checkpoint_problems,
    is_mendable,
)
from batcher.errors import StorageError
from batcher.outputs import output_problems
from batcher.recorded import Counts
from batcher.runs.directory import RunDirectory
from batcher.runs.remembered import Remembered


@dataclass(frozen=True, slots=True)
class Verification:
    """What is wrong with a run's checkpoint and its outputs, a sentence each.

    `counts` is None where the checkpoint cannot tell. `mendable` says that a damaged one can be
    mended.
    """

    directory: RunDirectory
    counts: Counts | None
    checkpoint: tuple[str, ...]
    outputs: tuple[str, ...]
    holder: str | None
    mendable: bool = True

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.checkpoint or self.outputs)

    def lines(self) -> Iterator[str]:
        """Yield the lines to print."""
        path = self.directory.path
        for problem in self.checkpoint:
            yield f"{self.directory.checkpoint}: {problem}"
        for problem in self.outputs:
            yield f"{path}: {problem}"
        if self.checkpoint and not self.mendable:
            yield beyond_mending(self.directory)
        elif self.checkpoint:
            yield (
                "The checkpoint is damaged: put back a copy of it. Without one, `batcher verify "
                f"{path} --mend` drops the outcomes that are not what was written, and the next "
                "run calls their rows again"
            )
        elif self.outputs and self.holder:
            yield f"A run goes on here ({self.holder}); its end makes the files anew"
        elif self.outputs:
            yield (
                f"The checkpoint is sound: `batcher export {path}` makes the files again, or says "
                "why not"
            )
        elif self.counts is not None:
            yield (
                f"Sound: {self.counts.results:,} results and {self.counts.error_rows:,} errors, "
                "each as it was recorded"
            )


def beyond_mending(directory: RunDirectory) -> str:
    """Say what helps where records cannot even be read."""
    return (
        "The checkpoint is damaged where --mend cannot read it: put back a copy of it. Without "
        f"one, move {directory.path} away and keep it, since its Parquet files have what was "
        "exported before; or name another directory with -o. Every row is called anew"
    )


def verify(directory: RunDirectory) -> Verification:
    """Check the checkpoint and the published files of a run.

    Raises:
        StorageError: the directory holds no run, or one of another version.
    """
    found = tuple(checkpoint_problems(directory.checkpoint))
    mendable = not found or is_mendable(directory.checkpoint)
    with CheckpointReader.read(directory.checkpoint) as checkpoint:
        run, holder = Remembered(checkpoint), checkpoint.writer()
        try:
            value, samples = run.value, run.samples
        except StorageError:
            if not found:
                raise
            # Damaged, as was found: nothing tells any more how the files should look.
            return Verification(directory, None, found, (), holder, mendable)
        outputs = [
            problem
            for path, failed in ((directory.results, False), (directory.errors, True))
            for problem in output_problems(
                path,
                None
                if found
                else (o for o in checkpoint.outcomes() if (o.error_class is not None) is failed),
                None if failed else value,
                samples,
            )
        ]
        return Verification(
            directory=directory,
            counts=None if found else checkpoint.counts(),
            checkpoint=found,
            outputs=tuple(outputs),
            holder=holder,
            mendable=mendable,
        )


def mend(directory: RunDirectory) -> int:
    """Drop the damaged outcomes of a run; return how many rows are to be called again.

    Raises:
        StorageError: the directory holds no run, or its damage goes deeper.
        LockedError: a run works in it.
    """
    # First, since what is no checkpoint must not become one.
    with CheckpointReader.read(directory.checkpoint):
        pass
    if not is_mendable(directory.checkpoint):
        raise StorageError(beyond_mending(directory))
    with RunLock.held(directory.path), Checkpoint.open(directory.checkpoint) as checkpoint:
        return checkpoint.mend()
