"""Who works on a checkpoint: the second guard, for where flock does not hold.

Beside the lock file, the checkpoint itself names the process that writes it. Whoever comes next
looks whether that one is alive, and every transaction of a process first makes sure that the
checkpoint is still its own; SQLite lets only one of two write (reliability.md promise 8).
"""

from __future__ import annotations

import os
import socket
import sqlite3
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from batcher.errors import LockedError

# Another machine's process that has not written for this long counts as dead.
STALE_S = 60.0
BEAT_S = STALE_S / 4

PROC = Path("/proc")


class Process(NamedTuple):
    """A process, told apart from later ones with its number.

    `boot` and `namespace` say where `pid` means something, `ticks` when it started; they are empty
    where the system does not tell.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    ticks: str

    @classmethod
    def this(cls, proc: Path = PROC) -> Process:
        """Return this process."""
        pid = os.getpid()
        return cls(socket.gethostname(), *_place(proc), pid, _ticks(pid, proc) or "")

    def is_alive(self, proc: Path = PROC) -> bool | None:
        """Tell whether the process still runs; None where that cannot be seen from here."""
        # Two machines that do not tell their starts are alike, and are still two.
        if not (self.boot and self.ticks) or (self.boot, self.namespace) != _place(proc):
            return None
        ticks = _ticks(self.pid, proc)
        return None if ticks is None else ticks == self.ticks


@dataclass(frozen=True, slots=True)
class Ownership:
    """The right to write into a checkpoint, until another process takes it.

    `orphaned_calls` were in flight at most when the owner before was killed; else it is 0.
    """

    token: str
    orphaned_calls: int
    clock: Callable[[], float] = time.time

    @classmethod
    def claim(
        cls,
        connection: sqlite3.Connection,
        directory: Path,
        *,
        shared: bool,
        clock: Callable[[], float] = time.time,
    ) -> Ownership:
        """Become the owner, in a transaction of `connection`.

        `shared` says that other machines reach the directory, so that a lock may not hold them.

        Raises:
            LockedError: another process is, and it is alive, or may be.
        """
        me, now, orphaned = Process.this(), clock(), 0
        found = connection.execute(
            "SELECT host, boot, namespace, pid, ticks, calls, beat FROM owner"
        ).fetchone()
        if found is not None:
            *named, orphaned, beat = found
            owner = Process(*named)
            alive = owner.is_alive()
            silence = now - beat
            # A run that failed may not have been able to let go; this process is not two.
            if alive and owner != me:
                raise LockedError(f"{_held(directory, owner)}. Wait for it, or stop it")
            if alive is None and shared and abs(silence) < STALE_S:
                raise LockedError(
                    f"{_held(directory, owner)}, which wrote {silence:.0f} s ago. Should it have "
                    f"been killed, run the same command again in {STALE_S - silence:.0f} s"
                )
        token = uuid.uuid4().hex
        connection.execute("DELETE FROM owner")
        connection.execute(
            "INSERT INTO owner VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (token, *me, 0, now)
        )
        return cls(token, orphaned, clock)

    def assure(self, connection: sqlite3.Connection) -> None:
        """Make sure, in a transaction of `connection`, that the checkpoint is still ours.

        Raises:
            LockedError: another process has taken it.
        """
        ours = connection.execute(
            "UPDATE owner SET beat = ? WHERE token = ?", (self.clock(), self.token)
        )
        if not ours.rowcount:
            raise LockedError(
                "another process has taken over this run, so this one stops; what was recorded "
                "is safe"
            )

    def expect(self, connection: sqlite3.Connection, calls: int) -> None:
        """Put down how many calls count as orphaned, should this process be killed."""
        connection.execute("UPDATE owner SET calls = ? WHERE token = ?", (calls, self.token))

    def release(self, connection: sqlite3.Connection) -> None:
        """Let go in an orderly way, so that no call counts as orphaned."""
        connection.execute("DELETE FROM owner WHERE token = ?", (self.token,))


def working(connection: sqlite3.Connection, clock: Callable[[], float] = time.time) -> str | None:
    """Return which process works on the checkpoint that `connection` sees; None where none does.

    One that cannot be seen from here works as long as it writes.
    """
    found = connection.execute("SELECT host, boot, namespace, pid, ticks, beat FROM owner")
    for *named, beat in found.fetchall():
        owner = Process(*named)
        alive = owner.is_alive()
        if alive or (alive is None and abs(clock() - beat) < STALE_S):
            return f"process {owner.pid} on {owner.host}"
    return None


def orphaned(connection: sqlite3.Connection) -> int:
    """Return how many calls were in flight at most when the last process was killed.

    0 where it ended in order, or still works. The next process puts them down for good.
    """
    calls = connection.execute("SELECT coalesce(sum(calls), 0) FROM owner").fetchone()[0]
    return int(calls) if calls and working(connection) is None else 0


def _held(directory: Path, owner: Process) -> str:
    return f"another run works in {directory}: process {owner.pid} on {owner.host}"


def _place(proc: Path) -> tuple[str, str]:
    """Return what a process number belongs to: a start of a machine, and a namespace."""
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text("ascii").strip()
        return boot, str((proc / "self/ns/pid").readlink())
    except OSError:
        return "", ""


def _ticks(pid: int, proc: Path) -> str | None:
    """Return when the process started, in ticks since the start of the machine; "" if it is gone.

    None if it runs and may not be looked at. A zombie is gone: it can write no more (proc(5),
    /proc/pid/stat fields 3 and 22).
    """
    try:
        stat = (proc / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return None if _is_taken(pid) else ""
    # The name, in brackets, may hold anything.
    state, *fields = stat.rpartition(") ")[2].split()
    return "" if state in "ZX" else fields[18]


def _is_taken(pid: int) -> bool:
    """Whether a process has this number: also another user's, which /proc may hide."""
    try:
        os.kill(pid, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True
