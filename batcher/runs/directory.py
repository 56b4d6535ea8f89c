"""The run directory: what lies in it, and how it comes to be."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from batcher.errors import OutputError, StorageError, UsageError
from batcher.filesystem import is_text, not_text, synced
from batcher.inputs import SPOOLED
from batcher.runs.shard import Shard
from batcher.storage import Address, is_url

WRITTEN = frozenset(
    {"results.parquet", "errors.parquet", "run.json", "log.jsonl", "simulator.jsonl"}
    | {"report.html"}
)
"""What a run writes beside its checkpoint."""


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The files of one run, all below `path`."""

    path: Path

    @classmethod
    def named(cls, name: str) -> RunDirectory:
        """Return the directory of this name.

        Raises:
            UsageError: it is a URL.
        """
        if is_url(name):
            raise UsageError(
                f"the run directory cannot be {name}: a checkpoint needs a disk of this machine. "
                "Name one; `batcher export DIR --to URL` puts its results there"
            )
        return cls(Path(name))

    @property
    def checkpoint(self) -> Path:
        """The only truth; all else can be made again from it and the input."""
        return self.path / "checkpoint.db"

    @property
    def reserve(self) -> Path:
        """Space that only a full disk lets a run use."""
        return self.path / "reserve"

    @property
    def results(self) -> Path:
        """The rows that have an answer."""
        return self.path / "results.parquet"

    @property
    def errors(self) -> Path:
        """The rows that ended in an error."""
        return self.path / "errors.parquet"

    @property
    def log(self) -> Path:
        """One JSON line for each failed attempt and each event."""
        return self.path / "log.jsonl"

    @property
    def report(self) -> Path:
        """What the run was like, as a page."""
        return self.path / "report.html"

    @property
    def ledger(self) -> Path:
        """What the simulator saw, under --simulate."""
        return self.path / "simulator.jsonl"

    @property
    def description(self) -> Path:
        """What ran: job, versions, input, counts."""
        return self.path / "run.json"

    def create(self, *, awaits_copy: bool = False) -> None:
        """Make the directory, readable by its owner only; leave alone what is no run's.

        Where it `awaits_copy`, a checkpoint that was lost may yet come from there.

        Raises:
            OutputError: it cannot be made or written to; found before the first paid call.
        """
        if not is_text(whole := str(self.path.resolve())):
            raise OutputError(f"the name of {not_text(whole)}, or name another directory with -o")
        try:
            if not self.path.is_dir():
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
                synced(self.path.parent)
        except OSError as error:
            raise OutputError(
                f"cannot create the run directory {self.path}: {error.strerror}; "
                "name another with -o"
            ) from None
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise OutputError(f"cannot write to {self.path}; name another directory with -o")
        for output in (self.results, self.errors):
            if output.is_dir():
                raise OutputError(f"cannot create {output}: a directory has this name")
        if not awaits_copy:
            self.refuse_strangers()

    def refuse_strangers(self) -> None:
        """Leave a directory alone that has the files of a run and no checkpoint.

        Raises:
            OutputError: it is such a one.
        """
        strangers = sorted(name for name in WRITTEN | SPOOLED if (self.path / name).exists())
        if strangers and not (self.checkpoint.exists() and self.checkpoint.stat().st_size):
            raise OutputError(
                f"{self.path} holds {', '.join(strangers)} but no checkpoint: it is no run's, or "
                "its checkpoint was lost. Name another directory with -o, or move these away to "
                "call all rows anew"
            )

    @contextlib.contextmanager
    def open_log(self) -> Iterator[TextIO]:
        """Open `log.jsonl` for appending, readable by its owner only.

        Raises:
            OutputError: it cannot be opened.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self.log, flags, 0o600)
        except OSError as error:
            raise OutputError(f"cannot create {self.log}: {error.strerror}") from None
        with os.fdopen(descriptor, "a", encoding="utf-8") as log:
            yield log

    def describe(self, facts: Mapping[str, object]) -> None:
        """Write `run.json` anew, in one step.

        Raises:
            StorageError: it cannot be written.
        """
        temporary = self.description.with_suffix(".json.tmp")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(facts, file, ensure_ascii=False, indent=2)
                file.write("\n")
            temporary.replace(self.description)
        except OSError as error:
            raise StorageError(f"cannot write {self.description}: {error.strerror}") from None

    def description_facts(self) -> dict[str, object]:
        """Return what `run.json` says.

        Raises:
            StorageError: it is not there or not whole.
        """
        try:
            facts: dict[str, object] = json.loads(self.description.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise StorageError(
                f"cannot read {self.description}: {error}; is {self.path} the directory of a run?"
            ) from None
        return facts


def run_directory(
    inputs: Sequence[str], given: str | None, shard: Shard | None = None
) -> RunDirectory:
    """Return `given`, or `NAME.batch` beside the input `NAME.jsonl`; `NAME.2-of-4.batch`, a shard.

    Of an input at a URL, `NAME.batch` in the working directory.

    Raises:
        UsageError: several inputs, or stdin, and no directory given.
    """
    if given is not None:
        return RunDirectory(Path(given))
    if len(inputs) != 1 or inputs[0] == "-" or any(sign in inputs[0] for sign in "*?["):
        raise UsageError("name the run directory with -o: the input is not one file")
    url = Address.of(inputs[0]) if is_url(inputs[0]) else None
    path = Path(inputs[0] if url is None else url.name)
    name = path.name or path.resolve().name
    for suffix in (".gz", ".zst", ".jsonl", ".ndjson", ".parquet"):
        name = name.removesuffix(suffix)
    mark = f".{shard.number}-of-{shard.of}" if shard else ""
    return RunDirectory(path.parent / f"{name}{mark}.batch")
