"""What the URL of an input stands for: a file, what lies below a folder, or what a glob matches.

The same rules as on the disk (`files`): sorted part by part, and neither what is hidden nor what a
run left is found, unless it is spelt out.
"""

from __future__ import annotations

import glob
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from batcher.errors import InputError
from batcher.storage import Address, Entry, Stop, entries_below, entry_at
from batcher.wording import did_you_mean

_CHECKPOINT = "checkpoint.db"
_RUN = ".batch"
# What a run puts at `--to`. Where both are, they are no rows of anybody's.
OUTPUTS = frozenset({"results.parquet", "errors.parquet"})


def expanded(url: Address, is_input: Callable[[str], bool], stop: Stop) -> tuple[list[Entry], str]:
    """Return the files that `url` stands for, and as what: a "file", a "folder" or a "glob".

    `is_input` tells the names of inputs, one of which the user may have meant.

    Raises:
        InputError: there is nothing, or what a run left.
        StorageError: the store cannot be asked.
        GivenUpError: `stop` said that nobody waits any more.
    """
    found = entry_at(url, stop)
    if found is not None and found.is_file:
        return [found], "file"
    if found is not None:
        if _is_run(url, stop):
            raise InputError(f"{url} is the directory of a run; name one of its files")
        return _sorted(_seen(_files_below(url, stop), len(parts_of(url)))), "folder"
    if glob.has_magic(url.path):
        pattern = url.path.split("/")
        spelt = next(at for at, part in enumerate(pattern) if glob.has_magic(part))
        root = Address(url.scheme, url.host, "/".join(pattern[:spelt]))
        files = _sorted(_matching(root, pattern[spelt:], stop))
        if files or not (lacking := _lacking_bucket(url, stop)):
            return files, "glob"
        raise InputError(f"no such file: {url}{lacking}")
    raise InputError(f"no such file: {url}{_near(url, is_input, stop)}")


def _matching(folder: Address, pattern: Sequence[str], stop: Stop) -> Iterator[Entry]:
    """Yield the files below `folder` that match part by part; `**` stands for any folders."""
    first, *rest = pattern
    if first == "**":
        depth = len(parts_of(folder))
        for file in _seen(_files_below(folder, stop), depth):
            if matches(parts_of(file.address)[depth:], pattern):
                yield file
    elif rest and not glob.has_magic(first):
        yield from _matching(folder / first, rest, stop)
    else:
        for entry in entries_below(folder, recursive=False, stop=stop):
            if not matches([entry.address.name], [first]):
                continue
            if entry.is_file and not rest:
                yield entry
            elif rest and not entry.is_file and not _is_left(entry.address, stop):
                yield from _matching(entry.address, rest, stop)


def matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Tell whether the parts of a path match a pattern; `**` stands for any folders."""
    if not pattern:
        return not parts
    first, *rest = pattern
    if first == "**":
        # At the end it means the files at any depth.
        return any(matches(parts[at:], rest or ["*"]) for at in range(len(parts)))
    if not parts or (parts[0].startswith(".") and not first.startswith(".")):
        return False
    return fnmatchcase(parts[0], first) and matches(parts[1:], rest)


def _files_below(folder: Address, stop: Stop) -> list[Entry]:
    return [entry for entry in entries_below(folder, recursive=True, stop=stop) if entry.is_file]


def _seen(files: Sequence[Entry], depth: int) -> Iterator[Entry]:
    """Yield those that are neither hidden nor of a run, as far as it shows below `depth` parts."""
    held: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for file in files:
        held[parts_of(file.address)[:-1]].add(file.address.name)
    runs = {folder for folder, names in held.items() if _CHECKPOINT in names or names >= OUTPUTS}
    for file in files:
        parts = parts_of(file.address)
        folders = [parts[:end] for end in range(depth + 1, len(parts))]
        if not (
            parts[-1].startswith(".")
            or any(folder in runs or is_passed_over(folder[-1]) for folder in folders)
        ):
            yield file


def _is_run(folder: Address, stop: Stop) -> bool:
    return folder.name.endswith(_RUN) or entry_at(folder / _CHECKPOINT, stop) is not None


def _is_left(folder: Address, stop: Stop) -> bool:
    """Tell whether a run left it: its directory, or what it put at `--to`."""
    # A listing is one request, to look for three files that are not there are six.
    names = {entry.address.name for entry in entries_below(folder, recursive=False, stop=stop)}
    return folder.name.endswith(_RUN) or _CHECKPOINT in names or names >= OUTPUTS


def is_passed_over(folder: str) -> bool:
    """Tell whether a folder of this name is hidden, or a run's."""
    return folder.startswith(".") or folder.endswith(_RUN)


def parts_of(address: Address) -> tuple[str, ...]:
    """Return the parts of its path."""
    return tuple(address.path.split("/")) if address.path else ()


def _sorted(files: Iterable[Entry]) -> list[Entry]:
    return sorted(files, key=lambda file: parts_of(file.address))


def _near(url: Address, is_input: Callable[[str], bool], stop: Stop) -> str:
    """Say what is there instead: a name that is alike, or not even the bucket."""
    parts = parts_of(url)
    if not parts:
        return "."
    folder = Address(url.scheme, url.host, "/".join(parts[:-1]))
    there = entries_below(folder, recursive=False, stop=stop)
    beside = [entry.address.name for entry in there if _may_be(entry, is_input)]
    lacking = "" if beside else _lacking_bucket(url, stop)
    return lacking or did_you_mean(url.name, beside)


def _lacking_bucket(url: Address, stop: Stop) -> str:
    """Say that not even the bucket is there; nothing where it is."""
    missing = url.bucket is not None and entry_at(url.bucket, stop) is None
    return f"; there is no {url.bucket}." if missing else ""


def _may_be(entry: Entry, is_input: Callable[[str], bool]) -> bool:
    return not entry.is_file or is_input(entry.address.name)
