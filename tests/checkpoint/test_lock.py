"""One process a run directory."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batcher.checkpoint import RunLock
from batcher.errors import LockedError, OutputError

_HOLD = """
import sys
from pathlib import Path
from batcher.checkpoint import RunLock
with RunLock.held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
_TRY = """
import sys
from pathlib import Path
from batcher.checkpoint import RunLock
from batcher.errors import LockedError
try:
    with RunLock.held(Path(sys.argv[1])):
        print("held")
except LockedError as error:
    print(error)
"""


@contextmanager
def _held_elsewhere(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Let another process hold the lock."""
    command = [sys.executable, "-c", _HOLD, str(directory)]
    with subprocess.Popen(  # noqa: S603 -- our own script
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_holder_in_this_process_is_told_who_holds_it_and_since_when(
    tmp_path: Path,
) -> None:
    with RunLock.held(tmp_path):
        who = json.loads((tmp_path / "lock").read_text())
        with pytest.raises(LockedError) as raised:
            RunLock.held(tmp_path).__enter__()
    message = str(raised.value)
    assert f"process {os.getpid()} on {socket.gethostname()}, since {who['since']}" in message
    assert f"`batcher status {tmp_path}`" in message
    assert raised.value.exit_code == 75


def test_another_process_is_refused_while_this_one_holds_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _TRY, str(tmp_path)]
    with RunLock.held(tmp_path):
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 -- our own script
    assert f"process {os.getpid()} on" in said
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 -- our own script
    assert said == "held\n"


def test_this_process_is_refused_while_another_one_holds_it(tmp_path: Path) -> None:
    with (
        _held_elsewhere(tmp_path) as process,
        pytest.raises(LockedError, match=f"process {process.pid} on"),
    ):
        RunLock.held(tmp_path).__enter__()


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    with _held_elsewhere(tmp_path) as process:
        process.kill()
        process.wait()
        assert json.loads((tmp_path / "lock").read_text())["pid"] == process.pid
        with RunLock.held(tmp_path):
            assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()


def test_the_lock_is_free_again_after_an_exception(tmp_path: Path) -> None:
    def failing() -> None:
        with RunLock.held(tmp_path):
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    with RunLock.held(tmp_path):
        pass


def test_a_refused_holder_leaves_the_lock_as_it_is(tmp_path: Path) -> None:
    with RunLock.held(tmp_path):
        before = (tmp_path / "lock").read_bytes()
        with pytest.raises(LockedError):
            RunLock.held(tmp_path).__enter__()
        assert (tmp_path / "lock").read_bytes() == before


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b"\xff", b"null"])
def test_a_holder_that_has_not_written_its_name_yet_is_a_holder(
    tmp_path: Path, text: bytes
) -> None:
    with RunLock.held(tmp_path):
        (tmp_path / "lock").write_bytes(text)
        with pytest.raises(LockedError, match="a process that has not said its name yet"):
            RunLock.held(tmp_path).__enter__()


def test_whoever_is_refused_hears_who_holds_it(tmp_path: Path) -> None:
    named = f"process {os.getpid()} on {socket.gethostname()}, since "
    with RunLock.held(tmp_path), pytest.raises(LockedError, match=re.escape(named)):
        RunLock.held(tmp_path).__enter__()


def test_a_longer_text_of_an_earlier_holder_is_gone(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"x" * 1000)
    with RunLock.held(tmp_path):
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()


def test_the_lock_file_is_private(tmp_path: Path) -> None:
    with RunLock.held(tmp_path):
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "lock").symlink_to(victim)
    with pytest.raises(OutputError, match=r"cannot create .*lock: .*symbolic links"):
        RunLock.held(tmp_path).__enter__()
    assert victim.read_text() == "precious"


def test_a_file_system_without_locks_is_an_error_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(descriptor: int, operation: int) -> None:
        del descriptor, operation
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OutputError, match=r"cannot lock .*: No locks available; .* -o"):
        RunLock.held(tmp_path).__enter__()


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    before = descriptors()
    with RunLock.held(tmp_path), pytest.raises(LockedError):
        RunLock.held(tmp_path).__enter__()
    assert descriptors() == before
