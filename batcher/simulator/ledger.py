"""The ledger: what arrived at the simulator and what became of it, as JSON lines.

Each request leaves two lines: `arrived` when it has been read, `answered` when it has ended. A
request with only the first was under way when the simulator stopped. No line ever holds a header
or a key. Lines are written in one call each and appended, so that a killed process leaves at most
one torn line, the last.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from batcher.errors import OutputError, StorageError

_ARRIVED = ("seq", "request_id", "prompt_key", "prompt", "model", "arrived_at", "in_flight")
_ANSWERED = ("seq", "finished_at", "status", "code", "fault", "sent")


@dataclass(slots=True)
class LedgerEntry:
    """One request, from its arrival to its end.

    Attributes:
        server: Names the simulator that wrote it; `seq` counts from 1 within it.
        request_id: The body's, else the X-Client-Request-Id header's.
        prompt_key: Names the row: `prompt_key(model, messages)`.
        prompt: The first 60 characters of the last user message.
        in_flight: Requests under way at its arrival, itself included.
        finished_at: None while it had not ended.
        status: The HTTP status it was answered with; None where no answer began.
        code: The error code it was answered with.
        fault: The fault it was drawn.
        sent: The whole body was handed to the socket, and the client was still there.
    """

    server: str
    seq: int
    arrived_at: float
    in_flight: int
    request_id: str | None = None
    prompt_key: str = ""
    prompt: str = ""
    model: str | None = None
    finished_at: float | None = None
    status: int | None = None
    code: str | None = None
    fault: str | None = None
    sent: bool = False


class Ledger:
    """Writes lines through `write`, one call a line."""

    __slots__ = ("_write",)

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    def arrived(self, entry: LedgerEntry) -> None:
        """Record that a request has been read."""
        self._append("arrived", entry, _ARRIVED)

    def answered(self, entry: LedgerEntry) -> None:
        """Record that a request has ended, however it did."""
        self._append("answered", entry, _ANSWERED)

    def _append(self, event: str, entry: LedgerEntry, names: tuple[str, ...]) -> None:
        line: dict[str, object] = {"event": event, "server": entry.server}
        for name in names:
            line[name] = getattr(entry, name)
        self._write(msgspec.json.encode(line) + b"\n")


@contextmanager
def open_ledger(path: Path | None) -> Iterator[Ledger | None]:
    """Open a ledger for appending; None writes none. A torn last line is taken away first.

    Raises:
        OutputError: the file cannot be opened.
    """
    if path is None:
        yield None
        return
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OutputError(f"cannot open the ledger {path}: {error.strerror}") from None
    try:
        _mend(descriptor)
        yield Ledger(lambda line: os.write(descriptor, line))
    finally:
        os.close(descriptor)


def _mend(descriptor: int) -> None:
    """Take away a last line that lacks its end."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, 65_536, max(size - 65_536, 0))
    torn = len(tail) - (tail.rfind(b"\n") + 1)
    if torn:
        os.ftruncate(descriptor, size - torn)


def read_ledger(path: Path) -> list[LedgerEntry]:
    """Read a ledger into one entry a request, in the order of arrival; a torn last line is left.

    Raises:
        StorageError: a line before the last is damaged.
    """
    entries: dict[tuple[str, int], LedgerEntry] = {}
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            fields = json.loads(line)
            event, key = fields.pop("event"), (fields["server"], fields["seq"])
            entries[key] = (
                LedgerEntry(**fields) if event == "arrived" else replace(entries[key], **fields)
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise StorageError(f"{path}:{number} is no line of a ledger") from None
    return list(entries.values())
