"""What a run published last, so that a start that records nothing need not make it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

import batcher
from batcher.checkpoint import CheckpointReader
from batcher.outputs import Exported
from batcher.recorded import Counts
from batcher.runs.directory import RunDirectory

PUBLISHED = "published"
"""The fact that holds it. While a process works on a run, nothing is published."""

_Stamp = tuple[int, int, int]


class _Fact(msgspec.Struct, frozen=True):
    version: str
    rows: tuple[int, int, int]
    sums: Mapping[str, object]
    stamps: Mapping[str, _Stamp | None]


@dataclass(frozen=True, slots=True)
class Published:
    """The files that a run in `directory` published last, as they were left.

    `has_report` says whether the report of that end is among them, by the job of now.
    """

    directory: RunDirectory
    fact: _Fact
    has_report: bool

    @classmethod
    def last(
        cls, checkpoint: CheckpointReader, directory: RunDirectory, job: Mapping[str, Any]
    ) -> Published | None:
        """Return what the last process published, which began and ended; None where none did.

        By another version it might be published otherwise. `job` is that of now.
        """
        try:
            fact = msgspec.convert(checkpoint.fact(PUBLISHED), _Fact)
        except msgspec.ValidationError:
            return None
        if fact.version != batcher.__version__:
            return None
        present = msgspec.json.decode(msgspec.json.encode(job))
        return cls(directory, fact, has_report=checkpoint.fact("job") == present)

    def exported(self, recorded: int, counts: Counts) -> Exported | None:
        """Return results and errors; None where they are not the files that were left.

        Nor where not as many outcomes are `recorded` as they hold, or any sum is another one: what
        was adopted since changes those of money, if nothing else.
        """
        directory = self.directory
        results, errors, pending = self.fact.rows
        same = results + errors == recorded and self.fact.sums == msgspec.to_builtins(counts)
        if not same or not self._holds(directory.results, directory.errors):
            return None
        return Exported(results, errors, pending, directory.results, directory.errors)

    def report(self) -> Path | None:
        """Return the report, of a run that is done; None where it is not the one that was left."""
        _, _, pending = self.fact.rows
        done = self.has_report and not pending and self._holds(self.directory.report)
        return self.directory.report if done else None

    def _holds(self, *paths: Path) -> bool:
        stamps = self.fact.stamps
        return all((stamp := _stamp(path)) and stamp == stamps.get(path.name) for path in paths)


def published_fact(exported: Exported, counts: Counts, report: Path | None) -> Mapping[str, object]:
    """Return what is to be remembered of what was published just now, with the sums of the run."""
    paths = [exported.results_path, exported.errors_path, report]
    stamps = {path.name: _stamp(path) for path in paths if path is not None}
    rows = (exported.results, exported.errors, exported.pending)
    sums = msgspec.to_builtins(counts)
    return {PUBLISHED: msgspec.to_builtins(_Fact(batcher.__version__, rows, sums, stamps))}


def _stamp(path: Path) -> _Stamp | None:
    """Return what tells a file from one that was changed or put in its place."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
