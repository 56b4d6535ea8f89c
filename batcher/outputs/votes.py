"""The votes of all rows beside their input: one file, a row for each prompt.

batches + outcomes -> polls -> votes.*
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from batcher.errors import UsageError
from batcher.outputs.columns import array
from batcher.outputs.formats import Format, Kind, kind_of
from batcher.outputs.join import Following, check_ids, pieces, take_rows, user_columns
from batcher.outputs.layout import HEAD, input_columns
from batcher.outputs.material import Material
from batcher.outputs.partitions import Partitions
from batcher.outputs.polls import Ballot, Poll, polls
from batcher.outputs.publication import publication

_FLOAT64: pa.DataType = pa.float64()
_INT32: pa.DataType = pa.int32()
_COUNTS = pa.schema([("valid_samples", _INT32), ("samples", _INT32)])


@dataclass(frozen=True, slots=True)
class Voted:
    """What was published, in rows; `pending` ones have no outcome at all and are not in it."""

    rows: int
    pending: int
    path: Path


def votes_of(file_format: Format, partition_rows: int | None = None) -> Kind:
    """Return how the files of votes are called and written, as `kind_of` does.

    Raises:
        UsageError: the format is no table.
    """
    if file_format in ("hf", "batch"):
        raise UsageError(
            f"--vote makes a table, which --format {file_format} is not; choose parquet, jsonl or "
            "csv"
        )
    table = kind_of(file_format, partition_rows)
    return replace(table, results=replace(table.results, stem="votes"), errors=None)


def export_votes(material: Material, directory: Path, kind: Kind, ballot: Ballot) -> Voted:
    """Count the votes on each row and publish them in `directory`; memory stays flat.

    Raises:
        OutputError: the files cannot be created, or the format cannot hold a type of the input.
        StorageError: writing failed, or an outcome belongs to no row of the input.
    """
    planned = _schema(material.schema, ballot)
    pending = material.unread
    following = Following(polls(material.outcomes, ballot), 1)
    with publication(directory) as published:
        start = kind.starting(planned, material.metadata)
        files = Partitions(published, kind.results, kind.bounds, start)
        with files:
            for rows, counted, count in pieces(material.batches, following):
                pending += count - len(counted)
                if counted:
                    files.write(_batch(rows, counted, planned, ballot))
    return Voted(files.rows, pending, files.path)


def _schema(schema: pa.Schema, ballot: Ballot) -> pa.Schema:
    """Lay out the file: row and id, the input's columns, then the votes and their counts."""
    votes = [
        field
        for name, type_ in ballot.questions
        for field in (pa.field(f"vote.{name}", type_), pa.field(f"agreement.{name}", _FLOAT64))
    ]
    ours = {field.name for field in (*HEAD, *votes, *_COUNTS)}
    return pa.schema([*HEAD, *input_columns(schema, ours), *votes, *_COUNTS])


def _batch(
    piece: pa.RecordBatch, counted: Sequence[Poll], schema: pa.Schema, ballot: Ballot
) -> pa.RecordBatch:
    rows = take_rows(piece, [poll.row for poll in counted])
    answered = [poll for poll in counted if poll.id is not None]
    named = take_rows(piece.select(HEAD.names), [poll.row for poll in answered])
    check_ids(named, [poll.id for poll in answered])
    votes: list[pa.Array[Any]] = []
    for number, (_, type_) in enumerate(ballot.questions):
        verdicts = [poll.verdicts[number] for poll in counted]
        votes.append(array([verdict.value for verdict in verdicts], type_))
        votes.append(array([verdict.agreement for verdict in verdicts], _FLOAT64))
    counts = [
        array([poll.valid_samples for poll in counted], _INT32),
        array([poll.samples for poll in counted], _INT32),
    ]
    head = [rows.column(name) for name in HEAD.names]
    return pa.RecordBatch.from_arrays([*head, *user_columns(rows), *votes, *counts], schema=schema)
