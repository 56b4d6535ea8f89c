"""The files that the user's words name, in order: each a file, a directory or a glob; or a URL."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from batcher.errors import InputError
from batcher.filesystem import is_text, not_text
from batcher.inputs.urls import OUTPUTS, expanded
from batcher.storage import Address, Entry, Stop, is_url, never
from batcher.wording import did_you_mean

FileFormat = Literal["jsonl", "parquet"]
Compression = Literal["gzip", "zstd"]

SUFFIXES: dict[str, tuple[FileFormat, Compression | None]] = {
    ".jsonl": ("jsonl", None),
    ".ndjson": ("jsonl", None),
    ".jsonl.gz": ("jsonl", "gzip"),
    ".ndjson.gz": ("jsonl", "gzip"),
    ".jsonl.zst": ("jsonl", "zstd"),
    ".ndjson.zst": ("jsonl", "zstd"),
    ".parquet": ("parquet", None),
}
_KNOWN = ", ".join(SUFFIXES)
# What packed files begin with; no line of JSON does.
_PACKED: dict[bytes, Compression] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_PARQUET = b"PAR1"


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of prompts, on this machine or at a URL.

    `name` is where it lies in the user's words, for messages. One at a URL may be packed though
    `compression` says nothing: its first bytes are seen when it is read. `seen` is what the
    store said of it when it was found, and `held` is what is in it, where that is at hand.
    """

    place: Path | Address
    name: str
    format: FileFormat
    compression: Compression | None
    seen: Entry | None = None
    held: bytes | None = field(default=None, repr=False)

    @property
    def path(self) -> Path:
        """Where it is on this machine.

        Raises:
            InputError: it is at a URL.
        """
        if isinstance(self.place, Address):
            raise InputError(f"{self.name} is not on this machine; copy it here first")
        return self.place


def discover(inputs: Sequence[str], stop: Stop = never) -> tuple[InputFile, ...]:
    """Return the files that `inputs` name, in their order, each once.

    A directory or a glob stands for its files of known suffixes, sorted. Below it, hidden files
    and run directories are passed over, and folders with what a run put there (results.parquet and
    errors.parquet), or the results of one run would be the input of the next.

    Raises:
        InputError: a name that leads to no file that can be read.
        StorageError: a store cannot be asked.
        GivenUpError: `stop` said that nobody waits for one any more.
        UsageError, ConfigurationError: a URL is of no known kind, or may hold a secret.
    """
    files: dict[str, InputFile] = {}
    for given in inputs:
        try:
            address = Address.of(given) if is_url(given) else None
            if address is not None and address.scheme != "file":
                for file in _remote(address, stop):
                    files.setdefault(file.name, file)
                continue
            for name in _expanded(given if address is None else address.path):
                files.setdefault(os.path.realpath(name), _checked(name))
        except OSError as error:
            raise InputError(
                f"cannot read {error.filename or given}: {error.strerror or error}"
            ) from None
    return tuple(files.values())


def may_be_input(name: str) -> bool:
    """Tell whether a folder stands for a file of this name."""
    return _suffix(name) is not None


def compression_of(head: bytes, name: str) -> Compression | None:
    """Return how JSON Lines that begin with the bytes `head` are packed.

    Raises:
        InputError: they are no lines but Parquet; `name` is where they come from.
    """
    if head.startswith(_PARQUET):
        raise InputError(
            f"{name} holds Parquet, not JSON Lines; give it as a file whose name ends in .parquet"
        )
    return next((packed for magic, packed in _PACKED.items() if head.startswith(magic)), None)


def reason_of(error: Exception) -> str:
    """Say why a file cannot be read: the system's reason, or that it is damaged or cut short."""
    told: str | None = getattr(error, "strerror", None)
    # Arrow's messages tell of its own sources in further lines.
    first, _, _ = str(error).partition("\n")
    return told or f"{first}; put a sound copy of it in its place"


