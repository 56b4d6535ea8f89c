"""Names, directories and globs as files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from batcher.errors import InputError
from batcher.inputs.files import InputFile, discover


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty directory, so that names are relative as users give them."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"")


def names(files: Iterable[InputFile]) -> list[str]:
    return [file.name for file in files]


@pytest.mark.parametrize(
    ("name", "format_", "compression"),
    [
        ("a.jsonl", "jsonl", None),
        ("a.ndjson", "jsonl", None),
        ("a.b.jsonl.gz", "jsonl", "gzip"),
        ("a.ndjson.gz", "jsonl", "gzip"),
        ("a.jsonl.zst", "jsonl", "zstd"),
        ("a.NDJSON.ZST", "jsonl", "zstd"),
        ("a.parquet", "parquet", None),
    ],
)
def test_the_suffix_says_what_a_file_is(name: str, format_: str, compression: str | None) -> None:
    make(name)
    (file,) = discover([name])
    assert (file.path, file.name) == (Path(name), name)
    assert (file.format, file.compression) == (format_, compression)


@pytest.mark.parametrize(
    ("head", "compression"),
    [(b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"{}", None), (b"(\n", None)],
)
def test_lines_that_are_packed_under_a_plain_name_are_known_by_their_first_bytes(
    head: bytes, compression: str | None
) -> None:
    Path("a.jsonl").write_bytes(head)
    (file,) = discover(["a.jsonl"])
    assert (file.format, file.compression) == ("jsonl", compression)


def test_parquet_under_the_name_of_lines_is_refused_with_the_right_name() -> None:
    Path("a.jsonl").write_bytes(b"PAR1 and so on")
    with pytest.raises(InputError, match=r"a\.jsonl holds Parquet.*\.parquet"):
        discover(["a.jsonl"])


def test_files_come_in_the_order_they_are_named_each_once() -> None:
    make("b.jsonl", "a.jsonl")
    Path("link.jsonl").symlink_to("a.jsonl")
    assert names(discover(["b.jsonl", "a.jsonl", "./b.jsonl", "link.jsonl", "*.jsonl"])) == [
        "b.jsonl",
        "a.jsonl",
    ]


def test_a_directory_stands_for_the_known_files_below_it_sorted() -> None:
    make("d/b.jsonl", "d/a.parquet", "d/sub/c.jsonl.gz", "d/notes.txt", "other.jsonl")
    assert names(discover(["d"])) == ["d/a.parquet", "d/b.jsonl", "d/sub/c.jsonl.gz"]


def test_hidden_files_and_run_directories_below_a_directory_are_passed_over() -> None:
    make(
        "d/a.jsonl",
        "d/.hidden.jsonl",
        "d/.cache/b.jsonl",
        "d/a.batch/results.parquet",
        "d/out/checkpoint.db",
        "d/out/results.parquet",
    )
    assert names(discover(["d"])) == ["d/a.jsonl"]
    assert names(discover(["d/**/*.*"])) == ["d/a.jsonl"]


def test_what_the_user_spells_out_is_taken_though_it_lies_in_a_run_directory() -> None:
    make("a.batch/results.parquet", "a.batch/checkpoint.db", "a.batch/more.batch/results.parquet")
    assert names(discover(["a.batch/results.parquet"])) == ["a.batch/results.parquet"]
    assert names(discover(["a.batch/**/*.parquet"])) == ["a.batch/results.parquet"]


def test_a_glob_stands_for_the_known_files_that_match_sorted(folder: Path) -> None:
    make("d/2.jsonl", "d/1.jsonl", "d/1.txt", "d/e/f/3.jsonl")
    (folder / "d/4.jsonl").mkdir()
    assert names(discover(["d/*"])) == ["d/1.jsonl", "d/2.jsonl"]
    assert names(discover(["d/**/*.jsonl"])) == ["d/1.jsonl", "d/2.jsonl", "d/e/f/3.jsonl"]
    assert names(discover([f"{folder}/d/?.jsonl"])) == [
        f"{folder}/d/1.jsonl",
        f"{folder}/d/2.jsonl",
    ]


def test_a_file_whose_name_looks_like_a_glob_is_that_file() -> None:
    make("a[1].jsonl", "a1.jsonl")
    assert names(discover(["a[1].jsonl"])) == ["a[1].jsonl"]


@pytest.mark.parametrize("given", ["d", "d/*.jsonl", os.fsdecode(b"d/\xb5\xb1.jsonl")])
def test_a_name_that_is_not_utf_8_is_refused_and_shown_byte_by_byte(given: str) -> None:
    """As from a Windows archive: it could stand in no checkpoint and in no JSON."""
    make("d/a.jsonl", os.fsdecode(b"d/\xb5\xb1.jsonl"))
    with pytest.raises(InputError, match=r"d/\\xb5\\xb1\.jsonl is not UTF-8; rename it.*convmv"):
        discover([given])


def test_a_folder_above_counts_as_well(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Since a run remembers where its input lies from the root on."""
    above = folder / os.fsdecode(b"\xb5")
    above.mkdir()
    monkeypatch.chdir(above)
    make("a.jsonl")
    with pytest.raises(InputError, match=r"\\xb5/a\.jsonl is not UTF-8"):
        discover(["a.jsonl"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("gone.jsonl", "no such file: gone.jsonl"),
        ("dangling.jsonl", "no such file: dangling.jsonl"),
        ("notes.txt", "notes.txt is of no known kind; known suffixes: .jsonl, .ndjson, "),
        ("empty", "the directory empty holds no input file; known suffixes: .jsonl"),
        ("*.csv", "the glob *.csv holds no input file; known suffixes: .jsonl"),
        ("*.txt", "the glob *.txt holds no input file; known suffixes: .jsonl"),
        ("a.batch", "a.batch is the directory of a run"),
        ("a.batch/", "a.batch/ is the directory of a run"),
        ("pipe.jsonl", "pipe.jsonl is no regular file; pipe it in"),
        ("x" * 300 + ".jsonl", "File name too long"),
    ],
)
def test_a_name_that_leads_nowhere_is_an_error_that_says_why(given: str, message: str) -> None:
    make("notes.txt", "a.batch/results.parquet")
    Path("empty").mkdir()
    Path("dangling.jsonl").symlink_to("nowhere")
    os.mkfifo("pipe.jsonl")
    with pytest.raises(InputError, match=re.escape(message)):
        discover([given])


