"""Small files, brought before they are asked for; the disk of this machine stands for a store."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from batcher.storage import Address, Entry, GivenUpError, brought, entries_at
from batcher.storage.ahead import SMALL


def entries(folder: Path, *contents: bytes) -> list[Entry | None]:
    paths = [folder / str(number) for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return entries_at([Address.of(f"file://{path}") for path in paths])


def test_each_file_comes_in_its_turn_however_many_there_are(tmp_path: Path) -> None:
    contents = [b"%d" % number * 20_000 for number in range(50)]
    assert list(brought(entries(tmp_path, *contents))) == contents


def test_what_is_large_unknown_empty_or_gone_is_left_to_whoever_opens_it(tmp_path: Path) -> None:
    files = entries(tmp_path, b"a", b"x" * (SMALL + 1), b"", b"gone", b"b")
    (tmp_path / "3").unlink()
    assert list(brought([*files, None])) == [b"a", None, None, None, b"b", None]


def test_of_a_store_that_takes_no_threads_nothing_is_brought() -> None:
    file = Entry(Address.of("hf://datasets/me/name/a.jsonl"), is_file=True, size=5)
    assert list(brought([file])) == [None]


def test_who_reads_one_file_of_many_has_no_other_on_its_way(tmp_path: Path) -> None:
    files = entries(tmp_path, *[b"a"] * 30)
    some = brought(files)
    next(some)
    for number in range(1, 30):
        (tmp_path / str(number)).write_bytes(b"b")
    assert next(some) == b"b"


def test_nobody_waits_longer_than_asked_to(tmp_path: Path) -> None:
    files = entries(tmp_path, b"a")
    pipe = tmp_path / "0"
    pipe.unlink()
    os.mkfifo(pipe)
    with pytest.raises(GivenUpError):
        list(brought(files, stop=lambda: True))
    # Whoever opens it to read waits until somebody has opened it to write.
    writer = os.open(pipe, os.O_RDWR)
    for thread in threading.enumerate():
        if thread.name == "batcher-store":
            thread.join()
    os.close(writer)
