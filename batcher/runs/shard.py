"""A shard: one of several parts of an input, by row ranges, which a run directory is about.

Unlike a limit, it is part of what a run is: the directory remembers it, and takes no other rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from batcher.checkpoint import Checkpoint, CheckpointReader
from batcher.errors import ConfigurationError, UsageError
from batcher.inputs import Dataset
from batcher.records import Mark
from batcher.wording import counted

SHARD = "shard"
"""The fact of a checkpoint that says which shard its rows are."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The part `number`, from 1, of `of` parts of an input that are as large as one another.

    Raises:
        UsageError: there is no such part.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        whole = type(self.number) is int and type(self.of) is int
        if not (whole and 1 <= self.number <= self.of):
            raise UsageError(
                f"there is no shard {self.number!r} of {self.of!r}: shards are numbered from 1, so "
                "that of four the last is 4/4"
            )

    @classmethod
    def parsed(cls, text: str) -> Shard:
        """Return the shard that is written as I/N.

        Raises:
            UsageError: it is none.
        """
        found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        if found is None:
            raise UsageError(f"{text!r} is no shard; write I/N, such as 2/4")
        return cls(int(found[1]), int(found[2]))

    def rows(self, rows: int) -> range:
        """Return the numbers of its rows, of an input of so many."""
        return range((self.number - 1) * rows // self.of, self.number * rows // self.of)

    def __str__(self) -> str:
        return f"shard {self.number:,} of {self.of:,}"


@dataclass(frozen=True, slots=True)
class Part:
    """A shard of an input of so many rows; `content` tells that input from others, anywhere."""

    shard: Shard
    of_rows: int
    content: str

    @property
    def rows(self) -> range:
        """The numbers of its rows."""
        return self.shard.rows(self.of_rows)

    def __str__(self) -> str:
        rows = self.rows
        return f"{self.shard}: {f'rows {rows.start:,} to {rows.stop - 1:,}' if rows else 'no rows'}"

    def facts(self) -> dict[str, object]:
        """Return what is remembered of it."""
        return {
            "number": self.shard.number,
            "of": self.shard.of,
            "rows": self.of_rows,
            "content": self.content,
        }


def folder_of(url: str, shard: Shard | None) -> str:
    """Return where below `url` the files of a run go: of each shard into a folder of its own.

    So one job serves for all shards.
    """
    return url if shard is None else f"{url.rstrip('/')}/{shard.number}-of-{shard.of}"


def part_in(checkpoint: CheckpointReader) -> Part | None:
    """Return which part of an input a run is about; None where it is about all of it."""
    fact: Any = checkpoint.fact(SHARD)
    if fact is None:
        return None
    return Part(Shard(fact["number"], fact["of"]), fact["rows"], fact["content"])


def part_of(checkpoint: CheckpointReader, dataset: Dataset, shard: Shard | None) -> Part | None:
    """Return which part of `dataset` a run is about that is told of a `shard`.

    Counts the rows of the input, unless the run has counted this very input before.

    Raises:
        ConfigurationError: the directory holds another part, or its input has grown or shrunk.
        InputError: a file cannot be read.
    """
    directory, before = checkpoint.path.parent, part_in(checkpoint)
    fingerprint = checkpoint.fact("fingerprint")
    # A run that stopped before it began is about nothing yet.
    if fingerprint is not None and (before.shard if before else None) != shard:
        held = before.shard if before else None
        way = f"give --shard {held.number}/{held.of}" if held else "leave --shard out"
        raise ConfigurationError(
            f"{directory} is about {held or 'the whole input'}, this run about "
            f"{shard or 'the whole input'}: {way}, or name another directory with -o. `batcher "
            "merge` joins shards into a run of the whole input"
        )
    if shard is None:
        return None
    if before is not None and fingerprint == dataset.fingerprint():
        return before
    rows, content = dataset.content()
    if before is not None and fingerprint is not None and before.of_rows != rows:
        raise ConfigurationError(
            f"{directory} holds {shard} of an input of {counted(before.of_rows, 'row')}, which has "
            f"{rows:,} now: its rows would be others. Join the shards first (`batcher merge DIR... "
            "-o ALL`); `batcher run INPUT -o ALL` then calls only what is new. Or name another "
            "directory with -o"
        )
    return Part(shard, rows, content)


def start_of(checkpoint: CheckpointReader, dataset: Dataset, part: Part | None) -> Mark | None:
    """Return where the rows of a run begin in its input; None where that is its front."""
    if part is None or part.rows.start == 0:
        return None
    known = checkpoint.mark_before(part.rows.start)
    return known if known and known.row == part.rows.start else dataset.place(part.rows.start)


def keep_start(checkpoint: Checkpoint, dataset: Dataset, part: Part | None) -> None:
    """Remember where the rows of a shard begin, so that it is looked for only once."""
    start = start_of(checkpoint, dataset, part)
    if start is not None:
        checkpoint.write((), [start])
