"""What a directory lies on, read from the kernel's list of mounts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from batcher.filesystem import MOUNTS, is_text, not_text, spans_machines, synced

LINES = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /mnt/nas rw,relatime - nfs4 nas:/export rw,vers=4.2
31 30 0:41 / /mnt/nas/scratch rw shared:5 master:1 - tmpfs tmpfs rw
32 22 0:42 / /mnt/two\040words rw - cifs //nas/share rw
33 22 0:43 / /mnt/bucket rw - fuse.s3fs s3fs rw
34 22 0:44 / /mnt/stick rw - fuseblk /dev/sdb1 rw
35 22 0:45 / /mnt/again rw - nfs nas:/old rw
36 35 0:46 / /mnt/again rw - xfs /dev/sdc1 rw
""".lstrip()


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    path = tmp_path / "mountinfo"
    path.write_text(LINES)
    return path


@pytest.mark.parametrize(
    ("directory", "spans"),
    [
        ("/", False),
        ("/home/me/run.batch", False),
        ("/mnt/nas", True),
        ("/mnt/nas/deep/below", True),
        ("/mnt/nas/scratch/run", False),
        ("/mnt/nasty", False),
        ("/mnt/two words/run", True),
        ("/mnt/bucket/run", True),
        ("/mnt/stick", False),
        ("/mnt/again", False),
    ],
)
def test_the_innermost_mount_decides(mounts: Path, directory: str, *, spans: bool) -> None:
    assert spans_machines(Path(directory), mounts) is spans


def test_a_link_into_a_network_disk_leads_there(mounts: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/mnt/nas/data")
    assert spans_machines(link, mounts)


def test_without_a_list_of_mounts_everything_is_local(tmp_path: Path) -> None:
    assert not spans_machines(Path("/mnt/nas"), tmp_path / "none")


@pytest.mark.skipif(not MOUNTS.exists(), reason="this system does not list its mounts")
def test_the_list_of_this_machine_can_be_read() -> None:
    assert not spans_machines(Path("/proc"))


def test_files_and_directories_are_synced_and_what_is_missing_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    synced(tmp_path / "file")
    synced(tmp_path)
    with pytest.raises(FileNotFoundError):
        synced(tmp_path / "missing")


def test_a_name_is_text_where_its_bytes_are_utf_8() -> None:
    assert is_text("a.jsonl")
    assert is_text("评论.jsonl")
    odd = os.fsdecode(b"\xb5\xb1/\xe8\xaf\x84.jsonl")
    assert not is_text(odd)
    assert not_text(odd).startswith(r"\xb5\xb1/评.jsonl is not UTF-8; rename it")
