"""A folder in a real store, and in one that only fsspec knows: both keep what a folder promises."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from batcher.errors import InputError, OutputError, StorageError, UsageError
from batcher.storage import Folder, RemoteReader, entries_below
from tests.objects import store
from tests.objects.store import Bucket

# More than one part of an upload, and more than one piece of a reader.
CONTENT = bytes(range(251)) * 50_000


@pytest.fixture(params=["s3", "memory"])
def folder(
    request: pytest.FixtureRequest, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> Folder:
    for name, value in store.variables(bucket.server).items():
        monkeypatch.setenv(name, value)
    return Folder.at(f"{request.param}://{bucket.name}/deep/er")


def test_a_folder_need_not_exist(folder: Folder) -> None:
    folder.check()
    assert (folder.names(), folder.read("a")) == ([], None)


def test_what_is_written_is_read_and_removed(folder: Folder) -> None:
    folder.write("a.gz", b"1")
    folder.write("a.gz", b"\x1f\x8b 2")
    folder.write("below/b", b"3")
    assert (folder.read("a.gz"), folder.read("below/b")) == (b"\x1f\x8b 2", b"3")
    assert folder.names() == ["a.gz"]
    files = [
        entry.address for entry in entries_below(folder.address, recursive=True) if entry.is_file
    ]
    assert sorted(files, key=str) == [folder.address / "a.gz", folder.address / "below/b"]
    folder.remove("a.gz")
    folder.remove("a.gz")
    assert folder.names() == []


def test_a_large_file_goes_up_and_comes_down_whole(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "here").write_bytes(CONTENT)
    folder.upload(tmp_path / "here", "there")
    folder.download("there", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == CONTENT
    with pytest.raises(StorageError, match=r"there is no .*/deep/er/no$"):
        folder.download("no", tmp_path / "no")


@pytest.mark.parametrize("ahead", [True, False])
def test_a_file_is_read_from_any_place(folder: Folder, ahead: bool) -> None:  # noqa: FBT001 -- a case
    folder.write("a", CONTENT)
    reader = RemoteReader(folder.address / "a", ahead=ahead)
    reader.seek(5_000_000)
    assert io.BufferedReader(reader, 1 << 20).read() == CONTENT[5_000_000:]
    folder.write("a", CONTENT + b"!")
    reader = RemoteReader(folder.address / "a", ahead=False)
    folder.write("a", CONTENT)
    with pytest.raises(InputError, match="was replaced or removed while it was read"):
        reader.read(1)


def test_a_missing_bucket_is_named(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in store.variables(bucket.server).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OutputError, match="there is no s3://no-such-bucket; make it first"):
        Folder.at("s3://no-such-bucket/a").check()


def test_a_url_of_no_known_kind_is_told_what_fsspec_knows() -> None:
    with pytest.raises(UsageError, match=r"memori:// is of no known kind.* did you mean `memory`"):
        Folder.at("memori://a")
