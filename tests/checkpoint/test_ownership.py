"""Who works on a checkpoint, where flock may say anything."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from batcher.checkpoint import Checkpoint, CheckpointReader, schema
from batcher.checkpoint.ownership import BEAT_S, STALE_S, Ownership, Process, working
from batcher.errors import LockedError
from batcher.records import Success

MakeSuccess = Callable[..., Success]
NOW = 1_700_000_000.0


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc that shows where numbers of processes mean something, and no process."""
    boot = tmp_path / "sys" / "kernel" / "random" / "boot_id"
    boot.parent.mkdir(parents=True)
    boot.write_text("6e5c3b1e-0000-4000-8000-000000000001\n")
    namespace = tmp_path / "self" / "ns" / "pid"
    namespace.parent.mkdir(parents=True)
    namespace.symlink_to("pid:[4026531836]")
    return tmp_path


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(schema.CREATE)
        yield connection


@pytest.fixture
def another() -> Iterator[int]:
    """The number of another process that lives."""
    with subprocess.Popen(["sleep", "600"]) as process:  # noqa: S607 -- any sleep will do
        yield process.pid
        process.kill()


def _of(pid: int, **changes: Any) -> Process:  # noqa: ANN401 -- any field of Process
    """Return what this machine says of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(") ")[2].split()
    return Process.this()._replace(pid=pid, ticks=fields[19])._replace(**changes)


def _show(proc: Path, pid: int) -> None:
    """Let a /proc show a process as this machine's does."""
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "stat").write_text(Path(f"/proc/{pid}/stat").read_text("utf-8"))


def _ended() -> int:
    """Return a number that a process had, which is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def _own(database: sqlite3.Connection, process: Process, beat: float = NOW, calls: int = 8) -> None:
    database.execute(
        "INSERT INTO owner VALUES (?, ?, ?, ?, ?, ?, ?, ?)", ("theirs", *process, calls, beat)
    )


def _claim(database: sqlite3.Connection, *, shared: bool = False) -> Ownership:
    return Ownership.claim(database, Path("p.batch"), shared=shared, clock=lambda: NOW)


def test_this_process_is_alive_and_one_that_ended_is_not() -> None:
    assert Process.this().is_alive() is True
    ended = subprocess.Popen([sys.executable, "-c", ""])
    process = _of(ended.pid)
    # Not waited for yet: a zombie can write no more.
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert process.is_alive() is False
    ended.wait()
    assert process.is_alive() is False


def test_a_later_process_with_the_same_number_is_another(another: int) -> None:
    assert _of(another).is_alive() is True
    assert _of(another, ticks="1").is_alive() is False


@pytest.mark.parametrize("field", ["boot", "namespace"])
def test_of_a_process_of_another_machine_or_container_nothing_is_known(
    another: int, field: str
) -> None:
    assert _of(another, **{field: "elsewhere"}).is_alive() is None


def test_the_first_owner_finds_nothing(database: sqlite3.Connection) -> None:
    ownership = _claim(database)
    assert ownership.orphaned_calls == 0
    ownership.assure(database)


def test_a_living_owner_is_left_alone_and_named(database: sqlite3.Connection, another: int) -> None:
    """Even on a disk where flock let both in (fault 46)."""
    _own(database, _of(another))
    with pytest.raises(LockedError, match=rf"works in p\.batch: process {another} on .*Wait for"):
        _claim(database)


def test_a_dead_owner_is_followed_and_its_calls_are_orphaned(
    database: sqlite3.Connection, another: int
) -> None:
    """Fault 47: also where its number has been given to another process."""
    _own(database, _of(another, ticks="1"))
    ownership = _claim(database)
    assert ownership.orphaned_calls == 8
    ownership.assure(database)


def test_this_very_process_is_not_two(database: sqlite3.Connection) -> None:
    """A run of this process that failed may not have been able to let go."""
    _own(database, Process.this())
    assert _claim(database).orphaned_calls == 8


@pytest.mark.parametrize("silence", [0, 1, STALE_S - 1, -STALE_S + 1])
def test_on_a_shared_disk_an_owner_elsewhere_is_alive_while_it_writes(
    database: sqlite3.Connection, another: int, silence: float
) -> None:
    """Its clock may differ from ours."""
    _own(database, _of(another, boot="elsewhere"), NOW - silence)
    left = STALE_S - silence
    with pytest.raises(LockedError, match=f"wrote {silence:.0f} s ago.*again in {left:.0f} s"):
        _claim(database, shared=True)


def test_on_a_shared_disk_an_owner_elsewhere_that_has_gone_quiet_is_followed(
    database: sqlite3.Connection, another: int
) -> None:
    assert BEAT_S < STALE_S / 2
    _own(database, _of(another, boot="elsewhere"), NOW - STALE_S)
    assert _claim(database, shared=True).orphaned_calls == 8


def test_on_a_local_disk_the_lock_has_spoken_for_owners_of_other_containers(
    database: sqlite3.Connection, another: int
) -> None:
    """A container that was killed is started again at once, with numbers of its own."""
    _own(database, _of(another, namespace="elsewhere"))
    assert _claim(database).orphaned_calls == 8


def test_after_an_orderly_end_nothing_is_orphaned(database: sqlite3.Connection) -> None:
    _claim(database).release(database)
    assert _claim(database).orphaned_calls == 0


def test_who_was_taken_over_writes_nothing_more(path: Path, success: MakeSuccess) -> None:
    """Promise 8: of two processes that both think it theirs, the later one goes on."""
    with Checkpoint.open(path) as first:
        first.write([success(0)])
        with Checkpoint.open(path) as second:
            second.write([success(1)])
            with pytest.raises(LockedError, match="taken over this run, so this one stops"):
                first.write([success(2)])
    with Checkpoint.read(path) as checkpoint:
        assert [outcome.row for outcome in checkpoint.outcomes()] == [0, 1]


def test_a_system_without_proc_knows_nothing_of_processes(tmp_path: Path) -> None:
    process = Process.this()._replace(boot="", namespace="", ticks="")
    assert process.is_alive() is None
    assert Process.this(tmp_path)[1:3] == ("", "")
    assert Process.this(tmp_path).is_alive(tmp_path) is None


def _unread(proc: Path) -> None:
    """Hide /proc/sys, as systemd's ProcSubset=pid does."""
    shutil.rmtree(proc / "sys")


