"""A store in memory, which can be slow, fail, or be the last thing that a process saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from batcher.copies import Latest
from batcher.copies.latest import NAME, decoded
from batcher.errors import StorageError
from batcher.records import Completion, Source, Success, Usage

Value = TypeVar("Value")


class KilledError(BaseException):
    """The process is gone: nothing of it runs any more."""


@dataclass
class Memory:
    """A store; `before` is called with the name of each operation and of its file.

    What that raises comes before the operation is done, or after it where `late`.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    before: Callable[[str, str], None] = lambda _verb, _name: None
    late: bool = False
    url: str = "memory://copies"

    def read(self, name: str) -> bytes | None:
        return self._done("read", name, lambda: self.files.get(name))

    def write(self, name: str, content: bytes) -> None:
        self._done("write", name, lambda: self.files.__setitem__(name, content))

    def upload(self, path: Path, name: str) -> None:
        content = path.read_bytes()
        self._done("upload", name, lambda: self.files.__setitem__(name, content))

    def download(self, name: str, to: Path) -> None:
        def download() -> None:
            if name not in self.files:
                raise StorageError(f"there is no {self.url}/{name}")
            to.unlink(missing_ok=True)
            to.touch(0o600)
            to.write_bytes(self.files[name])

        self._done("download", name, download)

    def remove(self, name: str) -> None:
        self._done("remove", name, lambda: self.files.pop(name, None))

    def names(self) -> list[str]:
        return self._done("list", "", lambda: sorted(self.files))

    def latest(self) -> Latest:
        """Return what `latest.json` says."""
        return decoded(self.files[NAME], self.url)

    def _done(self, verb: str, name: str, work: Callable[[], Value]) -> Value:
        if not self.late:
            self.before(verb, name)
        done = work()
        if self.late:
            self.before(verb, name)
        return done


@dataclass
class Clock:
    """Seconds since 1970 that pass when a test says so."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def made_success(row: int, text: str = "fine") -> Success:
    """Return the outcome of a row."""
    completion = Completion(text, None, None, "stop", "glm-4-flash", Usage(10, 5, 3, 2))
    source = Source("prompts.jsonl", row + 1)
    return Success(row, f"id-{row}", f"key-{row}", completion, (), 2.0, source)