@pytest.fixture
def nobody(folder: Path) -> Iterator[None]:
    """Give up root's right to read everything, for the length of a test."""
    folder.chmod(0o755)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.fixture
def closed(folder: Path) -> None:
    """Make a file and a directory that nobody may read."""
    del folder
    make("secret.jsonl", "closed/a.jsonl")
    Path("secret.jsonl").chmod(0)
    Path("closed").chmod(0)


@pytest.mark.usefixtures("closed", "nobody")
@pytest.mark.parametrize("given", ["secret.jsonl", "closed"])
def test_what_may_not_be_read_is_an_error(given: str) -> None:
    with pytest.raises(InputError, match=rf"cannot read {given}\S*: Permission denied"):
        discover([given])


def test_a_directory_that_cannot_be_walked_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    make("d/a.jsonl")

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match="cannot read d: Permission denied"):
        discover(["d"])


def test_what_a_run_put_below_a_folder_is_no_input_of_the_next(folder: Path) -> None:
    for name in ("d/a.jsonl", "d/out/results.parquet", "d/out/errors.parquet", "d/in/r.jsonl"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"{}\n")
    assert names(discover(["d"])) == ["d/a.jsonl", "d/in/r.jsonl"]
    assert names(discover(["d/*/*"])) == ["d/in/r.jsonl"]
    assert names(discover(["d/out/*.parquet"])) == ["d/out/errors.parquet", "d/out/results.parquet"]
