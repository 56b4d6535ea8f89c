"""`batcher.merge`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from batcher.api.options import PathName
from batcher.api.result import Result, result_of_merge
from batcher.api.words import PYTHON
from batcher.runs.directory import RunDirectory
from batcher.runs.merge import merge_runs


def merge(directories: PathName | Iterable[PathName], /, *, output: PathName) -> Result:
    """Join shards of an input, or other runs of it, in the run directory `output`.

    `directories` are those of the runs; also just one of them.

    The same as `batcher merge`: calls nothing, and only reads the runs, which may still go on. The
    same call again takes up what they have since.

    Returns:
        What `run` returns: `pending` are the rows that none of the runs has an outcome for;
        `batcher.run(input, output=output)` calls just those.

    Raises:
        UsageError: a directory is named twice, or is the output; or that is a URL.
        ConfigurationError: the runs do not go together, or the output holds something else.
        StorageError: a directory holds no run, or a checkpoint is damaged.
        OutputError: the output cannot be written, or the results would replace an input.
        LockedError: another process works in the output.
    """
    paths = [directories] if isinstance(directories, str | os.PathLike) else directories
    sources = [RunDirectory(Path(os.fspath(one))) for one in paths]
    with PYTHON.spoken():
        return result_of_merge(merge_runs(sources, RunDirectory.named(os.fspath(output))))