def _emptied(proc: Path) -> None:
    (proc / "sys/kernel/random/boot_id").write_text("\n")


def _without_namespace(proc: Path) -> None:
    (proc / "self/ns/pid").unlink()


@pytest.mark.parametrize("hide", [_unread, _emptied, _without_namespace])
@pytest.mark.parametrize("shown", [True, False])
def test_where_the_machine_does_not_tell_its_start_no_process_is_known(
    proc: Path, another: int, hide: Callable[[Path], None], *, shown: bool
) -> None:
    """Its processes may be shown all the same; another machine tells as little of its own."""
    hide(proc)
    if shown:
        _show(proc, another)
    for number in (another, _ended()):
        process = Process.this(proc)._replace(pid=number, ticks=_of(another).ticks)
        assert process.is_alive(proc) is None


def test_a_process_that_may_not_be_looked_at_is_not_known_to_be_gone(
    proc: Path, another: int
) -> None:
    """As where /proc is mounted with hidepid, and the process is another user's."""
    process = Process.this(proc)._replace(pid=another, ticks=_of(another).ticks)
    assert process.is_alive(proc) is None
    assert process._replace(pid=_ended()).is_alive(proc) is False
    _show(proc, another)
    assert process.is_alive(proc) is True
    assert process._replace(ticks="1").is_alive(proc) is False


def test_a_process_that_may_not_look_at_itself_says_no_start(proc: Path) -> None:
    this = Process.this(proc)
    assert (this.pid, this.ticks) == (os.getpid(), "")
    assert this.is_alive(proc) is None


@pytest.mark.parametrize("shared", [True, False])
def test_an_owner_whose_machine_did_not_tell_its_start_is_waited_for_on_a_shared_disk(
    database: sqlite3.Connection, *, shared: bool
) -> None:
    """On a local one the lock has spoken."""
    _own(database, Process.this()._replace(boot="", namespace="", pid=_ended()), NOW - 1)
    if shared:
        with pytest.raises(LockedError, match="wrote 1 s ago"):
            _claim(database, shared=True)
    else:
        assert _claim(database).orphaned_calls == 8


def test_who_works_is_told_by_the_process_or_by_its_latest_beat(
    database: sqlite3.Connection, another: int
) -> None:
    """One of another machine works as long as it writes, whatever its clock."""
    assert working(database, lambda: NOW) is None
    _own(database, _of(another))
    assert (
        working(database, lambda: NOW + 10 * STALE_S)
        == f"process {another} on {Process.this().host}"
    )
    database.execute("DELETE FROM owner")
    _own(database, _of(another, ticks="1"))
    assert working(database, lambda: NOW) is None
    database.execute("DELETE FROM owner")
    elsewhere = _of(another, host="node-2", boot="elsewhere")
    _own(database, elsewhere)
    assert working(database, lambda: NOW + BEAT_S) == f"process {another} on node-2"
    assert working(database, lambda: NOW + STALE_S) is None


def test_the_calls_of_a_killed_process_count_before_the_next_one_comes(tmp_path: Path) -> None:
    """For whoever looks right after the kill; those of one that works do not."""
    path = tmp_path / "checkpoint.db"
    with Checkpoint.open(path) as checkpoint:
        checkpoint.expect(7)
        assert checkpoint.counts().killed_calls == 0
    with Checkpoint.open(path) as checkpoint:
        checkpoint.expect(7)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            # A process that was there, and is no more.
            connection.execute("UPDATE owner SET pid = 1, ticks = 'long ago'")
            connection.commit()
        with CheckpointReader.read(path) as reader:
            assert reader.counts().killed_calls == 7
