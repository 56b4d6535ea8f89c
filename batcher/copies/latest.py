"""`latest.json`: which copy counts, and which process works on the run."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec

from batcher.checkpoint import Lineage, Process, Step
from batcher.errors import StorageError
from batcher.wording import utc

NAME = "latest.json"
# A process that cannot be seen from here counts as dead after so many of its signs of life were
# missed, and never before so many seconds.
_MISSED = 3
_SILENT_S = 180.0

_MADE = re.compile(r"(checkpoint-[0-9]+-[0-9a-f]{8}\.db|input-[0-9a-f]{16})\Z")


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    """A process that keeps copies: which one, and its last sign of life (Unix seconds).

    It gives one every `every` seconds while it is `at_work`. `token` is another one each time.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    ticks: str
    token: str
    since: float
    seen: float
    every: float
    at_work: bool = True

    @property
    def process(self) -> Process:
        """The process itself."""
        return Process(self.host, self.boot, self.namespace, self.pid, self.ticks)

    def may_live(self, now: float) -> bool:
        """Whether it may still work on the run; a process of this machine is known to, or not."""
        if not self.at_work:
            return False
        alive = self.process.is_alive()
        if alive is None:
            return self.silent_for(now) > 0
        return alive and self.process != Process.this()

    def silent_for(self, now: float) -> float:
        """Return for how many seconds more it would have to be silent to count as dead."""
        # Of a clock that is ahead, as of one that is behind.
        return max(_MISSED * self.every, _SILENT_S) - abs(now - self.seen)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {utc(self.since)}"


class Spooled(msgspec.Struct, frozen=True, kw_only=True):
    """A copy of rows that came in no file: `file` in the run directory is `name` in the store."""

    file: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\Z")]
    name: str
    size: int
    sha256: str


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A whole copy: its file in the store, and what it holds.

    `state` is that of `Backup`, `made_at` the moment of what it holds (Unix seconds).
    """

    name: str
    size: int
    sha256: str
    lineage: tuple[Step, ...]
    rows: int
    state: str
    made_at: float
    spooled: Spooled | None = None

    @property
    def of(self) -> Lineage:
        """The lineage of the checkpoint that it is a copy of."""
        return Lineage(self.lineage)

    def __str__(self) -> str:
        return f"copy {self.of.backups} of {utc(self.made_at)}, {self.rows:,} rows"


class Latest(msgspec.Struct, frozen=True, kw_only=True):
    """The copy that counts, None while there is none; and who wrote this last.

    `run` names the run whose copies these are, from its first start on.
    """

    run: str
    writer: Writer
    copy: Copy | None = None
    format: Literal[1] = 1

    def encoded(self) -> bytes:
        """Return the content of the file."""
        return msgspec.json.format(msgspec.json.encode(self))

    def files(self) -> set[str]:
        """Return the names of the files in the store that are in use."""
        if self.copy is None:
            return set()
        spooled = () if self.copy.spooled is None else (self.copy.spooled.name,)
        return {self.copy.name, *spooled}


def decoded(content: bytes, url: str) -> Latest:
    """Return what a file says that lies at `url`.

    Raises:
        StorageError: it is none, or of another version.
    """
    try:
        return msgspec.json.decode(content, type=Latest)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise StorageError(
            f"{url}/{NAME} cannot be understood ({error}): it is of another version of batcher, or "
            "damaged. Name another place for copies; or remove the folder, to begin anew there"
        ) from None


def is_made(name: str) -> bool:
    """Whether a file in a store has a name that this program gives."""
    return _MADE.match(name) is not None
