"""The file for the textfile collector: whole at any moment, and never in the way of a run."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from batcher.errors import ConfigurationError
from batcher.observe.metrics.textfile import kept_current, write


class Numbered:
    """Makes another text each time."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> bytes:
        self.made += 1
        return f"n {self.made}\n".encode()


def test_others_may_read_it_whatever_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write(tmp_path / "run.prom", b"n 1\n")
    finally:
        os.umask(before)
    assert (tmp_path / "run.prom").stat().st_mode & 0o777 == 0o644


def test_it_is_replaced_in_one_step_and_nothing_else_is_left(tmp_path: Path) -> None:
    """A reader that has it open reads the old one to its end."""
    path = tmp_path / "run.prom"
    write(path, b"n 1\n")
    with path.open("rb") as reader:
        write(path, b"n 2\n")
        assert reader.read() == b"n 1\n"
    assert path.read_bytes() == b"n 2\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_the_place_of_its_temporary_file_is_not_followed(tmp_path: Path) -> None:
    """The directory of the collector may be one that others write to."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "run.prom.tmp").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"):
        write(tmp_path / "run.prom", b"n 1\n")
    assert victim.read_bytes() == b"precious"


def test_it_is_written_at_once_again_and_again_and_at_the_end(tmp_path: Path) -> None:
    path, wrote, count = tmp_path / "run.prom", threading.Semaphore(0), Numbered()

    def text() -> bytes:
        made = count()
        wrote.release()
        return made

    with kept_current(path, text, pytest.fail, every=0.001):
        for _ in range(4):
            assert wrote.acquire(timeout=60)
    assert count.made > 4
    assert path.read_bytes() == f"n {count.made}\n".encode()


def test_an_error_in_the_block_does_not_keep_it_from_the_last_figures(tmp_path: Path) -> None:
    path, said = tmp_path / "run.prom", [b"running\n"]

    def broken_off() -> None:
        with kept_current(path, lambda: said[-1], pytest.fail):
            said.append(b"ended\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert path.read_bytes() == b"ended\n"


def test_one_that_cannot_be_written_is_told_of_once(tmp_path: Path) -> None:
    path, told = tmp_path / "missing" / "run.prom", list[str]()
    tried = threading.Semaphore(0)

    def text() -> bytes:
        tried.release()
        return b""

    with kept_current(path, text, told.append, every=0.001):
        for _ in range(4):
            assert tried.acquire(timeout=60)
    assert told == [
        f"Cannot write the metrics to {path}: No such file or directory; the run goes on"
    ]


def test_a_name_that_no_collector_reads_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"write .*run\.prom"),
        kept_current(tmp_path / "run.txt", bytes, pytest.fail),
    ):
        pytest.fail("it must not begin")
