"""A disk that forgets: what files hold after a loss of power, rebuilt from a record of writes.

`recording.py` turns a child's calls into `Operation`s. A `Disk` lets them happen one by one and
knows at each moment what has surely reached the platter: the bytes of a file up to its last fsync,
and the names of a directory up to the directory's. Everything else may be there or not, each
sector for itself.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SECTOR = 512


class Operation(NamedTuple):
    """One call that changes a file, or makes changes lasting.

    Attributes:
        kind: create, write, truncate, rename, unlink, sync; or ack: the child says so.
        path: What it changes; the text of an ack.
        to: The new name, of a rename.
        offset: Where it writes, or the new size.
        data: What it writes.
    """

    kind: str
    path: str
    to: str = ""
    offset: int = 0
    data: bytes = b""


@dataclass(slots=True)
class _File:
    """The bytes of a file as programs see them, as they have surely been written, and between."""

    seen: bytearray = field(default_factory=bytearray)
    safe: bytes = b""
    pending: list[Operation] = field(default_factory=list)

    def do(self, operation: Operation) -> None:
        _apply(self.seen, operation)
        self.pending.append(operation)

    def sync(self) -> None:
        self.safe = bytes(self.seen)
        self.pending.clear()

    def torn(self, chance: random.Random) -> bytes:
        """Return what may be there: the safe bytes, and of the rest any sectors."""
        content = bytearray(self.safe)
        for operation in self.pending:
            if operation.kind == "truncate":
                if chance.random() < 0.5:
                    _apply(content, operation)
                continue
            end = operation.offset + len(operation.data)
            start = operation.offset
            while start < end:
                stop = min(end, (start // SECTOR + 1) * SECTOR)
                if chance.random() < 0.5:
                    piece = operation.data[start - operation.offset : stop - operation.offset]
                    _apply(content, operation._replace(offset=start, data=piece))
                start = stop
        return bytes(content)


class Disk:
    """The files below one directory, at a moment of a recorded run."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Hold `files`, all of them safe."""
        self._names = {path: _File(bytearray(content), content) for path, content in files.items()}
        self._safe_names = dict(self._names)

    def do(self, operation: Operation) -> None:
        """Let the next operation happen."""
        path = operation.path
        match operation.kind:
            case "create":
                self._names.setdefault(path, _File())
            case "write" | "truncate":
                self._names[path].do(operation)
            case "rename":
                self._names[operation.to] = self._names.pop(path)
            case "unlink":
                self._names.pop(path, None)
            case "sync":
                if path in self._names:
                    self._names[path].sync()
                else:
                    self._sync_directory(path)

    def seen(self) -> dict[str, bytes]:
        """Return the files as if all had reached the platter."""
        return {path: bytes(file.seen) for path, file in self._names.items()}

    def safe(self) -> dict[str, bytes]:
        """Return the files as if only what was synced had."""
        return {path: file.safe for path, file in self._safe_names.items()}

    def torn(self, chance: random.Random) -> dict[str, bytes]:
        """Return files of which any unsynced sector, and any unsynced name, may be there."""
        names = self._names if chance.random() < 0.5 else self._safe_names
        return {path: file.torn(chance) for path, file in names.items()}

    def _sync_directory(self, directory: str) -> None:
        def inside(path: str) -> bool:
            return os.path.dirname(path) == directory  # noqa: PTH120 -- names of a record, no files

        kept = {path: file for path, file in self._safe_names.items() if not inside(path)}
        fresh = {path: file for path, file in self._names.items() if inside(path)}
        self._safe_names = kept | fresh


def build(files: dict[str, bytes], directory: Path, into: Path) -> None:
    """Write `files`, whose paths lie below `directory`, to the same places below `into`."""
    for path, content in files.items():
        target = into / Path(path).relative_to(directory)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _apply(content: bytearray, operation: Operation) -> None:
    if operation.kind == "truncate":
        del content[operation.offset :]
    content.extend(bytes(max(0, operation.offset - len(content))))
    content[operation.offset : operation.offset + len(operation.data)] = operation.data
