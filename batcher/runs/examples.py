"""An example of each class of errors that a run has, for its summary and its status."""

from __future__ import annotations

from collections.abc import Mapping

from batcher.checkpoint import first_errors
from batcher.errors import ErrorClass, StorageError
from batcher.observe import examples
from batcher.runs.directory import RunDirectory


def examples_of(directory: RunDirectory, *, texts: bool) -> Mapping[ErrorClass, str]:
    """Return a line for the first row of each class, and none where they cannot be read.

    Without `texts`, nothing that may quote a row.
    """
    try:
        return examples(first_errors(directory.checkpoint), texts=texts)
    except StorageError:
        # All else that is said of the run counts more; `batcher verify` names the damage.
        return {}
