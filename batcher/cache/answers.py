"""The cache as a run uses it: looked into beside the reading, written beside the calls."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from batcher.cache.database import FILE, connected, prepared
from batcher.cache.entry import decoded, encoded, entry_key
from batcher.records import AnsweredBy, Completion, Kept, Success
from batcher.wording import counted

# Characters of answers that may wait for a slow disk; more are not kept.
MOST_WAITING = 64 * 1024 * 1024
# How long a run that has ended waits for its last answers to be kept, and one that must end.
FLUSH_S = 5.0
HURRY_S = 0.2

_INSERT = "INSERT OR REPLACE INTO answers (key, created_at, answer, checksum) VALUES (?, ?, ?, ?)"
_SELECT = "SELECT answer, checksum FROM answers WHERE key = ?"


class Cache:
    """Answers of one endpoint, by the content of the requests they answer.

    Once it fails it is left alone, and `on_notice` is told, from whichever thread that was.
    """

    def __init__(
        self,
        path: Path,
        reader: sqlite3.Connection,
        scope: str,
        on_notice: Callable[[str], None],
        most_waiting: int,
        flush_s: float,
    ) -> None:
        """Use `open`."""
        self.path = path
        self._reader = reader
        self._scope = scope
        self._on_notice = on_notice
        self._most_waiting = most_waiting
        self._flush_s = flush_s
        self._failed = False
        self._waiting: list[Success] = []
        self._size = 0
        self._left_out = 0
        self._closed = False
        self._lock = threading.Lock()
        self._arrived = threading.Event()

    @classmethod
    @contextlib.contextmanager
    def open(
        cls,
        directory: Path,
        scope: str,
        on_notice: Callable[[str], None],
        *,
        most_waiting: int = MOST_WAITING,
        flush_s: float = FLUSH_S,
    ) -> Iterator[Cache]:
        """Open the cache in `directory`, creating it where there is none.

        `scope` names whose answers they are: the same request to another endpoint is another one.
        At most `most_waiting` characters of answers wait to be written, and in the end the last
        ones are waited for `flush_s` seconds at most.

        Raises:
            OutputError: it cannot be created or written.
            StorageError: it is damaged, or of another program or version.
        """
        path = prepared(directory)
        with connected(path) as reader:
            cache = cls(path, reader, scope, on_notice, most_waiting, flush_s)
            # A process that must end is not held up by it: what it has in hand are copies.
            writer = threading.Thread(target=cache._write_all, name="cache", daemon=True)
            writer.start()
            try:
                yield cache
            finally:
                cache._close(writer)

    @staticmethod
    def exists(directory: Path) -> bool:
        """Whether a cache is in `directory`."""
        return (directory / FILE).is_file()

    def find(
        self, contents: Sequence[str], most: int
    ) -> tuple[dict[str, Completion], Sequence[str]]:
        """Return by content the answers that there are, and the contents not looked at.

        None is looked at any more once the answers have `most` characters together.
        """
        found: dict[str, Completion] = {}
        for at, content in enumerate(contents):
            if most <= 0:
                return found, contents[at:]
            answer = self._answer(entry_key(self._scope, content))
            if answer is not None:
                found[content] = answer
                most -= answer.size
        return found, ()

    def keep(self, kept: Kept) -> None:
        """Keep an answer that a call brought for rows that share theirs; returns at once."""
        if (
            self._failed
            or not isinstance(kept, Success)
            or kept.content is None
            or kept.answered_by is not AnsweredBy.CALL
        ):
            return
        size = kept.completion.size
        with self._lock:
            if self._size + size > self._most_waiting:
                self._left_out += 1
                return
            self._size += size
            self._waiting.append(kept)
        self._arrived.set()

    def hurry(self) -> None:
        """Let the end of a run that was told to stop wait for no slow disk."""
        self._flush_s = min(self._flush_s, HURRY_S)

    def _answer(self, key: str) -> Completion | None:
        if self._failed:
            return None
        try:
            entry = self._reader.execute(_SELECT, (key,)).fetchone()
        except sqlite3.Error as error:
            self._fail(error)
            return None
        return None if entry is None else decoded(key, *entry)

    def _write_all(self) -> None:
        """Write what comes, in groups, until closed; in a thread of its own."""
        try:
            with connected(self.path) as writer:
                while not self._write_group(writer):
                    pass
        except sqlite3.Error as error:
            self._fail(error)

    def _write_group(self, writer: sqlite3.Connection) -> bool:
        """Wait for answers, and write them; return whether they were the last ones."""
        self._arrived.wait()
        with self._lock:
            self._arrived.clear()
            group, self._waiting, self._size = self._waiting, [], 0
            closed = self._closed
        if group:
            with writer:
                writer.execute("BEGIN IMMEDIATE")
                writer.executemany(_INSERT, filter(None, map(self._entry, group)))
        return closed

    def _entry(self, success: Success) -> tuple[str, int, bytes, int] | None:
        key = entry_key(self._scope, success.content or "")
        answer = encoded(key, success.completion)
        if answer is None:
            return None
        data, checksum = answer
        return key, round(success.finished_at * 1_000_000), data, checksum

    def _fail(self, error: sqlite3.Error) -> None:
        with self._lock:
            first, self._failed = not self._failed, True
            self._waiting, self._size = [], 0
        if first:
            self._on_notice(
                f"The cache {self.path} failed: {error}. The run goes on without it; answers are "
                "safe in the checkpoint"
            )

    def _close(self, writer: threading.Thread) -> None:
        with self._lock:
            self._closed = True
        self._arrived.set()
        writer.join(self._flush_s)
        with self._lock:
            left_out = self._left_out + len(self._waiting)
        if left_out:
            self._on_notice(
                f"The cache {self.path} is slower than the run: {counted(left_out, 'answer')} not "
                "kept in it"
            )
