"""What a run remembers of its input and its job: the facts of its checkpoint, made and read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec

from batcher.checkpoint import CheckpointReader
from batcher.errors import StorageError
from batcher.inputs import Compression, Dataset, FileFormat, InputFile
from batcher.job import SAMPLES, JobSpec, OutputSpec, plain_job
from batcher.runs.shard import Part, part_in
from batcher.storage import Address, is_url
from batcher.structured import StructOf, Structure

_OF_ONE_PROCESS = ("max_rows", "max_errors", "max_error_rate", "max_duration", "deadline")


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a checkpoint remembers of its run.

    Each fact is read when it is asked for, and raises StorageError if it is damaged; others may be
    sound. A run that stopped before it took up its input remembers nothing yet.
    """

    checkpoint: CheckpointReader

    @property
    def fingerprint(self) -> str | None:
        """That of the input; None where none was taken up."""
        return cast("str | None", self.checkpoint.fact("fingerprint"))

    @property
    def dataset(self) -> Dataset:
        """The input.

        Raises:
            StorageError: the run stopped before it was opened.
        """
        return dataset_of(self.checkpoint.fact("input"))

    @property
    def part(self) -> Part | None:
        """The part of the input that the run is about; None where that is all of it."""
        return part_in(self.checkpoint)

    @property
    def settings(self) -> Mapping[str, Any]:
        """The request settings, by their names in a job file."""
        return cast("Mapping[str, Any]", self.checkpoint.fact("settings") or {})

    @property
    def samples(self) -> int:
        """How many answers each row gets."""
        return samples_in(self.settings)

    @property
    def value(self) -> StructOf | None:
        """What each answer holds, where the job wants one of known fields."""
        settings = self.settings
        spec = OutputSpec(
            schema=settings.get("output.schema"), fields=settings.get("output.fields")
        )
        structure = Structure.of(spec)
        return None if structure is None else structure.kind

    @property
    def job(self) -> Mapping[str, Any] | None:
        """The tables of the job; None where no `batcher run` came to its calls."""
        return cast("Mapping[str, Any] | None", self.checkpoint.fact("job"))

    @property
    def shows_texts(self) -> bool:
        """Whether prompts and answers may be shown, by its job."""
        return bool((self.job or {}).get("observe", {}).get("report_samples", True))

    @property
    def simulated(self) -> bool:
        """Whether the answers are the simulator's."""
        return bool(self.checkpoint.fact("simulated"))


def job_facts(job: JobSpec, dataset: Dataset) -> dict[str, Any]:
    """Return what to remember of a job, so that it can be taken up from any folder.

    Images beside the input are looked for beside it then too; where the inputs lie in several
    folders, only from the working directory of this process.
    """
    tables = plain_job(job)
    # Meant for one process; those of the whole run stay.
    tables["ceilings"] |= dict.fromkeys(_OF_ONE_PROCESS)
    folders = {
        str(Path(file.name).parent.absolute())
        for file in dataset.files
        if not isinstance(file.place, Address)
    }
    if job.prompt.images_from is None and len(folders) == 1:
        (tables["prompt"]["images_from"],) = folders
    return tables


def input_facts(dataset: Dataset) -> dict[str, object]:
    """Return what to remember of an input, as JSON."""
    files = [
        {
            "path": file.place.url
            if isinstance(file.place, Address)
            else str(file.place.resolve()),
            "name": file.name,
            "format": file.format,
            "compression": file.compression,
        }
        for file in dataset.files
    ]
    return {"files": files, "id_column": dataset.id_column}


def dataset_of(facts: object) -> Dataset:
    """Return the input that `facts` tell of.

    Raises:
        StorageError: they are not there, so the run stopped before its input was opened.
    """
    try:
        found = msgspec.convert(facts, _Input)
    except msgspec.ValidationError:
        raise StorageError("the run never opened its input; start it with `batcher run`") from None
    files = [
        InputFile(
            Address.of(file.path) if is_url(file.path) else Path(file.path),
            *(file.name, file.format, file.compression),
        )
        for file in found.files
    ]
    return Dataset(tuple(files), id_column=found.id_column)


def samples_in(settings: Mapping[str, object]) -> int:
    """Return how many answers each row gets, by the remembered request settings."""
    samples = settings.get(SAMPLES)
    # A run that never opened its input has no settings, and no rows either.
    return samples if isinstance(samples, int) else 1


class _File(msgspec.Struct, frozen=True):
    path: str
    name: str
    format: FileFormat
    compression: Compression | None


class _Input(msgspec.Struct, frozen=True):
    files: tuple[_File, ...]
    id_column: str | None
