"""Standard input, kept for the runs that resume."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from batcher.errors import InputError, StorageError
from batcher.inputs.lines import read_lines
from batcher.inputs.spool import keep_spooled
from batcher.inputs.stdin import spool_stdin


class Terminal(io.BytesIO):
    """A standard input at which somebody sits; to read it would wait for them."""

    def isatty(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        raise AssertionError(size)


def test_what_is_piped_in_is_kept_whole_and_private(tmp_path: Path) -> None:
    content = b'{"prompt": "hi"}\n' * 200_000
    file = keep_spooled(spool_stdin(io.BytesIO(content), tmp_path))
    assert file.path == tmp_path / "stdin.jsonl"
    assert (file.name, file.format, file.compression) == ("stdin", "jsonl", None)
    assert file.path.read_bytes() == content
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["stdin.jsonl"]


@pytest.mark.parametrize("silent", [io.BytesIO(), Terminal()])
def test_a_run_that_resumes_uses_what_was_kept(silent: io.BytesIO, tmp_path: Path) -> None:
    kept = keep_spooled(spool_stdin(io.BytesIO(b"{}\n"), tmp_path))
    again = keep_spooled(spool_stdin(silent, tmp_path))
    assert again == kept
    assert again.path.read_bytes() == b"{}\n"


def test_new_input_takes_the_place_of_what_was_kept_only_for_good(tmp_path: Path) -> None:
    old = keep_spooled(spool_stdin(io.BytesIO(b'{"old": 1}\n'), tmp_path))
    new = spool_stdin(io.BytesIO(b"{}\n"), tmp_path)
    assert old.path.read_bytes() == b'{"old": 1}\n'
    assert new.path.read_bytes() == b"{}\n"
    assert keep_spooled(new) == old
    assert old.path.read_bytes() == b"{}\n"


def test_a_copy_that_is_gone_cannot_be_kept(tmp_path: Path) -> None:
    file = spool_stdin(io.BytesIO(b"{}\n"), tmp_path)
    file.path.unlink()
    with pytest.raises(StorageError, match="cannot keep stdin"):
        keep_spooled(file)


@pytest.mark.parametrize("silent", [io.BytesIO(), Terminal()])
def test_nothing_to_read_and_nothing_kept_is_an_error(silent: io.BytesIO, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="standard input is empty"):
        spool_stdin(silent, tmp_path)


@pytest.mark.parametrize(
    ("pack", "compression"),
    [(gzip.compress, "gzip"), (lambda lines: pa.compress(lines, "zstd", asbytes=True), "zstd")],
)
def test_what_comes_packed_is_known_by_its_first_bytes_also_when_it_was_kept(
    pack: Callable[[bytes], bytes], compression: str, tmp_path: Path
) -> None:
    """As by `batcher run - < prompts.jsonl.gz`."""
    lines = b'{"prompt": "hi"}\n' * 3
    fresh = keep_spooled(spool_stdin(io.BytesIO(pack(lines)), tmp_path))
    assert fresh.compression == compression
    assert b"\n".join([line.content for line in read_lines(fresh)]) + b"\n" == lines
    assert spool_stdin(io.BytesIO(), tmp_path) == fresh


def test_parquet_on_standard_input_is_refused_before_anything_is_kept(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"standard input holds Parquet.*\.parquet"):
        spool_stdin(io.BytesIO(b"PAR1 and so on"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_kept_copy_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "stdin.jsonl").mkdir()
    with pytest.raises(StorageError, match="cannot read what was kept"):
        spool_stdin(io.BytesIO(), tmp_path)


def test_a_copy_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot keep standard input: .*No such file"):
        spool_stdin(io.BytesIO(b"{}\n"), tmp_path / "gone")


def test_a_copy_is_never_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "stdin.jsonl.new").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        spool_stdin(io.BytesIO(b"{}\n"), tmp_path)
    assert not (tmp_path / "elsewhere").exists()