def _expanded(given: str) -> list[str]:
    """Return the names that `given` stands for."""
    path = Path(given)
    if path.is_dir():
        if _is_run_directory(path):
            raise InputError(f"{given} is the directory of a run; name one of its files")
        found, kind = list(_below(path)), "directory"
    elif glob.has_magic(given) and not path.exists():
        found, kind = list(_matching(given)), "glob"
    else:
        return [given]
    known = sorted(path for path in found if _suffix(path.name))
    if not known:
        raise _nothing(kind, given)
    return list(map(str, known))


def _remote(given: Address, stop: Stop) -> list[InputFile]:
    """Return the files that a URL stands for."""
    found, kind = expanded(given, may_be_input, stop)
    if kind != "file":
        found = [file for file in found if may_be_input(file.address.name)]
        if not found:
            raise _nothing(kind, given.url)
    for refusal in filter(None, (file.address.refusal for file in found)):
        such = f", such as {given.url}/*.jsonl" if kind == "folder" else ""
        raise InputError(f"{refusal}. Rename it, or give a glob that does not find it{such}")
    return [replace(_of_kind(file.address, file.address.url), seen=file) for file in found]


def _nothing(kind: str, given: str) -> InputError:
    return InputError(f"the {kind} {given} holds no input file; known suffixes: {_KNOWN}")


def _below(directory: Path) -> Iterator[Path]:
    """Yield the files below `directory` that are neither hidden nor part of a run."""
    for folder, subfolders, names in os.walk(directory, onerror=_raise):
        subfolders[:] = [name for name in subfolders if not _is_passed_over(Path(folder, name))]
        for name in names:
            if not name.startswith("."):
                yield Path(folder, name)


def _matching(pattern: str) -> Iterator[Path]:
    """Yield the files that match; what the pattern spells out may well be a run directory."""
    parts = Path(pattern).parts
    spelt = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    # Path.glob takes no absolute pattern, and shows what is hidden.
    for path in map(Path, glob.iglob(pattern, recursive=True)):  # noqa: PTH207
        # `parents` goes outward: the last `spelt` ones, and the root, stand in the pattern.
        found = list(path.parents)[: len(path.parts) - 1 - spelt]
        if path.is_file() and not any(map(_is_passed_over, found)):
            yield path


def _is_passed_over(directory: Path) -> bool:
    put_there = all((directory / name).exists() for name in OUTPUTS)
    return directory.name.startswith(".") or put_there or _is_run_directory(directory)


def _is_run_directory(directory: Path) -> bool:
    return directory.suffix == ".batch" or (directory / "checkpoint.db").exists()


def _checked(name: str) -> InputFile:
    """Return the file called `name`, which can be opened."""
    path = Path(name)
    for written in (name, os.path.realpath(name)):
        if not is_text(written):
            raise InputError(f"the name of {not_text(written)}")
    if not path.exists():
        near = did_you_mean(path.name, _beside(path))
        raise InputError(f"no such file: {name}{near}")
    if not path.is_file():
        raise InputError(f"{name} is no regular file; pipe it in and name the input `-`")
    made = _of_kind(path, name)
    with path.open("rb") as file:
        head = file.read(4)
    if made.format == "jsonl" and made.compression is None:
        # Such as a download that kept its packing but not its name.
        return replace(made, compression=compression_of(head, name))
    return made


def _of_kind(place: Path | Address, name: str) -> InputFile:
    suffix = _suffix(place.name)
    if suffix is None:
        raise InputError(f"{name} is of no known kind; known suffixes: {_KNOWN}")
    file_format, compression = SUFFIXES[suffix]
    return InputFile(place, name, file_format, compression)


def _beside(path: Path) -> list[str]:
    """Return the names of input files where `path` would be."""
    try:
        return [other.name for other in path.parent.iterdir() if _suffix(other.name)]
    except OSError:
        return []


def _suffix(name: str) -> str | None:
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), None)


def _raise(error: OSError) -> None:
    raise error
