"""What holds of a disk: what survives a loss of power, and what a directory lies on.

A file system that spans machines keeps fewer promises.

SQLite's write-ahead log needs memory that all its users share, which no two machines do
(https://www.sqlite.org/wal.html, "All processes using a database must be on the same host"), and
flock there may hold for one machine only.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")

_SPANNING = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "gpfs"}
    | {"beegfs", "ocfs2", "gfs2", "orangefs", "pvfs2", "virtiofs", "coda", "ncpfs", "davfs"}
)
# What Python has for bytes that are no UTF-8 (PEP 383), and other text that is none.
_ODD = re.compile("[\ud800-\udfff]")
_ESCAPE = re.compile(r"\\([0-7]{3})")


def is_text(name: str) -> bool:
    """Tell whether a name is UTF-8, so that it can be written down; Linux allows any bytes."""
    return _ODD.search(name) is None


def escaped(name: str) -> str:
    r"""Return a name that may not be UTF-8 for people to read: its odd bytes as `\xb5`."""
    return _ODD.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", name)


def not_text(name: str) -> str:
    """Say that a name is not UTF-8, and the way out."""
    way_out = "rename it, such as by `convmv -f gbk -t utf8 --notest`"
    return f"{escaped(name)} is not UTF-8; {way_out}"


def synced(path: Path) -> None:
    """Make a file, or the names in a directory, survive a loss of power.

    Raises:
        OSError: it cannot.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def spans_machines(directory: Path, mounts: Path = MOUNTS) -> bool:
    """Tell whether other machines may use the files of `directory` at the same time.

    So is every file system of a user-space driver taken to be: those of object stores and of ssh
    are. Where the system does not say what is mounted, a directory counts as local.
    """
    kind = _kind(directory.resolve(), mounts)
    return kind in _SPANNING or kind.startswith("fuse.")


def _kind(path: Path, mounts: Path) -> str:
    """Return the type of the file system that holds `path`; proc(5) has the format."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    kind, depth = "", -1
    for line in lines:
        fields, _, rest = line.partition(" - ")
        point = Path(_ESCAPE.sub(lambda code: chr(int(code[1], 8)), fields.split(" ")[4]))
        # Of mounts on one another at the same place, the last is seen.
        if path.is_relative_to(point) and len(point.parts) >= depth:
            kind, depth = rest.split(" ")[0], len(point.parts)
    return kind
